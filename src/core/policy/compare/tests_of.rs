//! The tests of a bundle by name, whichever of the three formats they are in.

use serde_json::{Map, Value};

use super::super::cases::{CEDAR_TESTS_SUFFIX, REQUEST_CASES_SUFFIX, element_lines, yaml};
use super::super::item::canonical;
use super::super::{Files, json, rego};
use super::{Findings, Item, ItemKind, Outline};
use crate::masking::masked;

/// Adds every test; a file that cannot be read is a note.
pub(super) fn add(files: &Files, outline: &mut Outline) {
    match rego::test_items(files) {
        Ok(items) => outline.items.extend(items),
        Err(findings) => {
            let first = findings.0.first().map(ToString::to_string).unwrap_or_default();
            outline.notes.push(format!("the Rego tests are not compared: {first}"));
        }
    }
    for (file, content) in files.iter() {
        let read = match std::str::from_utf8(content) {
            Ok(text) if file.ends_with(REQUEST_CASES_SUFFIX) => of_yaml(file, text),
            Ok(text) if file.ends_with(CEDAR_TESTS_SUFFIX) => of_json(file, text),
            Ok(_) | Err(_) => continue,
        };
        match read {
            Ok(items) => outline.items.extend(items),
            Err(why) => {
                outline.notes.push(format!("the tests of `{file}` are not compared: {why}"));
            }
        }
    }
}

fn of_yaml(file: &str, text: &str) -> Result<Vec<Item>, String> {
    let root = yaml::parse(text).map_err(|wrong| wrong.message)?;
    let cases = root.as_mapping().and_then(|root| root.get_sequence("cases"));
    let mut items = Vec::new();
    for node in cases.into_iter().flat_map(|cases| cases.iter()) {
        let first_key = node.as_mapping().and_then(|case| case.keys().next());
        let line = first_key.map_or(yaml::line(node), |key| yaml::start_line(key.span()));
        items.extend(item(file, line, yaml::to_json(node)));
    }
    Ok(items)
}

fn of_json(file: &str, text: &str) -> Result<Vec<Item>, String> {
    let mut findings = Findings::default();
    let mut values = json::MAX_VALUES;
    if !json::check(file, text, &mut values, &mut findings) {
        return Err(findings.to_string());
    }
    let cases: Vec<Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let cases = element_lines(text).into_iter().zip(cases);
    Ok(cases.filter_map(|(line, case)| item(file, line, case)).collect())
}

/// A case without a name cannot be told from another.
fn item(file: &str, line: u32, mut case: Value) -> Option<Item> {
    let name = case.as_object_mut()?.remove("name")?.as_str()?.to_owned();
    let meaning = canonical(&case);
    let text = serde_json::to_string_pretty(&shown(case)).unwrap_or_default();
    Some(Item { text, ..Item::plain(ItemKind::Test, name, (file, line), meaning) })
}

/// The case without credentials; an entity of a Cedar test may hold headers or a query as its tags.
fn shown(mut case: Value) -> Value {
    let entities = case.get_mut("entities").and_then(Value::as_array_mut);
    for entity in entities.into_iter().flatten() {
        let kind = entity.pointer("/uid/type").and_then(Value::as_str).unwrap_or_default();
        let key = kind.rsplit("::").next().unwrap_or_default().to_lowercase();
        if let Some(tags) = entity.get_mut("tags") {
            let document = Map::from_iter([(key, tags.take())]);
            if let Value::Object(masked) = masked(&Value::Object(document)) {
                *tags = masked.into_values().next().unwrap_or_default();
            }
        }
    }
    masked(&case)
}
