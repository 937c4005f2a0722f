//! Arguments as the builtins read them, and regorus' own builtins to call once they are checked.

use std::cell::Cell;
use std::sync::LazyLock;

use regorus::Value;
use regorus::unstable::{BUILTINS, Expr, Ref, Source, Span};

use super::super::message;
use super::BuiltinError;

/// The longest text that a builtin makes, or that one whose cost multiplies its arguments reads: a
/// request's head and what a policy says about it are far below.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// Elements of what a builtin makes; building that many takes well under a millisecond.
pub(super) const MAX_ELEMENTS: usize = 10_000;
/// Steps of a builtin that compares each of one with each of another: about 10 ms.
pub(super) const MAX_STEPS: usize = 1 << 22;
/// How many times that room a decision has that runs where it can be given up.
const WIDE: usize = 64;
/// The arguments that regorus' builtins take at most.
const MOST_ARGUMENTS: usize = 4;

thread_local! {
    static ROOM: Cell<usize> = const { Cell::new(1) };
}

/// Says for this thread whether what follows may be given up, and so has room.
pub(in super::super) fn set_wide(is_wide: bool) {
    ROOM.set(if is_wide { WIDE } else { 1 });
}

pub(super) fn error<T>(message: impl Into<String>) -> Result<T, BuiltinError> {
    Err(BuiltinError(message.into()))
}

/// What stands at one place of the arguments.
pub(super) fn at(arguments: &[Value], index: usize) -> Result<&Value, BuiltinError> {
    arguments.get(index).ok_or_else(|| BuiltinError(format!("argument {} is missing", index + 1)))
}

pub(super) fn string(arguments: &[Value], index: usize) -> Result<&str, BuiltinError> {
    match at(arguments, index)? {
        Value::String(text) => Ok(text),
        other => error(format!("argument {} must be a string, not {}", index + 1, kind(other))),
    }
}

pub(super) fn integer(arguments: &[Value], index: usize) -> Result<i64, BuiltinError> {
    let value = at(arguments, index)?;
    match value {
        Value::Number(number) if number.is_integer() => number
            .as_i64()
            .ok_or_else(|| BuiltinError(format!("argument {} is too large a number", index + 1))),
        other => error(format!("argument {} must be an integer, not {}", index + 1, kind(other))),
    }
}

/// The strings of an array or set.
pub(super) fn strings(arguments: &[Value], index: usize) -> Result<Vec<&str>, BuiltinError> {
    elements(arguments, index)?
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Ok(text.as_ref()),
            other => {
                error(format!("argument {} must hold strings only, not {}", index + 1, kind(other)))
            }
        })
        .collect()
}

/// What an array or set holds.
pub(super) fn elements(arguments: &[Value], index: usize) -> Result<Vec<&Value>, BuiltinError> {
    match at(arguments, index)? {
        Value::Array(array) => Ok(array.iter().collect()),
        Value::Set(set) => Ok(set.iter().collect()),
        other => {
            error(format!("argument {} must be an array or set, not {}", index + 1, kind(other)))
        }
    }
}

/// What Rego calls the type of a value.
pub(in super::super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Set(_) => "a set",
        Value::Object(_) => "an object",
        Value::Undefined => "undefined",
    }
}

/// Refuses a text that is longer than a builtin makes.
pub(super) fn check_text(bytes: usize) -> Result<(), BuiltinError> {
    let most = MAX_TEXT_BYTES * ROOM.get();
    if bytes > most {
        return error(format!("the text is longer than {most} bytes"));
    }
    Ok(())
}

/// Refuses more elements than a builtin makes.
pub(super) fn check_elements(elements: usize) -> Result<(), BuiltinError> {
    let most = MAX_ELEMENTS * ROOM.get();
    if elements > most {
        return error(format!("there are more than {most} elements"));
    }
    Ok(())
}

/// Refuses to compare too many with too many.
pub(super) fn check_steps(left: usize, right: usize) -> Result<(), BuiltinError> {
    let most = MAX_STEPS * ROOM.get();
    if left.saturating_mul(right) > most {
        return error(format!("the arguments take more than {most} steps"));
    }
    Ok(())
}

/// Calls regorus' builtin of this name, errors strict; that it has no value is one of them.
pub(super) fn regorus(name: &str, arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (Some((run, _)), Some((span, expressions))) = (BUILTINS.get(name), PLACE.as_ref()) else {
        return error("regorus has no such builtin");
    };
    let expressions = expressions.get(..arguments.len()).unwrap_or_default();
    match run(span, expressions, arguments, true) {
        Ok(Value::Undefined) => error("it has no value for these arguments"),
        Ok(value) => Ok(value),
        Err(error) => Err(BuiltinError(message::parse(&error.to_string()).text)),
    }
}

/// regorus' builtins say where a call stands; the interpreter says that of ours.
static PLACE: LazyLock<Option<(Span, Vec<Ref<Expr>>)>> = LazyLock::new(|| {
    let source = Source::from_contents(String::new(), "_".to_owned()).ok()?;
    let span = Span { source, line: 1, col: 1, start: 0, end: 1 };
    let null = Expr::Null { span: span.clone(), value: Value::Null, eidx: 0 };
    Some((span, vec![Ref::new(null); MOST_ARGUMENTS]))
});
