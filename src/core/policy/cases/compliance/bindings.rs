//! Results in the form in which OPA compares them.

use std::collections::BTreeSet;

use regorus::Value;
use regorus::value::Object;

/// A set of bindings, each in its JSON form; `sorts` says that the order of an array that a variable
/// is bound to means nothing.
pub(super) fn set_of(bindings: &[Value], sorts: bool) -> BTreeSet<Value> {
    bindings.iter().map(|binding| comparable(json_form(binding), sorts)).collect()
}

fn comparable(binding: Value, sorts: bool) -> Value {
    let Value::Object(variables) = &binding else { return binding };
    let sorted = variables.iter().map(|(name, value)| {
        let items = value.as_array().ok().filter(|_| sorts);
        let value =
            items.map_or_else(|| value.clone(), |items| in_order(items.iter().cloned().collect()));
        (name.clone(), value)
    });
    Object::from_iter(sorted).into_value()
}

fn in_order(mut items: Vec<Value>) -> Value {
    items.sort();
    Value::from(items)
}

/// Sets become arrays, in their order, and keys that are no strings the text of their JSON.
fn json_form(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::from(items.iter().map(json_form).collect::<Vec<_>>()),
        Value::Set(items) => Value::from(items.iter().map(json_form).collect::<Vec<_>>()),
        Value::Object(object) => {
            Object::from_iter(object.iter().map(|(key, value)| (json_key(key), json_form(value))))
                .into_value()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Undefined => {
            value.clone()
        }
    }
}

fn json_key(key: &Value) -> Value {
    if matches!(key, Value::String(_)) {
        return key.clone();
    }
    Value::from(json_form(key).to_string())
}
