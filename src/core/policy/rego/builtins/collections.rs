//! Arrays, objects and graphs.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::arguments::{
    MAX_STEPS, at, check_elements, check_steps, elements, error, kind, regorus,
};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "array.flatten", arity: 1, run: flatten },
    Builtin { name: "object.subset", arity: 2, run: subset },
    Builtin { name: "object.union_n", arity: 1, run: union_n },
    Builtin { name: "graph.reachable_paths", arity: 2, run: reachable_paths },
    Builtin { name: "json.patch", arity: 2, run: json_patch },
];

/// A path through a graph is recursion of ours.
pub(super) const MAX_PATH_LENGTH: usize = 128;
/// Each copy may double the document.
pub(super) const MAX_PATCH_COPIES: usize = 8;
/// Operations of one patch.
pub(super) const MAX_PATCH_OPERATIONS: usize = 1_000;

/// Arrays and sets within the array, one level.
fn flatten(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::Array(array) = at(arguments, 0)? else {
        return error(format!("argument 1 must be an array, not {}", kind(at(arguments, 0)?)));
    };
    let mut flat = Vec::new();
    for value in array.iter() {
        match value {
            Value::Array(inner) => flat.extend(inner.iter().cloned()),
            other => flat.push(other.clone()),
        }
    }
    Ok(Value::from(flat))
}

fn subset(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (whole, part) = (at(arguments, 0)?, at(arguments, 1)?);
    if is_comparable(whole, part) {
        return Ok(Value::from(is_subset(whole, part)?));
    }
    error(format!("{} and {} cannot be compared", kind(whole), kind(part)))
}

const fn is_comparable(whole: &Value, part: &Value) -> bool {
    matches!(
        (whole, part),
        (Value::Array(_), Value::Array(_) | Value::Set(_))
            | (Value::Object(_), Value::Object(_))
            | (Value::Set(_), Value::Set(_))
    )
}

/// Values nest no deeper than the parsers let them.
fn is_subset(whole: &Value, part: &Value) -> Result<bool, BuiltinError> {
    match (whole, part) {
        (Value::Array(whole), Value::Array(part)) => {
            check_steps(whole.len(), part.len())?;
            let part = part.as_slice();
            let mut windows = whole.as_slice().windows(part.len().max(1));
            Ok(part.is_empty() || windows.any(|window| window == part))
        }
        (Value::Array(whole), Value::Set(part)) => {
            let whole: BTreeSet<&Value> = whole.iter().collect();
            Ok(part.iter().all(|value| whole.contains(value)))
        }
        (Value::Set(whole), Value::Set(part)) => Ok(part.iter().all(|value| whole.contains(value))),
        (Value::Object(whole), Value::Object(part)) => {
            for (key, part) in part.iter() {
                let Some(whole) = whole.get(key) else { return Ok(false) };
                if !is_subset(whole, part)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(whole == part),
    }
}

/// In one pass: regorus copies what it has for every object.
fn union_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::Array(objects) = at(arguments, 0)? else {
        return error(format!("argument 1 must be an array, not {}", kind(at(arguments, 0)?)));
    };
    let mut union = BTreeMap::new();
    for value in objects.iter() {
        let Value::Object(object) = value else {
            return error(format!("the array holds {}", kind(value)));
        };
        for (key, value) in object.iter() {
            let merged = match union.remove(key) {
                Some(earlier @ Value::Object(_)) if matches!(value, Value::Object(_)) => {
                    regorus("object.union", &[earlier, value.clone()])?
                }
                _ => value.clone(),
            };
            union.insert(key.clone(), merged);
        }
    }
    Ok(Value::from(union))
}

/// How many paths there are grows with the power of the graph's size.
fn reachable_paths(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let graph = at(arguments, 0)?;
    if !matches!(graph, Value::Object(_)) {
        return error(format!("argument 1 must be an object, not {}", kind(graph)));
    }
    let mut search = Search { graph, path: Vec::new(), found: BTreeSet::new(), steps: 0 };
    for start in elements(arguments, 1)? {
        if search.has(start) {
            search.visit(start)?;
        }
    }
    Ok(Value::from(search.found))
}

struct Search<'a> {
    graph: &'a Value,
    path: Vec<Value>,
    found: BTreeSet<Value>,
    steps: usize,
}

impl<'a> Search<'a> {
    fn next(&self, node: &Value) -> Option<&'a Value> {
        let Value::Object(graph) = self.graph else { return None };
        graph.get(node)
    }

    fn has(&self, node: &Value) -> bool {
        self.next(node).is_some()
    }

    /// A path ends at a node without neighbours, before one that the graph lacks, and where it leads
    /// back to a node that it came from.
    fn visit(&mut self, node: &Value) -> Result<(), BuiltinError> {
        let next = match self.next(node) {
            Some(Value::Array(array)) => array.iter().collect(),
            Some(Value::Set(set)) => set.iter().collect(),
            Some(_) => Vec::new(),
            None => return self.found(),
        };
        self.path.push(node.clone());
        if self.path.len() > MAX_PATH_LENGTH {
            return error(format!("a path is longer than {MAX_PATH_LENGTH} nodes"));
        }
        if next.is_empty() {
            self.found()?;
        }
        for neighbour in next {
            self.steps += self.path.len();
            if self.steps > MAX_STEPS {
                return error(format!("the search takes more than {MAX_STEPS} steps"));
            }
            // An edge from a start to itself is followed once, as in OPA.
            if self.path.len() > 1 && self.path.contains(neighbour) {
                self.found()?;
            } else {
                self.visit(neighbour)?;
            }
        }
        self.path.pop();
        Ok(())
    }

    fn found(&mut self) -> Result<(), BuiltinError> {
        self.found.insert(Value::from(self.path.clone()));
        check_elements(self.found.len())
    }
}

fn json_patch(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let operations = elements(arguments, 1)?;
    let is_copy = |operation: &&&Value| {
        let Value::Object(operation) = operation else { return false };
        operation.get(&Value::from("op")) == Some(&Value::from("copy"))
    };
    if operations.len() > MAX_PATCH_OPERATIONS
        || operations.iter().filter(is_copy).count() > MAX_PATCH_COPIES
    {
        return error(format!(
            "the patch has more than {MAX_PATCH_OPERATIONS} operations or {MAX_PATCH_COPIES} copies"
        ));
    }
    regorus("json.patch", arguments)
}
