//! Entity literals that can never match: a forbid on a mistyped ID forbids nothing.

use std::collections::BTreeSet;

use cedar_policy::{EntityUid, PolicyId};

use super::Findings;
use super::ids::check_id;
use super::links::Linked;
use super::parse::ParsedFile;
use super::place::error_at;
use super::words::Words;

/// Checks every literal of every policy and template.
pub(super) fn check(files: &[ParsedFile<'_>], words: &Words, findings: &mut Findings) {
    for file in files {
        for (id, statement) in &file.statements {
            let text = file.source.text;
            let body = text.get(statement.start..statement.end).unwrap_or_default();
            for uid in literals_of(file, id) {
                if let Err(message) = check_id(words, &uid) {
                    // Where it is written otherwise than Cedar would, the policy's start must do.
                    let offset = statement.start + body.find(&uid.to_string()).unwrap_or_default();
                    error_at(findings, file.source.file, text, offset, message);
                }
            }
        }
    }
}

/// All literals of the policies and templates that are asked for, with what links put into them.
pub(super) fn of(
    files: &[ParsedFile<'_>],
    links: &[Linked],
    is_asked: impl Fn(&PolicyId) -> bool,
) -> BTreeSet<EntityUid> {
    let mut all = BTreeSet::new();
    for file in files {
        for id in file.statements.keys().filter(|id| is_asked(id)) {
            all.extend(literals_of(file, id));
        }
    }
    let linked = links.iter().filter(|linked| is_asked(&linked.template));
    all.extend(linked.flat_map(|linked| linked.values.values().cloned()));
    all
}

fn literals_of(file: &ParsedFile<'_>, id: &PolicyId) -> Vec<EntityUid> {
    if let Some(policy) = file.set.policy(id) {
        return distinct(policy.entity_literals());
    }
    // A template has no list of its literals: its JSON form does.
    let json = file.set.template(id).and_then(|template| template.to_json().ok());
    let mut found = Vec::new();
    if let Some(json) = json {
        collect(&json, &mut found);
    }
    distinct(found)
}

/// Every `{"type", "id"}` of a template's JSON form.
fn collect(json: &serde_json::Value, found: &mut Vec<EntityUid>) {
    match json {
        serde_json::Value::Object(object) => {
            let is_reference = object.len() == 2 && object.contains_key("id");
            match EntityUid::from_json(json.clone()) {
                Ok(uid) if is_reference => found.push(uid),
                Ok(_) | Err(_) => object.values().for_each(|value| collect(value, found)),
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

fn distinct(mut uids: Vec<EntityUid>) -> Vec<EntityUid> {
    uids.sort();
    uids.dedup();
    uids
}
