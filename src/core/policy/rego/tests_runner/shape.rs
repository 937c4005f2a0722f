//! A value of a test, known in whole or in part, held against the published input document.
//!
//! What is missing is fine, for tests are about what matters; what the document cannot have is not: a
//! rule that reads the right name would see nothing, and a denial would pass for the wrong reason.

use serde_json::Value;

use super::super::types::{Type, field};

/// The problems of one value; beyond them the first ones are enough.
const MAX_PROBLEMS: usize = 16;

/// Where in a file a value is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) column: u32,
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Null,
    String,
    Number,
    Boolean,
    List(Vec<Placed>),
    Object(Vec<(String, Place, Placed)>),
    Set,
    Unknown,
}

#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) place: Place,
    pub(super) shape: Shape,
}

/// Something that the document cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Adds what is wrong with a value that stands at `path` of the document.
pub(super) fn check(at: &'static Type, value: &Placed, path: &str, problems: &mut Vec<Problem>) {
    if problems.len() >= MAX_PROBLEMS {
        return;
    }
    match (&value.shape, at) {
        (Shape::Null | Shape::Unknown, _)
        | (_, Type::Any)
        | (Shape::String, Type::String)
        | (Shape::Number, Type::Number)
        | (Shape::Boolean, Type::Boolean) => {}
        (Shape::List(items), Type::List(item)) => {
            for (index, value) in items.iter().enumerate() {
                check(item, value, &format!("{path}[{index}]"), problems);
            }
        }
        (
            Shape::Object(members),
            Type::Map(_) | Type::Headers(_) | Type::Object(_) | Type::Open(_),
        ) => {
            for (name, place, value) in members {
                match field(at, name) {
                    Ok(Some(next)) => check(next, value, &format!("{path}.{name}"), problems),
                    Ok(None) => {}
                    Err(problem) => problems.push(Problem {
                        place: place.clone(),
                        message: problem.message(&format!("`{path}`")),
                        hint: problem.hint(),
                    }),
                }
            }
        }
        (shape, _) => problems.push(Problem {
            place: value.place.clone(),
            message: format!("`{path}` is {} in every request, not {}", wanted(at), told(shape)),
            hint: is_listed(shape, at).then(|| "write it in brackets: `[…]`".to_owned()),
        }),
    }
}

/// The type behind a path of names, or the problem of the first name that does not exist.
pub(super) fn at_path(
    start: &'static Type,
    names: &[String],
    place: &Place,
) -> Result<Option<&'static Type>, Problem> {
    let mut at = start;
    let mut path = "input".to_owned();
    for name in names {
        match field(at, name) {
            Ok(Some(next)) => at = next,
            Ok(None) => return Ok(None),
            Err(problem) => {
                let message = problem.message(&format!("`{path}`"));
                return Err(Problem { place: place.clone(), message, hint: problem.hint() });
            }
        }
        path = format!("{path}.{name}");
    }
    Ok(Some(at))
}

/// A value that was computed, all of it at the place of what computes it.
pub(super) fn of_value(value: &Value, place: &Place) -> Placed {
    let shape = match value {
        Value::Null => Shape::Null,
        Value::Bool(_) => Shape::Boolean,
        Value::Number(_) => Shape::Number,
        Value::String(_) => Shape::String,
        Value::Array(items) => Shape::List(items.iter().map(|v| of_value(v, place)).collect()),
        Value::Object(members) => {
            let member =
                |(name, v): (&String, &Value)| (name.clone(), place.clone(), of_value(v, place));
            Shape::Object(members.iter().map(member).collect())
        }
    };
    Placed { place: place.clone(), shape }
}

fn is_listed(shape: &Shape, at: &Type) -> bool {
    let is = |item: &Type| {
        matches!(
            (shape, item),
            (Shape::String, Type::String)
                | (Shape::Number, Type::Number)
                | (Shape::Boolean, Type::Boolean)
        )
    };
    matches!(at, Type::List(item) if is(item))
}

const fn wanted(at: &Type) -> &'static str {
    match at {
        Type::Any => "anything",
        Type::String => "a string",
        Type::Number => "a number",
        Type::Boolean => "a boolean",
        Type::List(Type::String) => "a list of strings",
        Type::List(_) => "a list",
        Type::Map(_) | Type::Headers(_) | Type::Object(_) | Type::Open(_) => "an object",
    }
}

const fn told(shape: &Shape) -> &'static str {
    match shape {
        Shape::Null => "null",
        Shape::String => "a string",
        Shape::Number => "a number",
        Shape::Boolean => "a boolean",
        Shape::List(_) => "a list",
        Shape::Object(_) => "an object",
        Shape::Set => "a set",
        Shape::Unknown => "something computed",
    }
}
