//! How case results are printed: for people, closed by the line that every runner closes with, or
//! as one JSON document.

use std::borrow::Cow;
use std::io::{self, Write};

use portreeve_core::policy::PolicyRef;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Summary};
use serde_json::{Value, json};

use crate::commands::{Exit, Format};

/// Prints all results and says how the run ended.
pub(crate) fn print(
    out: &mut impl Write,
    suite: &str,
    results: &[CaseResult],
    format: Format,
) -> io::Result<Exit> {
    let summary = Summary::of(results);
    match format {
        Format::Pretty => print_pretty(out, results, summary)?,
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &to_json(suite, results, summary))?;
            writeln!(out)?;
        }
    }
    Ok(exit_of(summary))
}

/// How a run ends: no case at all is not a good end.
pub(super) fn exit_of(summary: Summary) -> Exit {
    let is_good = summary.failed == 0 && summary.total() > 0;
    if is_good { Exit::Good } else { Exit::No }
}

fn print_pretty(out: &mut impl Write, results: &[CaseResult], summary: Summary) -> io::Result<()> {
    for result in results {
        let place = place(&result.file, result.line);
        let name = printable(&result.name);
        match &result.outcome {
            CaseOutcome::Passed => {}
            CaseOutcome::Failed { expected, actual, detail } => {
                writeln!(out, "FAILED {place} {name}")?;
                writeln!(out, "  expected: {}", printable(expected))?;
                writeln!(out, "  actual:   {}", printable(actual))?;
                if let Some(detail) = detail {
                    writeln!(out, "  because:  {}", printable(detail))?;
                }
            }
            CaseOutcome::Errored { message } => {
                writeln!(out, "ERROR {place} {name}")?;
                for line in message.lines() {
                    writeln!(out, "  {}", printable(line))?;
                }
            }
            CaseOutcome::Skipped { reason } => {
                writeln!(out, "skipped {place} {name}: {}", printable(reason))?;
            }
        }
    }
    if summary.total() == 0 {
        writeln!(out, "no test was found")?;
    }
    writeln!(out, "{summary}")
}

/// The JSON output.
pub(super) fn to_json(suite: &str, results: &[CaseResult], summary: Summary) -> Value {
    json!({
        "suite": suite,
        "passed": summary.passed,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "cases": results.iter().map(case_to_json).collect::<Vec<_>>(),
    })
}

fn case_to_json(result: &CaseResult) -> Value {
    let mut case = json!({
        "file": result.file,
        "line": result.line,
        "name": result.name,
        "outcome": result.outcome.as_str(),
        "policies": result.policies.iter().map(policy_to_json).collect::<Vec<_>>(),
    });
    let more = match &result.outcome {
        CaseOutcome::Passed => json!({}),
        CaseOutcome::Failed { expected, actual, detail } => {
            json!({ "expected": expected, "actual": actual, "detail": detail })
        }
        CaseOutcome::Errored { message } => json!({ "message": message }),
        CaseOutcome::Skipped { reason } => json!({ "reason": reason }),
    };
    if let (Value::Object(case), Value::Object(more)) = (&mut case, more) {
        case.extend(more);
    }
    case
}

pub(super) fn policy_to_json(policy: &PolicyRef) -> Value {
    json!({ "id": &*policy.id, "file": &*policy.file, "line": policy.line })
}

/// `file:line`, or the file where the whole of it is meant.
pub(super) fn place(file: &str, line: u32) -> String {
    let file = printable(file);
    if line == 0 { file.into_owned() } else { format!("{file}:{line}") }
}

/// Foreign text as it may stand on a terminal: controls and what turns the direction of text round
/// are escaped.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| {
        c == '\t'
            || !(c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
    };
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_plain(c) {
            escaped.push(c);
        } else {
            escaped.extend(c.escape_unicode());
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results() -> Vec<CaseResult> {
        let failed = CaseOutcome::Failed {
            expected: "allow".into(),
            actual: "deny (not_allowed)".into(),
            detail: None,
        };
        let skipped = CaseOutcome::Skipped { reason: "known".into() };
        vec![
            CaseResult::new("a_test.yaml", 2, "a", CaseOutcome::Passed),
            CaseResult::new("a_test.yaml", 5, "b\u{1b}[2J", failed),
            CaseResult::new("b_test.yaml", 0, "b_test.yaml", CaseOutcome::errored("no\nYAML")),
            CaseResult::new("c_test.yaml", 1, "c", skipped),
        ]
    }

    #[track_caller]
    fn check(results: &[CaseResult], format: Format, exit: Exit) -> String {
        let mut out = Vec::new();
        assert_eq!(print(&mut out, "policy", results, format).unwrap(), exit);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn failures_are_told_and_the_closing_line_stands_alone() {
        let expected = "FAILED a_test.yaml:5 b\\u{1b}[2J\n  expected: allow\n  actual:   \
                        deny (not_allowed)\nERROR b_test.yaml b_test.yaml\n  no\n  YAML\n\
                        skipped c_test.yaml:1 c: known\n1 passed, 2 failed, 1 skipped\n";
        assert_eq!(check(&results(), Format::Pretty, Exit::No), expected);
        assert_eq!(
            check(&results()[..1], Format::Pretty, Exit::Good),
            "1 passed, 0 failed, 0 skipped\n"
        );
    }

    #[test]
    fn no_test_at_all_is_a_no_and_says_so() {
        let text = check(&[], Format::Pretty, Exit::No);
        assert_eq!(text, "no test was found\n0 passed, 0 failed, 0 skipped\n");
    }

    #[test]
    fn json_is_one_document_with_every_case() {
        let text = check(&results(), Format::Json, Exit::No);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["failed"], 2);
        assert_eq!(document["cases"][1]["actual"], "deny (not_allowed)");
        assert_eq!(document["cases"][3]["reason"], "known");
        assert_eq!(document["cases"].as_array().unwrap().len(), 4);
    }
}
