//! What every builtin of this family does with its arguments.

use regorus::Value;

use super::super::BuiltinError;

/// Of a certificate, a key set, a request or a list of them: the largest published key sets and
/// chains are below a quarter of it, and reading this much takes well under a millisecond.
pub(in super::super) const MAX_TEXT_BYTES: usize = 128 << 10;

/// The error of a call.
pub(in super::super) fn invalid(text: impl Into<String>) -> BuiltinError {
    BuiltinError(text.into())
}

/// An argument that is a text, at most `max` bytes long.
pub(in super::super) fn text_up_to(
    arguments: &[Value],
    index: usize,
    max: usize,
) -> Result<&str, BuiltinError> {
    let Some(Value::String(text)) = arguments.get(index) else {
        return Err(invalid(format!("operand {} must be a string", index.saturating_add(1))));
    };
    if text.len() > max {
        let (operand, length) = (index.saturating_add(1), text.len());
        return Err(invalid(format!(
            "operand {operand} has {length} bytes, and at most {max} are read"
        )));
    }
    Ok(text)
}

/// An argument that holds certificates, keys or a token.
pub(in super::super) fn text(arguments: &[Value], index: usize) -> Result<&str, BuiltinError> {
    text_up_to(arguments, index, MAX_TEXT_BYTES)
}

/// A value that is a text.
pub(in super::super) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// An object of these members.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::from(
        members
            .into_iter()
            .map(|(name, value)| (Value::from(name), value))
            .collect::<std::collections::BTreeMap<_, _>>(),
    )
}

/// A list as Go writes a slice: null where it is empty.
pub(super) fn slice(values: Vec<Value>) -> Value {
    if values.is_empty() { Value::Null } else { Value::from(values) }
}
