//! Definitions of one rule that contradict each other.

use regorus::unstable::Rule;

use super::super::super::Findings;
use super::super::rules::{Definition, Kind};

/// OPA refuses these too; regorus takes whichever it meets first.
pub(super) fn check_kinds(definitions: &[Definition], findings: &mut Findings) {
    let mut defaults = definitions.iter().filter(|d| matches!(*d.rule, Rule::Default { .. }));
    if let Some(first) = defaults.next() {
        for other in defaults {
            let Definition { path, file, line, .. } = first;
            let message = format!("rule `{path}` has its default at {file}:{line} already");
            findings.error(&other.file, other.line, other.column, message);
        }
    }
    let mut kinds = definitions.iter().filter(|d| d.kind != Kind::Default);
    let Some(first) = kinds.next() else { return };
    for other in kinds.filter(|other| other.kind != first.kind) {
        let message = format!(
            "rule `{}` is of another kind than its definition at {}:{}",
            other.path, first.file, first.line
        );
        findings.error(&other.file, other.line, other.column, message);
    }
}
