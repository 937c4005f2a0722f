//! `json.filter` and `json.remove`: what paths lead to, kept or left out, as OPA reads the paths.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::arguments::{at, check_elements, elements, error, kind};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "json.filter", arity: 2, run: filter },
    Builtin { name: "json.remove", arity: 2, run: remove },
];

/// The parts of one path: documents nest less deep.
pub(super) const MAX_PATH_PARTS: usize = 128;

/// The paths that begin with the same parts.
#[derive(Debug, Default)]
struct Paths {
    /// A path ends here, and all below belongs to it.
    is_end: bool,
    below: BTreeMap<Value, Self>,
}

impl Paths {
    fn read(arguments: &[Value]) -> Result<Self, BuiltinError> {
        let mut paths = Self::default();
        let written = elements(arguments, 1)?;
        check_elements(written.len())?;
        for path in written {
            let parts = parts(path)?;
            if parts.len() > MAX_PATH_PARTS {
                return error(format!("a path has more than {MAX_PATH_PARTS} parts"));
            }
            // The empty path leads nowhere, as in OPA.
            if parts.is_empty() {
                continue;
            }
            let mut at = &mut paths;
            for part in parts {
                at = at.below.entry(part).or_default();
            }
            at.is_end = true;
        }
        Ok(paths)
    }

    fn of_index(&self, index: usize) -> Option<&Self> {
        self.below.get(&Value::from(index.to_string()))
    }

    fn kept(&self, value: &Value) -> Value {
        if self.is_end {
            return value.clone();
        }
        match value {
            Value::Object(object) => {
                let entry = |(part, paths): (&Value, &Self)| {
                    Some((part.clone(), paths.kept(object.get(part)?)))
                };
                Value::from(self.below.iter().filter_map(entry).collect::<BTreeMap<_, _>>())
            }
            Value::Set(set) => {
                let kept = self.below.iter().filter(|(part, _)| set.contains(part));
                Value::from(kept.map(|(part, paths)| paths.kept(part)).collect::<BTreeSet<_>>())
            }
            Value::Array(array) => {
                let kept = array.iter().enumerate();
                let kept =
                    kept.filter_map(|(index, value)| Some(self.of_index(index)?.kept(value)));
                Value::from(kept.collect::<Vec<_>>())
            }
            other => other.clone(),
        }
    }

    /// `None` where a path ends.
    fn left(&self, value: &Value) -> Option<Value> {
        let below = |paths: Option<&Self>, value: &Value| match paths {
            Some(paths) => paths.left(value),
            None => Some(value.clone()),
        };
        if self.is_end {
            return None;
        }
        Some(match value {
            Value::Object(object) => {
                let entry = |(key, value): (&Value, &Value)| {
                    Some((key.clone(), below(self.below.get(key), value)?))
                };
                Value::from(object.iter().filter_map(entry).collect::<BTreeMap<_, _>>())
            }
            Value::Set(set) => {
                let left = set.iter().filter_map(|value| below(self.below.get(value), value));
                Value::from(left.collect::<BTreeSet<_>>())
            }
            Value::Array(array) => {
                let left = array.iter().enumerate();
                let left = left.filter_map(|(index, value)| below(self.of_index(index), value));
                Value::from(left.collect::<Vec<_>>())
            }
            other => other.clone(),
        })
    }
}

/// A text is a JSON pointer, whose first slash may be missing or doubled.
fn parts(path: &Value) -> Result<Vec<Value>, BuiltinError> {
    match path {
        Value::String(text) if text.is_empty() => Ok(Vec::new()),
        Value::String(text) => {
            let parts = text.trim_start_matches('/').split('/').take(MAX_PATH_PARTS + 1);
            Ok(parts.map(|part| Value::from(part.replace("~1", "/").replace("~0", "~"))).collect())
        }
        Value::Array(parts) => Ok(parts.iter().cloned().collect()),
        other => error(format!("a path must be a string or an array, not {}", kind(other))),
    }
}

fn document(arguments: &[Value]) -> Result<&Value, BuiltinError> {
    match at(arguments, 0)? {
        object @ Value::Object(_) => Ok(object),
        other => error(format!("argument 1 must be an object, not {}", kind(other))),
    }
}

fn filter(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let object = document(arguments)?;
    Ok(Paths::read(arguments)?.kept(object))
}

fn remove(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let object = document(arguments)?;
    Ok(Paths::read(arguments)?.left(object).unwrap_or_else(Value::new_object))
}
