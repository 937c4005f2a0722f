//! regorus' own builtins where they have no value, or a wrong one, for arguments that OPA makes an
//! error of: an undefined call would make `not` of it hold.

use regorus::Value;

use super::arguments::{at, check_text, error, integer, kind, regorus, string};
use super::numbers::{MAX_SHIFT, check_size};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "array.slice", arity: 3, run: slice },
    Builtin { name: "bits.and", arity: 2, run: |arguments| bits("bits.and", arguments) },
    Builtin { name: "bits.or", arity: 2, run: |arguments| bits("bits.or", arguments) },
    Builtin { name: "bits.xor", arity: 2, run: |arguments| bits("bits.xor", arguments) },
    Builtin { name: "bits.negate", arity: 1, run: |arguments| bits("bits.negate", arguments) },
    Builtin { name: "bits.rsh", arity: 2, run: bits_rsh },
    Builtin { name: "substring", arity: 3, run: substring },
    Builtin { name: "count", arity: 1, run: count },
    Builtin { name: "base64.decode", arity: 1, run: base64_decode },
    Builtin { name: "base64.is_valid", arity: 1, run: base64_is_valid },
    Builtin { name: "time.parse_rfc3339_ns", arity: 1, run: parse_rfc3339_ns },
];

fn slice(arguments: &[Value]) -> Result<Value, BuiltinError> {
    integer(arguments, 1)?;
    integer(arguments, 2)?;
    regorus("array.slice", arguments)
}

fn bits(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    arguments.iter().try_for_each(check_size)?;
    regorus(name, arguments)
}

/// Behind the last bit there are only bits of the sign.
fn bits_rsh(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let value = at(arguments, 0)?;
    check_size(value)?;
    let Value::Number(shift) = at(arguments, 1)? else { return regorus("bits.rsh", arguments) };
    let is_far = shift.is_integer()
        && shift.is_positive()
        && shift.as_i64().is_none_or(|shift| shift > 2 * MAX_SHIFT);
    match value {
        Value::Number(number) if is_far && number.is_integer() => {
            Ok(Value::from(if *value < Value::from(0) { -1 } else { 0 }))
        }
        _ => regorus("bits.rsh", arguments),
    }
}

fn substring(arguments: &[Value]) -> Result<Value, BuiltinError> {
    string(arguments, 0)?;
    integer(arguments, 1)?;
    integer(arguments, 2)?;
    regorus("substring", arguments)
}

/// Of a text its characters; regorus counts some of them twice.
fn count(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let count = match at(arguments, 0)? {
        Value::String(text) => text.chars().count(),
        Value::Array(array) => array.len(),
        Value::Set(set) => set.len(),
        Value::Object(object) => object.len(),
        other => {
            return error(format!(
                "argument 1 must be an array, object, set or string, not {}",
                kind(other)
            ));
        }
    };
    Ok(Value::from(u64::try_from(count).unwrap_or(u64::MAX)))
}

/// Without its line ends, which OPA skips.
fn base64_line(text: &str) -> Value {
    Value::from(text.replace(['\r', '\n'], ""))
}

fn base64_decode(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = string(arguments, 0)?;
    check_text(text.len())?;
    regorus("base64.decode", &[base64_line(text)])
}

fn base64_is_valid(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Ok(text) = string(arguments, 0) else { return Ok(Value::from(false)) };
    check_text(text.len())?;
    regorus("base64.is_valid", &[base64_line(text)])
}

/// Only the form that Go reads: `T` and `Z`, and no second 60.
fn parse_rfc3339_ns(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = string(arguments, 0)?;
    if text.as_bytes().get(10) != Some(&b'T')
        || text.contains('z')
        || text.get(17..19) == Some("60")
    {
        return error("the text is no time as RFC 3339 writes it");
    }
    regorus("time.parse_rfc3339_ns", arguments)
}
