//! The JSON Schema of the file, generated from its types.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::place::At;
use super::raw::File;

/// The schema, with every definition in its place, so that a field's path leads to its schema.
#[must_use]
pub fn schema() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<File>().to_value();
    tidy(&mut schema);
    schema
}

/// Numeric formats such as `uint32` are Rust's words and no part of JSON Schema.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("format").is_some_and(Value::is_string) {
                members.shift_remove("format");
            }
            members.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of one field.
pub(super) fn schema_of<'a>(schema: &'a Value, at: &At) -> Option<&'a Value> {
    at.parts().try_fold(schema, |schema, part| match schema.get("items") {
        Some(items) => Some(items),
        None => schema.get("properties")?.get(&part),
    })
}

/// The fields that a mapping may have.
pub(super) fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties")?.as_object()
}

/// The values that a text may have, where they are listed.
pub(super) fn allowed_values(schema: &Value) -> Option<Vec<&str>> {
    if let Some(only) = schema.get("const").and_then(Value::as_str) {
        return Some(vec![only]);
    }
    schema.get("enum")?.as_array().map(|values| values.iter().filter_map(Value::as_str).collect())
}
