//! The short list of environment variables that replace a field of the file.

use serde_json::{Map, Value};

use super::place::At;

/// Every variable that replaces a field, with the field's JSON pointer.
pub(super) const VARIABLES: &[(&str, &str)] = &[
    ("PORTREEVE_STATE_DIR", "/state_dir"),
    ("PORTREEVE_IDENTITY_SOCKET", "/identity/socket"),
    ("PORTREEVE_POLICY_REF", "/policy/ref"),
    ("PORTREEVE_HEALTH_ADDRESS", "/health/address"),
    ("PORTREEVE_ADMIN_SOCKET", "/admin/socket"),
    ("PORTREEVE_LIMITS_DRAIN_TIMEOUT", "/limits/drain_timeout"),
    ("PORTREEVE_TELEMETRY_LEVEL", "/telemetry/level"),
];

/// Read by commands; they replace no field.
const OTHER_VARIABLES: &[&str] = &["PORTREEVE_ADMIN", "PORTREEVE_CONFIG"];

/// A field that the environment replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    pub variable: &'static str,
    /// Such as `telemetry.level`.
    pub field: String,
    pub value: String,
    pub(super) pointer: &'static str,
}

/// Puts the variables that are set into the document; an empty one counts as not set.
pub(super) fn apply(document: &mut Value, env: &dyn Fn(&str) -> Option<String>) -> Vec<Override> {
    let mut overrides = Vec::new();
    for (variable, pointer) in VARIABLES {
        let Some(value) = env(variable).filter(|value| !value.is_empty()) else { continue };
        if put(document, &At::of(pointer), &value) {
            let field = At::of(pointer).to_string();
            overrides.push(Override { variable, field, value, pointer });
        }
    }
    overrides
}

/// Sets a text, making the mapping around it if need be. A document of another shape is left alone:
/// it is refused later.
fn put(document: &mut Value, at: &At, text: &str) -> bool {
    let mut parts: Vec<String> = at.parts().collect();
    let Some(last) = parts.pop() else { return false };
    let mut target = document;
    for part in parts {
        let Value::Object(members) = target else { return false };
        target = members.entry(part).or_insert_with(|| Value::Object(Map::new()));
    }
    let Value::Object(members) = target else { return false };
    members.insert(last, Value::String(text.to_owned()));
    true
}

/// Of the names of all variables, those that look like ours and mean nothing.
pub fn unknown_variables<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let is_known = |name: &str| {
        OTHER_VARIABLES.contains(&name) || VARIABLES.iter().any(|(known, _)| *known == name)
    };
    let mut unknown: Vec<&str> = names
        .into_iter()
        .filter(|name| name.starts_with("PORTREEVE_") && !is_known(name))
        .collect();
    unknown.sort_unstable();
    unknown
}
