//! Whether the file has the shape of the schema; every error of shape is found at once.

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::errors::ConfigError;
use super::place::At;
use super::planned::planned;
use super::quote::quoted;
use super::schema::{allowed_values, properties, schema, schema_of};

/// Longer names are no misspelling of ours, and the distance is quadratic.
const MAX_HINT_BYTES: usize = 64;

static SCHEMA: LazyLock<Value> = LazyLock::new(schema);
static VALIDATOR: LazyLock<Result<Validator, String>> =
    LazyLock::new(|| jsonschema::validator_for(&SCHEMA).map_err(|error| error.to_string()));

/// A finding at a field; whoever knows the places adds line and column.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) at: At,
    /// The finding is about the key and not about its value.
    pub(super) on_key: bool,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Checks the document against the schema.
pub(super) fn check(document: &Value) -> Vec<Finding> {
    let validator = match &*VALIDATOR {
        Ok(validator) => validator,
        Err(error) => return vec![Finding::new(At::root(), format!("no schema: {error}"))],
    };
    let mut findings = Vec::new();
    for error in validator.iter_errors(document) {
        let at = At::of(error.instance_path().as_str());
        explain(error.kind(), error.instance(), at, &mut findings);
    }
    findings
}

fn explain(kind: &Kind, found: &Value, at: At, findings: &mut Vec<Finding>) {
    let expected = schema_of(&SCHEMA, &at);
    match kind {
        Kind::AdditionalProperties { unexpected } => {
            findings.extend(unexpected.iter().map(|key| unknown_key(&at, key, expected)));
        }
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let mut finding = Finding::new(at.key(key), "missing");
            let description = expected.and_then(|e| properties(e)?.get(key)?.get("description"));
            finding.hint = description.and_then(Value::as_str).map(first_sentence);
            findings.push(finding);
        }
        Kind::Type { .. } => {
            let wanted = expected.map_or_else(|| "another type".to_owned(), in_words);
            let message = format!("expected {wanted}, found {}", type_of(found));
            findings.push(Finding::new(at, message));
        }
        Kind::Enum { .. } | Kind::OneOfNotValid { .. } => {
            findings.push(wrong_value(at, found, expected));
        }
        Kind::Constant { expected_value } if expected_value.is_string() => {
            findings.push(wrong_value(at, found, expected));
        }
        Kind::Constant { expected_value } => {
            let found = quoted(&plain_text(found));
            let message = format!("{found} is not supported; it must be `{expected_value}`");
            findings.push(planned_or(at, message));
        }
        Kind::Pattern { .. } => {
            let wanted = expected.map_or_else(|| "well formed".to_owned(), in_words);
            let message = format!("{} is not {wanted}", quoted(&plain_text(found)));
            findings.push(Finding::new(at, message));
        }
        Kind::MinItems { limit } => {
            findings.push(Finding::new(at, format!("needs at least {limit} entry")));
        }
        Kind::MaxItems { limit } => {
            findings.push(Finding::new(at, format!("has more than {limit} entries")));
        }
        Kind::MinLength { .. } => findings.push(Finding::new(at, "must not be empty")),
        Kind::MaxLength { limit } => {
            findings.push(Finding::new(at, format!("is longer than {limit} characters")));
        }
        Kind::Minimum { limit } => {
            findings.push(Finding::new(at, format!("must be at least {limit}")));
        }
        Kind::Maximum { limit } => {
            findings.push(Finding::new(at, format!("must be at most {limit}")));
        }
        other => {
            let message = format!("does not fit the schema ({})", other.keyword());
            findings.push(Finding::new(at, message));
        }
    }
}

fn unknown_key(parent: &At, key: &str, expected: Option<&Value>) -> Finding {
    let at = parent.key(key);
    let mut finding = planned_or(at, "unknown key".to_owned());
    finding.on_key = true;
    let keys = expected.and_then(properties).into_iter().flatten().map(|(name, _)| name.as_str());
    if finding.hint.is_none() && finding.message == "unknown key" {
        finding.hint = nearest(key, keys.clone())
            .map(|name| format!("did you mean `{name}`?"))
            .or_else(|| Some(format!("known here: {}", keys.collect::<Vec<_>>().join(", "))));
    }
    finding
}

fn wrong_value(at: At, found: &Value, expected: Option<&Value>) -> Finding {
    let Some(found) = found.as_str() else {
        let wanted = expected.map_or_else(|| "another type".to_owned(), in_words);
        return Finding::new(at, format!("expected {wanted}, found {}", type_of(found)));
    };
    let allowed = expected.and_then(allowed_values).unwrap_or_default();
    let list = allowed.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    if let Some(note) = planned(&at, Some(found)) {
        let mut finding = Finding::new(at, format!("{} is not supported yet", quoted(found)));
        finding.hint = Some(note.map_or_else(|| format!("use {list}"), str::to_owned));
        return finding;
    }
    let mut finding = Finding::new(at, format!("{} is not one of {list}", quoted(found)));
    finding.hint =
        nearest(found, allowed.into_iter()).map(|value| format!("did you mean `{value}`?"));
    finding
}

fn planned_or(at: At, message: String) -> Finding {
    match planned(&at, None) {
        Some(note) => {
            let mut finding = Finding::new(at, "not supported yet");
            finding.hint = note.map(str::to_owned);
            finding
        }
        None => Finding::new(at, message),
    }
}

impl Finding {
    pub(super) fn new(at: At, message: impl Into<String>) -> Self {
        Self { at, on_key: false, message: message.into(), hint: None }
    }
}

impl ConfigError {
    pub(super) fn of(finding: Finding, place: super::place::Place) -> Self {
        let Finding { at, message, hint, .. } = finding;
        Self { hint, ..Self::at(place, &at, message) }
    }
}

/// What a field wants: ``a duration such as `500ms` ``.
fn in_words(schema: &Value) -> String {
    if let Some(values) = allowed_values(schema) {
        return format!("one of {}", values.join(", "));
    }
    let title = schema.get("title").and_then(Value::as_str);
    let name = match (title, schema.get("type").and_then(Value::as_str)) {
        (Some("portreeve.yaml"), _) | (None, Some("object")) => "a mapping",
        (Some("address"), _) => "an address",
        (Some(title), _) => &format!("a {title}"),
        (None, Some("array")) => "a list",
        (None, Some("integer")) => "a whole number",
        (None, Some("boolean")) => "true or false",
        (None, _) => "a text",
    };
    let example = schema.get("examples").and_then(|examples| examples.get(0)?.as_str());
    example.map_or_else(|| name.to_owned(), |example| format!("{name} such as `{example}`"))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn plain_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn first_sentence(text: &str) -> String {
    let text = text.split_once(". ").map_or(text, |(first, _)| first);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

/// The name that was probably meant: a third of its letters may be wrong.
pub(super) fn nearest<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if found.len() > MAX_HINT_BYTES {
        return None;
    }
    names
        .map(|name| (distance(found, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .min()
        .map(|(_, name)| name)
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), i + 1);
        let mut before = i + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(b.bytes()) {
            let changed = diagonal + usize::from(left != right);
            diagonal = *cell;
            *cell = changed.min(before + 1).min(diagonal + 1);
            before = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}
