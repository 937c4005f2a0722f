//! How case results are printed: for people, closed by the line that every runner closes with, as one
//! JSON document, as `JUnit` XML, or as annotations of a pull request.

mod json;
mod junit;
mod pretty;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use portreeve_core::policy::Severity;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Summary};

use super::github;
use crate::commands::{Exit, Format};

pub(super) use json::{document, policy as policy_to_json};

/// How results of tests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ResultsFormat {
    /// For people; may change.
    Pretty,
    /// For machines; does not change.
    Json,
    /// `JUnit` XML, which build servers show test by test.
    Junit,
    /// Workflow commands that GitHub shows beside the lines of a pull request.
    Github,
}

/// Prints all results and says how the run ended.
pub(crate) fn print(
    out: &mut impl Write,
    suite: &str,
    results: &[CaseResult],
    format: Format,
) -> io::Result<Exit> {
    let format = match format {
        Format::Pretty => ResultsFormat::Pretty,
        Format::Json => ResultsFormat::Json,
    };
    print_as(out, suite, results, format)
}

/// The same in any of the formats.
pub(super) fn print_as(
    out: &mut impl Write,
    suite: &str,
    results: &[CaseResult],
    format: ResultsFormat,
) -> io::Result<Exit> {
    let summary = Summary::of(results);
    match format {
        ResultsFormat::Pretty => pretty::print(out, results, summary)?,
        ResultsFormat::Json => {
            serde_json::to_writer_pretty(&mut *out, &document(suite, results, summary))?;
            writeln!(out)?;
        }
        ResultsFormat::Junit => junit::print(out, suite, results)?,
        ResultsFormat::Github => {
            for result in results {
                if let Some(annotation) = annotation(result) {
                    writeln!(out, "{annotation}")?;
                }
            }
            writeln!(out, "{summary}")?;
        }
    }
    Ok(exit_of(summary))
}

/// How a run ends: no case at all is not a good end.
pub(super) fn exit_of(summary: Summary) -> Exit {
    let is_good = summary.failed == 0 && summary.total() > 0;
    if is_good { Exit::Good } else { Exit::No }
}

/// What GitHub shows of a case that did not pass: at the expression that was not true, if one is known.
fn annotation(result: &CaseResult) -> Option<String> {
    match result.outcome {
        CaseOutcome::Passed | CaseOutcome::Skipped { .. } => return None,
        CaseOutcome::Failed { .. } | CaseOutcome::Errored { .. } => {}
    }
    let at = result.evidence.failed_at.first();
    let (file, line, column) =
        at.map_or((&result.file, result.line, 0), |at| (&at.file, at.line, at.column));
    let message = [vec![result.name.clone()], pretty::why(result)].concat().join("\n");
    let place = github::Place { file, line, column };
    Some(github::command(Severity::Error, &place, "portreeve policy test", &message))
}

/// How long all of it took; `None` where nothing was measured.
fn total(results: &[CaseResult]) -> Option<Duration> {
    let measured: Vec<Duration> = results.iter().filter_map(|result| result.duration).collect();
    (!measured.is_empty()).then(|| measured.iter().sum())
}

/// `file:line`, or the file where the whole of it is meant.
pub(super) fn place(file: &str, line: u32) -> String {
    let file = printable(file);
    if line == 0 { file.into_owned() } else { format!("{file}:{line}") }
}

/// `1 check`, `2 checks`: for words whose plural has an `s` more.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(count: N, one: &str) -> String {
    format!("{count} {one}{}", if count == N::from(1) { "" } else { "s" })
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
    use portreeve_core::policy::{FailedExpression, SeenValue};
    use serde_json::Value;

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

    #[test]
    fn a_failure_is_told_with_its_request_and_the_expression_that_is_not_true() {
        let mut result = results().remove(1);
        result.duration = Some(Duration::from_millis(1200));
        result.evidence.request =
            Some(serde_json::json!({"path": "/a", "method": "GET", "headers": {"x-a": "***"}}));
        result.evidence.failed_at = vec![FailedExpression {
            file: "a_test.rego".into(),
            line: 7,
            column: 2,
            expression: "x == y.z\u{1b}".into(),
            values: vec![seen("x", "3"), seen("y.z", "undefined")],
        }];
        result.evidence.prints = vec!["a_test.rego:6: hello".into()];
        let expected = "FAILED a_test.yaml:5 b\\u{1b}[2J\n  request:  path     /a\n            \
                        method   GET\n            headers  {\"x-a\":\"***\"}\n  expected: allow\n  \
                        actual:   deny (not_allowed)\n  not true at a_test.rego:7:2\n    \
                        7 | x == y.z\\u{1b}\n      |   x   = 3\n      |   y.z = undefined\n  \
                        print:    a_test.rego:6: hello\nslow a_test.yaml:5 b\\u{1b}[2J: 1.20 s\n\
                        took 1.20 s\n0 passed, 1 failed, 0 skipped\n";
        assert_eq!(check(&[result.clone()], Format::Pretty, Exit::No), expected);
        let document: Value =
            serde_json::from_str(&check(&[result], Format::Json, Exit::No)).unwrap();
        let case = &document["cases"][0];
        assert_eq!(case["failed_at"][0]["values"][1]["value"], "undefined");
        assert_eq!(case["duration_ms"], 1200.0);
        assert_eq!(case["request"]["path"], "/a");
        assert_eq!(case["prints"][0], "a_test.rego:6: hello");
    }

    fn seen(expression: &str, value: &str) -> SeenValue {
        SeenValue { expression: expression.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn only_what_did_not_pass_is_annotated() {
        let mut out = Vec::new();
        print_as(&mut out, "policy", &results(), ResultsFormat::Github).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=a_test.yaml,line=5,title=portreeve policy test::b\\u{1b}[2J%0Aexpected: \
             allow%0Aactual:   deny (not_allowed)\n::error file=b_test.yaml,title=portreeve policy \
             test::b_test.yaml%0Ano%0AYAML\n1 passed, 2 failed, 1 skipped\n",
        );
    }
}
