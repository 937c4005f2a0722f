//! The data files of a bundle: `data.json` and `data.yaml` anywhere, each at the path of its
//! directory, merged as OPA does. Two files that say different things in one place are refused, and
//! so is data in the place of a rule, which regorus would silently prefer to the rule.

use marked_yaml::types::MarkedScalarNode;
use regorus::Value;

use super::super::cases::yaml::{self, Wrong};
use super::super::{Files, Findings, json, places, progress, text};
use super::paths::RulePath;
use super::rules::Rules;

/// JSON readers stop there too; merging descends as deep.
const MAX_DEPTH: usize = 128;

/// One data file, hung where its directory says.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
    root: Value,
}

/// All data of the bundle as one object; `None` where there were errors.
pub(super) fn load(files: &Files, rules: &Rules, findings: &mut Findings) -> Option<Value> {
    let had_errors = findings.has_errors();
    let mut sources: Vec<Source<'_>> = Vec::new();
    let mut merged = Value::new_object();
    let mut values = json::MAX_VALUES;
    for (file, content) in files.iter() {
        let (directory, name) = file.rsplit_once('/').unwrap_or(("", file));
        if !is_data(name) {
            continue;
        }
        progress::at_file(file);
        let Some(text) = text::text(file, content, findings) else { continue };
        let parsed = match name {
            "data.json" if json::check(file, text, &mut values, findings) => parse_json(text),
            "data.json" => continue,
            _ => parse_yaml(text, &mut values),
        };
        match parsed {
            Ok(value) => {
                let root = hang(value, directory);
                let source = Source { file, text, root };
                let mut path = Vec::new();
                if let Err(path) = merge(&mut merged, &source.root, &mut path) {
                    report_conflict(&source, &RulePath(path), &sources, findings);
                }
                sources.push(source);
            }
            Err(Wrong { line, column, message }) => findings.error(file, line, column, message),
        }
    }
    check_rules(&sources, &merged, rules, findings);
    (had_errors || !findings.has_errors()).then_some(merged)
}

fn is_data(name: &str) -> bool {
    matches!(name, "data.json" | "data.yaml" | "data.yml")
}

fn parse_json(text: &str) -> Result<Value, Wrong> {
    // regorus reads numbers its own way.
    let value = Value::from_json_str(text);
    check_shape(value.map_err(|error| Wrong::new(0, format!("bad data: {error}")))?)
}

/// The pass before finds what is dangerous or ambiguous, and where.
fn parse_yaml(text: &str, values: &mut usize) -> Result<Value, Wrong> {
    let seen = yaml::parse(text)?;
    *values = values
        .checked_sub(yaml::count(&seen))
        .ok_or_else(|| Wrong::new(0, format!("there are more than {} values", json::MAX_VALUES)))?;
    let value = Value::from_yaml_str(text);
    let value = value.map_err(|error| Wrong::new(0, format!("the data is no YAML: {error}")))?;
    // YAML knows keys that are no strings; `data` has string keys only.
    check_shape(value).map_err(|wrong| {
        let is_no_string = |key: &MarkedScalarNode| {
            key.may_coerce() && Value::from_yaml_str(key).is_ok_and(|key| key.as_string().is_err())
        };
        match places::yaml_key(&seen, is_no_string) {
            Some((key, (line, column))) => Wrong { line, column, message: no_string(&key) },
            None => wrong,
        }
    })
}

fn no_string(key: &str) -> String {
    format!("the key `{key}` is not a string: write it in quotes")
}

fn check_shape(value: Value) -> Result<Value, Wrong> {
    if value.as_object().is_err() {
        return Err(Wrong { line: 1, column: 1, message: "the data is not an object".to_owned() });
    }
    check_keys(&value, 0).map_err(|message| Wrong::new(0, message))?;
    Ok(value)
}

/// Every key is a string, and nothing is too deep.
fn check_keys(value: &Value, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("the data is nested deeper than {MAX_DEPTH} levels"));
    }
    if let Value::Object(object) = value {
        for (key, value) in object.iter() {
            if key.as_string().is_err() {
                return Err(no_string(&key.to_string()));
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

fn report_conflict(
    at: &Source<'_>,
    path: &RulePath,
    sources: &[Source<'_>],
    findings: &mut Findings,
) {
    let other = sources.iter().find(|source| defines(&source.root, path));
    let other = other.map_or("another file", |source| source.file);
    let (line, column) = at.place(path);
    findings.error(at.file, line, column, format!("`{path}` is also set by `{other}`"));
}

impl Source<'_> {
    /// Where the file says what `data` has at a path; its start where that is all of the file.
    fn place(&self, path: &RulePath) -> (u32, u32) {
        let directories = self.file.matches('/').count();
        let keys: Vec<&str> = path.0.iter().skip(directories).map(String::as_str).collect();
        match keys.as_slice() {
            [] => (1, 1),
            keys if self.file.ends_with(".json") => places::in_json(self.text, keys),
            keys => places::in_yaml(self.text, keys),
        }
    }
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
