//! `urlquery.*` as Go reads and writes the query of a URL: what is no escape is an error.

use std::collections::BTreeMap;

use regorus::Value;

use super::arguments::{at, check_text, error, kind, string, strings};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "urlquery.decode", arity: 1, run: decode },
    Builtin { name: "urlquery.decode_object", arity: 1, run: decode_object },
    Builtin { name: "urlquery.encode", arity: 1, run: encode },
    Builtin { name: "urlquery.encode_object", arity: 1, run: encode_object },
];

fn decode(arguments: &[Value]) -> Result<Value, BuiltinError> {
    Ok(Value::from(unescape(string(arguments, 0)?)?))
}

fn decode_object(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let mut object: BTreeMap<Value, Vec<Value>> = BTreeMap::new();
    for pair in string(arguments, 0)?.split('&').filter(|pair| !pair.is_empty()) {
        if pair.contains(';') {
            return error("the query holds a semicolon");
        }
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = Value::from(unescape(key)?);
        object.entry(key).or_default().push(Value::from(unescape(value)?));
    }
    let object = object.into_iter().map(|(key, values)| (key, Value::from(values)));
    Ok(Value::from(object.collect::<BTreeMap<_, _>>()))
}

fn encode(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let mut text = String::new();
    escape(string(arguments, 0)?, &mut text)?;
    Ok(Value::from(text))
}

fn encode_object(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::Object(object) = at(arguments, 0)? else {
        return error(format!("argument 1 must be an object, not {}", kind(at(arguments, 0)?)));
    };
    let mut text = String::new();
    let mut pairs: Vec<_> = object.iter().collect();
    pairs.sort();
    for (key, value) in pairs {
        let values = match value {
            Value::String(value) => vec![value.as_ref()],
            Value::Array(_) | Value::Set(_) => strings(std::slice::from_ref(value), 0)?,
            other => return error(format!("the object holds {}", kind(other))),
        };
        for value in values {
            if !text.is_empty() {
                text.push('&');
            }
            escape(string(std::slice::from_ref(key), 0)?, &mut text)?;
            text.push('=');
            escape(value, &mut text)?;
        }
    }
    Ok(Value::from(text))
}

fn unescape(text: &str) -> Result<String, BuiltinError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                    return error("the query holds an invalid `%` escape");
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
            }
            byte => bytes.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn escape(text: &str, escaped: &mut String) -> Result<(), BuiltinError> {
    for byte in text.bytes() {
        match byte {
            b' ' => escaped.push('+'),
            b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    check_text(escaped.len())
}
