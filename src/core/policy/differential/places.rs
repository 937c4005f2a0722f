//! Reading and writing at a place of a document, whatever stands there.

use serde_json::{Map, Value};

use super::recipe::Step;

/// A text for people and for counting: `request.headers.x-tenant[0]`.
pub(super) fn shown(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Any => text.push_str("[_]"),
        }
    }
    text
}

/// The value at a place; [`Step::Any`] is the first member.
pub(super) fn at<'a>(document: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    steps.iter().try_fold(document, |value, step| match (value, step) {
        (Value::Object(fields), Step::Key(key)) => fields.get(key),
        (Value::Array(items), Step::Index(index)) => items.get(*index),
        (Value::Array(items), Step::Any) => items.first(),
        (Value::Object(fields), Step::Any) => fields.values().next(),
        _ => None,
    })
}

/// Puts a value at a place, making objects and lists on the way out of whatever is there.
pub(super) fn put(document: &mut Value, steps: &[Step], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *document = value;
        return;
    };
    match (step, &mut *document) {
        (Step::Any, Value::Object(fields)) if !fields.is_empty() => {
            if let Some(first) = fields.values_mut().next() {
                put(first, rest, value);
            }
        }
        (Step::Key(key), _) => {
            if !document.is_object() {
                *document = Value::Object(Map::new());
            }
            put(&mut document[key.as_str()], rest, value);
        }
        (Step::Any, _) => put_item(document, 0, rest, value),
        (Step::Index(index), _) => put_item(document, *index, rest, value),
    }
}

/// Takes the value at a place away; says whether there was one.
pub(super) fn remove(document: &mut Value, steps: &[Step]) -> bool {
    let Some((last, parents)) = steps.split_last() else { return false };
    let parent = parents.iter().try_fold(document, |value, step| match (value, step) {
        (Value::Object(fields), Step::Key(key)) => fields.get_mut(key),
        (Value::Array(items), Step::Index(index)) => items.get_mut(*index),
        (Value::Array(items), Step::Any) => items.first_mut(),
        (Value::Object(fields), Step::Any) => fields.values_mut().next(),
        _ => None,
    });
    match (parent, last) {
        (Some(Value::Object(fields)), Step::Key(key)) => fields.shift_remove(key).is_some(),
        (Some(Value::Object(fields)), Step::Any) => {
            let first = fields.keys().next().cloned();
            first.is_some_and(|first| fields.shift_remove(&first).is_some())
        }
        (Some(Value::Array(items)), Step::Any | Step::Index(_)) => {
            let index = if let Step::Index(index) = last { *index } else { 0 };
            let is_there = index < items.len();
            if is_there {
                items.remove(index);
            }
            is_there
        }
        _ => false,
    }
}

/// The places of every value of a document, the document's own left out.
pub(super) fn all(document: &Value) -> Vec<Vec<Step>> {
    let mut found = Vec::new();
    collect(document, &mut Vec::new(), &mut found);
    found
}

fn collect(value: &Value, here: &mut Vec<Step>, found: &mut Vec<Vec<Step>>) {
    let members: Vec<(Step, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (Step::Key(key.clone()), value)).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().map(|(index, item)| (Step::Index(index), item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return,
    };
    for (step, member) in members {
        here.push(step);
        found.push(here.clone());
        collect(member, here, found);
        here.pop();
    }
}

fn put_item(document: &mut Value, index: usize, rest: &[Step], value: Value) {
    /// No policy looks further into a list.
    const MAX_LENGTH: usize = 64;
    if !document.is_array() {
        *document = Value::Array(Vec::new());
    }
    let Value::Array(items) = document else { return };
    let index = index.min(MAX_LENGTH);
    while items.len() <= index {
        items.push(Value::from("a"));
    }
    if let Some(item) = items.get_mut(index) {
        put(item, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        let step = |part: &str| match (part, part.parse()) {
            ("_", _) => Step::Any,
            (_, Ok(index)) => Step::Index(index),
            (_, Err(_)) => Step::Key(part.to_owned()),
        };
        text.split('.').map(step).collect()
    }

    #[track_caller]
    fn check(document: &Value, place: &str, expected: &Value) {
        let mut changed = document.clone();
        put(&mut changed, &steps(place), json!("new"));
        assert_eq!(changed, *expected);
        assert_eq!(at(&changed, &steps(place)), Some(&json!("new")));
        assert!(remove(&mut changed, &steps(place)));
        assert_ne!(changed, *expected);
    }

    #[test]
    fn a_value_can_be_put_anywhere_and_taken_away_again() {
        check(&json!({"a": 1}), "a", &json!({"a": "new"}));
        check(&json!({"a": 1}), "a.b.1", &json!({"a": {"b": ["a", "new"]}}));
        check(&json!({"a": [1, 2]}), "a._", &json!({"a": ["new", 2]}));
        check(&json!({"a": {"k": 1}}), "a._", &json!({"a": {"k": "new"}}));
        check(&json!(null), "a._.b", &json!({"a": [{"b": "new"}]}));
    }

    #[test]
    fn what_is_not_there_is_not_found_nor_taken_away() {
        let mut document = json!({"a": [1]});
        for place in ["b", "a.1", "a.0.c", "a.k"] {
            assert_eq!(at(&document, &steps(place)), None, "{place}");
            assert!(!remove(&mut document, &steps(place)), "{place}");
        }
        assert_eq!(document, json!({"a": [1]}));
    }

    #[test]
    fn every_value_has_a_place() {
        let found = all(&json!({"a": [1, {"b": null}]}));
        let shown: Vec<_> = found.iter().map(|steps| shown(steps)).collect();
        assert_eq!(shown, ["a", "a[0]", "a[1]", "a[1].b"]);
    }
}
