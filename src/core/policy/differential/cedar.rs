//! What Cedar policies mention, read from their JSON form: the words of our schema only.

use cedar_policy::PolicySet;
use serde_json::Value;

use super::recipe::{Place, Recipe, Recipes, Step, Test};

/// Each policy is a definition of its own; all of them are asked.
pub(super) fn recipes(set: &PolicySet) -> Recipes {
    let mut group = Vec::new();
    for policy in set.policies() {
        let mut recipe = Recipe::default();
        // A policy that has no JSON form is mentioned by none.
        policy.to_json().into_iter().for_each(|json| collect(&json, &mut recipe));
        group.push(recipe);
    }
    Recipes { groups: vec![group], entry: vec![0], places: std::collections::BTreeSet::new() }
}

fn collect(json: &Value, recipe: &mut Recipe) {
    match json {
        Value::Object(fields) => {
            if let (Some(Value::String(kind)), Some(Value::String(id))) =
                (fields.get("type"), fields.get("id"))
            {
                mention_entity(kind, id, recipe);
            }
            if let Some(("==", Value::Object(sides))) =
                fields.iter().next().map(|(name, value)| (name.as_str(), value))
            {
                mention_equal(sides, recipe);
            }
            if let Some(Value::Object(like)) = fields.get("like") {
                mention_like(like, recipe);
            }
            if let Some(Value::Object(tag)) = fields.get("hasTag")
                && let Some(name) = tag.get("right").and_then(|right| right.get("Value")?.as_str())
            {
                mention(
                    &["request", "headers", name],
                    Test::Is(serde_json::json!(["acme"])),
                    recipe,
                );
            }
            fields.values().for_each(|value| collect(value, recipe));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, recipe)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn mention_entity(kind: &str, id: &str, recipe: &mut Recipe) {
    let place: &[&str] = match kind {
        "Workload" => &["source", "spiffe_id"],
        "Action" => &["request", "method"],
        "Route" => &["request", "route"],
        "Service" => &["destination", "service"],
        _ => return,
    };
    // A group of actions is no method.
    let method = if id == "http:read" { "GET" } else { id };
    mention(place, Test::Is(method.into()), recipe);
}

fn mention_equal(sides: &serde_json::Map<String, Value>, recipe: &mut Recipe) {
    let (Some(left), Some(right)) = (sides.get("left"), sides.get("right")) else { return };
    for (one, other) in [(left, right), (right, left)] {
        if let (Some(attribute), Some(constant)) = (context_attribute(one), other.get("Value")) {
            mention(&["request", attribute], Test::Is(constant.clone()), recipe);
        }
    }
}

/// A pattern is a list of texts and wildcards.
fn mention_like(like: &serde_json::Map<String, Value>, recipe: &mut Recipe) {
    let Some(attribute) = like.get("left").and_then(context_attribute) else { return };
    let parts = like.get("pattern").and_then(Value::as_array).into_iter().flatten();
    let text = parts.map(|part| {
        part.get("Literal").and_then(Value::as_str).map_or_else(|| "a".to_owned(), str::to_owned)
    });
    mention(&["request", attribute], Test::Is(text.collect::<String>().into()), recipe);
}

/// `context.path` is `path`.
fn context_attribute(expr: &Value) -> Option<&str> {
    let access = expr.get(".")?;
    (access.get("left")?.get("Var")? == "context").then(|| access.get("attr")?.as_str())?
}

fn mention(place: &[&str], test: Test, recipe: &mut Recipe) {
    let steps = place.iter().map(|key| Step::Key((*key).to_owned())).collect();
    recipe.mention(&Place::input(steps), &[test]);
}
