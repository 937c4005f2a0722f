//! What template strings compile to.

use regorus::Value;

use super::arguments::{check_text, elements, error};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "internal.template_string", arity: 1, run: template_string }];

/// Joins literal texts and sets of one value each; an empty set is an expression without a value.
fn template_string(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let mut text = String::new();
    for part in elements(arguments, 0)? {
        let value = match part {
            Value::Set(set) if set.is_empty() => {
                text.push_str("<undefined>");
                continue;
            }
            Value::Set(set) if set.len() > 1 => {
                return error("an expression of the template string has more than one value");
            }
            Value::Set(set) => set.iter().next().unwrap_or(part),
            literal => literal,
        };
        if let Value::String(value) = value {
            text.push_str(value);
        } else {
            write_term(value, &mut text)?;
        }
        check_text(text.len())?;
    }
    Ok(Value::from(text))
}

/// As Rego writes a term. Values nest no deeper than the parsers let them.
pub(super) fn write_term(value: &Value, text: &mut String) -> Result<(), BuiltinError> {
    check_text(text.len())?;
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => text.push_str(&number.format_decimal()),
        Value::String(value) => text.push_str(&quoted(value)),
        Value::Array(array) => write_list(array.iter(), ["[", "]"], text)?,
        Value::Set(set) if set.is_empty() => text.push_str("set()"),
        Value::Set(set) => write_list(set.iter(), ["{", "}"], text)?,
        Value::Object(object) => {
            text.push('{');
            for (index, (key, value)) in object.iter_sorted().enumerate() {
                text.push_str(if index > 0 { ", " } else { "" });
                write_term(key, text)?;
                text.push_str(": ");
                write_term(value, text)?;
            }
            text.push('}');
        }
        Value::Undefined => text.push_str("<undefined>"),
    }
    Ok(())
}

fn write_list<'a>(
    values: impl Iterator<Item = &'a Value>,
    [open, close]: [&str; 2],
    text: &mut String,
) -> Result<(), BuiltinError> {
    text.push_str(open);
    for (index, value) in values.enumerate() {
        text.push_str(if index > 0 { ", " } else { "" });
        write_term(value, text)?;
    }
    text.push_str(close);
    Ok(())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
