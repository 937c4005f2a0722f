//! regorus' own builtins behind a bound: their results are right, their cost is not.

use std::collections::BTreeSet;

use regorus::Value;

use super::arguments::{
    MAX_TEXT_BYTES, at, check_steps, check_text, elements, error, kind, regorus, string,
};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "trim", arity: 2, run: |arguments| trim("trim", arguments) },
    Builtin { name: "trim_left", arity: 2, run: |arguments| trim("trim_left", arguments) },
    Builtin { name: "trim_right", arity: 2, run: |arguments| trim("trim_right", arguments) },
    Builtin {
        name: "strings.any_prefix_match",
        arity: 2,
        run: |arguments| pairs("strings.any_prefix_match", arguments),
    },
    Builtin {
        name: "strings.any_suffix_match",
        arity: 2,
        run: |arguments| pairs("strings.any_suffix_match", arguments),
    },
    Builtin { name: "array.concat", arity: 2, run: array_concat },
    Builtin { name: "walk", arity: 1, run: walk },
    Builtin { name: "json.marshal", arity: 1, run: json_marshal },
    Builtin {
        name: "yaml.marshal",
        arity: 1,
        run: |arguments| {
            check_size(at(arguments, 0)?)?;
            regorus("yaml.marshal", arguments)
        },
    },
    Builtin { name: "json.marshal_with_options", arity: 2, run: json_marshal_with_options },
    Builtin {
        name: "json.unmarshal",
        arity: 1,
        run: |arguments| document("json.unmarshal", arguments),
    },
    Builtin {
        name: "json.is_valid",
        arity: 1,
        run: |arguments| is_document("json.is_valid", arguments),
    },
    Builtin {
        name: "yaml.unmarshal",
        arity: 1,
        run: |arguments| document("yaml.unmarshal", arguments),
    },
    Builtin {
        name: "yaml.is_valid",
        arity: 1,
        run: |arguments| is_document("yaml.is_valid", arguments),
    },
];

/// Per line of the output.
pub(super) const MAX_INDENT_BYTES: usize = 32;
/// Digits that follow each other in a document; numbers are parsed in the square of their length.
pub(super) const MAX_DIGITS: usize = 1024;
/// Elements of two arrays together: as many as a large list in data has, copied in about 1 ms.
pub(super) const MAX_JOINED_ELEMENTS: usize = 100_000;

fn trim(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    check_steps(string(arguments, 0)?.len(), string(arguments, 1)?.len())?;
    regorus(name, arguments)
}

fn pairs(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    let length = |index| -> Result<usize, BuiltinError> {
        match at(arguments, index)? {
            Value::String(_) => Ok(1),
            _ => Ok(elements(arguments, index)?.len()),
        }
    };
    check_steps(length(0)?, length(1)?)?;
    regorus(name, arguments)
}

/// An array joined with itself again and again doubles each time.
fn array_concat(arguments: &[Value]) -> Result<Value, BuiltinError> {
    if let (Value::Array(left), Value::Array(right)) = (at(arguments, 0)?, at(arguments, 1)?)
        && left.len().saturating_add(right.len()) > MAX_JOINED_ELEMENTS
    {
        return error(format!("the arrays hold more than {MAX_JOINED_ELEMENTS} elements"));
    }
    regorus("array.concat", arguments)
}

/// Each value within a value becomes a pair.
fn walk(arguments: &[Value]) -> Result<Value, BuiltinError> {
    if !is_within(at(arguments, 0)?, MAX_JOINED_ELEMENTS, |_| 1) {
        return error(format!("the document holds more than {MAX_JOINED_ELEMENTS} values"));
    }
    regorus("walk", arguments)
}

/// Refuses a value that is longer than a text may be.
fn check_size(value: &Value) -> Result<(), BuiltinError> {
    let bytes = |value: &Value| if let Value::String(text) = value { text.len() + 1 } else { 1 };
    check_text(if is_within(value, MAX_TEXT_BYTES, bytes) { 0 } else { usize::MAX })
}

/// Whether all values within a value cost no more than `left` together; one that stands in several
/// places counts in each. It ends when that much is spent.
fn is_within(value: &Value, mut left: usize, cost: fn(&Value) -> usize) -> bool {
    let mut pending = vec![value];
    while let Some(value) = pending.pop() {
        let Some(rest) = left.checked_sub(cost(value)) else { return false };
        left = rest;
        // What is beyond the rest is still one more than it.
        let most = left + 1;
        match value {
            Value::Array(array) => pending.extend(array.iter().take(most)),
            Value::Set(set) => pending.extend(set.iter().take(most)),
            Value::Object(object) => {
                pending.extend(object.iter().take(most).flat_map(|(key, value)| [key, value]));
            }
            _ => {}
        }
    }
    true
}

/// With `<`, `>`, `&` and the two line separators escaped, as Go writes strings.
fn json_marshal(arguments: &[Value]) -> Result<Value, BuiltinError> {
    check_size(at(arguments, 0)?)?;
    Ok(Value::from(html_safe(string(&[regorus("json.marshal", arguments)?], 0)?)))
}

fn html_safe(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                safe.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => safe.push(character),
        }
    }
    safe
}

fn json_marshal_with_options(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::Object(options) = at(arguments, 1)? else {
        return error(format!("argument 2 must be an object, not {}", kind(at(arguments, 1)?)));
    };
    let is_long =
        |value: &Value| matches!(value, Value::String(text) if text.len() > MAX_INDENT_BYTES);
    if options.values().any(is_long) {
        return error(format!("an option is longer than {MAX_INDENT_BYTES} bytes"));
    }
    check_size(at(arguments, 0)?)?;
    let json = regorus("json.marshal_with_options", arguments)?;
    Ok(Value::from(html_safe(string(&[json], 0)?)))
}

/// Any value may be asked of; none but a text is a document.
fn is_document(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    match at(arguments, 0)? {
        Value::String(_) => document(name, arguments),
        _ => Ok(Value::from(false)),
    }
}

fn document(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = string(arguments, 0)?;
    if text.len() > MAX_TEXT_BYTES {
        return error(format!("the document is longer than {MAX_TEXT_BYTES} bytes"));
    }
    let mut digits = 0;
    for byte in text.bytes() {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        if digits > MAX_DIGITS {
            return error(format!("the document holds more than {MAX_DIGITS} digits in a row"));
        }
    }
    if name.starts_with("yaml.") && repeats(text) {
        return error("the document has an alias, which may repeat without bound");
    }
    regorus(name, arguments)
}

/// Whether a name stands both as an anchor and as an alias where a YAML value begins.
fn repeats(yaml: &str) -> bool {
    let named = |sign: char| -> BTreeSet<&str> {
        let starts = yaml.match_indices(sign).filter_map(|(at, _)| {
            let (before, name) = yaml.split_at_checked(at)?;
            let begins_value = |c: char| c.is_whitespace() || "[{,:".contains(c);
            let name = name.get(1..)?;
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            let end = name.find(|c| !is_part(c)).unwrap_or(name.len());
            before.chars().next_back().is_none_or(begins_value).then(|| name.get(..end))?
        });
        starts.filter(|name| !name.is_empty()).collect()
    };
    let anchors = named('&');
    !anchors.is_empty() && !anchors.is_disjoint(&named('*'))
}
