//! The data files of a bundle: `data.json` and `data.yaml` anywhere, each at the path of its
//! directory, merged as OPA does. Two files that say different things in one place are refused, and
//! so is data in the place of a rule, which regorus would silently prefer to the rule.

use regorus::Value;

use super::super::{Files, Findings, progress};
use super::paths::RulePath;
use super::rules::Rules;

/// JSON readers stop there too; merging descends as deep.
const MAX_DEPTH: usize = 128;

/// One data file, hung where its directory says.
struct Source<'a> {
    file: &'a str,
    root: Value,
}

/// All data of the bundle as one object; `None` where there were errors.
pub(super) fn load(files: &Files, rules: &Rules, findings: &mut Findings) -> Option<Value> {
    let before = findings.0.len();
    let mut sources: Vec<Source<'_>> = Vec::new();
    let mut merged = Value::new_object();
    for (file, content) in files.iter() {
        let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
        if !is_data(name) {
            continue;
        }
        progress::at_file(file);
        let parsed = match name {
            "data.json" => parse_json(content),
            _ => parse_yaml(content),
        };
        match parsed {
            Ok(value) => {
                let root = hang(value, directory);
                let mut path = Vec::new();
                if let Err(path) = merge(&mut merged, &root, &mut path) {
                    report_conflict(file, &path, &sources, findings);
                }
                sources.push(Source { file, root });
            }
            Err((line, message)) => findings.error(file, line, 0, message),
        }
    }
    check_rules(&sources, &merged, rules, findings);
    (findings.0.len() == before).then_some(merged)
}

fn is_data(name: &str) -> bool {
    matches!(name, "data.json" | "data.yaml" | "data.yml")
}

/// A message and the line that it is about, 0 where the whole file is meant.
type ParseError = (u32, String);

fn parse_json(content: &[u8]) -> Result<Value, ParseError> {
    let text = text_of(content)?;
    // serde_json knows the place of an error, and regorus reads numbers its own way.
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let line = u32::try_from(error.line()).unwrap_or_default();
        return Err((line, format!("the data is no JSON: {error}")));
    }
    let value = Value::from_json_str(text).map_err(|error| (0, format!("bad data: {error}")))?;
    check_shape(value)
}

fn parse_yaml(content: &[u8]) -> Result<Value, ParseError> {
    let text = text_of(content)?;
    let value =
        Value::from_yaml_str(text).map_err(|error| (0, format!("the data is no YAML: {error}")))?;
    check_shape(value)
}

fn text_of(content: &[u8]) -> Result<&str, ParseError> {
    std::str::from_utf8(content).map_err(|_| (0, "the file is not UTF-8".to_owned()))
}

fn check_shape(value: Value) -> Result<Value, ParseError> {
    if value.as_object().is_err() {
        return Err((0, "the data is not an object".to_owned()));
    }
    check_keys(&value, 0)?;
    Ok(value)
}

/// YAML knows keys that are no strings; `data` has string keys only.
fn check_keys(value: &Value, depth: usize) -> Result<(), ParseError> {
    if depth > MAX_DEPTH {
        return Err((0, format!("the data is nested deeper than {MAX_DEPTH} levels")));
    }
    if let Value::Object(object) = value {
        for (key, value) in object.iter() {
            if key.as_string().is_err() {
                return Err((0, format!("the key `{key}` is not a string: write it in quotes")));
            }
            check_keys(value, depth + 1)?;
        }
    } else if let Value::Array(items) = value {
        items.iter().try_for_each(|item| check_keys(item, depth + 1))?;
    }
    Ok(())
}

fn hang(value: Value, directory: &str) -> Value {
    let parts = directory.rsplit('/').filter(|part| !part.is_empty());
    parts.fold(value, |value, part| {
        let mut object = regorus::value::Object::new();
        object.insert(Value::from(part), value);
        object.into_value()
    })
}

/// Deep merge of objects; the path of the conflict where one side is no object.
fn merge(into: &mut Value, from: &Value, path: &mut Vec<String>) -> Result<(), Vec<String>> {
    let (Ok(target), Ok(source)) = (into.as_object_mut(), from.as_object()) else {
        return Err(path.clone());
    };
    for (key, value) in source.iter() {
        if let Some(existing) = target.get_mut(key) {
            path.push(key.as_string().map(|key| key.to_string()).unwrap_or_default());
            merge(existing, value, path)?;
            path.pop();
        } else {
            target.insert(key.clone(), value.clone());
        }
    }
    Ok(())
}

fn report_conflict(file: &str, path: &[String], sources: &[Source<'_>], findings: &mut Findings) {
    let path = RulePath(path.to_vec());
    let other = sources.iter().find(|source| defines(&source.root, &path));
    let other = other.map_or("another file", |source| source.file);
    findings.error(file, 0, 0, format!("`{path}` is also set by `{other}`"));
}

fn check_rules(sources: &[Source<'_>], merged: &Value, rules: &Rules, findings: &mut Findings) {
    for (path, definitions) in rules.iter() {
        let Some(taken) = taken_by_data(merged, path) else { continue };
        let file = sources.iter().find(|source| defines(&source.root, &taken));
        let file = file.map_or("a data file", |source| source.file);
        if let Some(first) = definitions.first() {
            let message = format!("`{file}` has data at `{taken}`, in the place of this rule");
            findings.error(&first.file, first.line, first.column, message);
        }
    }
}

/// The place where data stands in the way of a rule: at its path, or a value above that is no object.
fn taken_by_data(merged: &Value, path: &RulePath) -> Option<RulePath> {
    let mut value = merged;
    for (index, part) in path.0.iter().enumerate() {
        let Ok(object) = value.as_object() else {
            return Some(RulePath(path.0.get(..index)?.to_vec()));
        };
        value = object.get(&Value::from(part.as_str()))?;
    }
    Some(path.clone())
}

fn defines(root: &Value, path: &RulePath) -> bool {
    let mut value = Some(root);
    for part in &path.0 {
        value = value.and_then(|value| value.as_object().ok()?.get(&Value::from(part.as_str())));
    }
    value.is_some()
}
