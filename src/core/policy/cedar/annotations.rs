//! Annotations that someone wrote for one that is read: Cedar takes any name without a word.

use super::Findings;
use super::parse::ParsedFile;
use super::place::warn_at;
use super::scan::tokens;

/// The one annotation that is read: the policy's id.
const ID: &str = "id";
/// What people write for it, without underscores and in lower case.
const NEAR_MISSES: [&str; 5] = ["id", "ids", "di", "policyid", "ruleid"];

/// Warns about names close to `@id`, where the policy has none.
pub(super) fn check(file: &ParsedFile<'_>, findings: &mut Findings) {
    for statement in file.statements.values() {
        let body = file.source.text.get(statement.start..statement.end).unwrap_or_default();
        let names = names(body);
        if names.iter().any(|(_, name)| *name == ID) {
            continue;
        }
        for (offset, name) in names {
            let plain = name.replace('_', "").to_ascii_lowercase();
            if NEAR_MISSES.contains(&plain.as_str()) {
                let message = format!("the annotation `@{name}` is not read");
                let hint = "a policy's id is given by `@id(\"…\")`, in lower case";
                warn_at(findings, file.source, statement.start + offset, message, hint);
            }
        }
    }
}

/// The names behind `@`, in front of the effect.
fn names(statement: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut at = None;
    for (offset, token) in tokens(statement) {
        match (token, at.take()) {
            ("@", _) => at = Some(offset),
            (name, Some(offset)) => names.push((offset, name)),
            ("permit" | "forbid", None) => break,
            _ => {}
        }
    }
    names
}
