//! What no test reaches, one sentence a place.

use std::collections::BTreeMap;

use portreeve_core::policy::{Count, Coverage, PolicyCoverage, Seen};

/// One file of policy.
#[derive(Debug, Default)]
pub(super) struct FileGaps {
    pub(super) count: Count,
    pub(super) gaps: Vec<Gap>,
}

/// Lines that are one gap, and what is wrong with them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) text: String,
}

/// Every file that holds policy, by path, and the gaps in it from top to bottom.
pub(super) fn of(coverage: &Coverage) -> BTreeMap<&str, FileGaps> {
    let mut files: BTreeMap<&str, FileGaps> = BTreeMap::new();
    for lines in &coverage.rego {
        let file = files.entry(&lines.file).or_default();
        file.count = [file.count, lines.count()].into_iter().sum();
        file.gaps.extend(lines.gaps().into_iter().map(|(first, last)| Gap {
            first,
            last,
            text: match first == last {
                true => "not reached".to_owned(),
                false => format!("to line {last}: not reached"),
            },
        }));
    }
    for policy in &coverage.cedar {
        let file = files.entry(&policy.file).or_default();
        file.count = [file.count, policy.count()].into_iter().sum();
        of_policy(policy, &mut file.gaps);
    }
    for file in files.values_mut() {
        file.gaps.sort_by_key(|gap| gap.first);
    }
    files
}

fn of_policy(policy: &PolicyCoverage, gaps: &mut Vec<Gap>) {
    let mut add = |line: u32, text: String| gaps.push(Gap { first: line, last: line, text });
    if !policy.was_in_scope {
        // What stands inside of it was never evaluated either: one sentence says it all.
        return add(policy.line, format!("policy `{}`: never in scope", policy.id));
    }
    if !policy.was_satisfied {
        add(policy.line, format!("policy `{}`: never satisfied", policy.id));
    }
    for clause in &policy.clauses {
        let word = clause.clause.as_str();
        if clause.operands.is_empty() {
            if let Some(missing) = missing(clause.seen) {
                add(clause.line, format!("`{word}` of `{}`: {missing}", policy.id));
            }
        } else if clause.seen.is_nothing() {
            add(clause.line, format!("`{word}` of `{}`: never evaluated", policy.id));
        } else {
            for operand in &clause.operands {
                if let Some(missing) = missing(operand.seen) {
                    add(operand.line, format!("`{}`: {missing}", operand.text));
                }
            }
        }
    }
}

/// What an expression never was; an error is nobody's aim.
fn missing(seen: Seen) -> Option<&'static str> {
    match (seen.r#true, seen.r#false, seen.error) {
        (true, true, _) => None,
        (true, false, _) => Some("never false"),
        (false, true, _) => Some("never true"),
        (false, false, true) => Some("always an error"),
        (false, false, false) => Some("never evaluated"),
    }
}
