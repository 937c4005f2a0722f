//! Case results as `JUnit` XML, as Jenkins, GitLab and others read it: a suite per file.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Summary};

use super::{pretty, printable};

pub(super) fn print(out: &mut impl Write, suite: &str, results: &[CaseResult]) -> io::Result<()> {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Results stand in the order of files.
    let suites: Vec<_> = results.chunk_by(|a, b| a.file == b.file).collect();
    let _ = writeln!(text, "<testsuites name=\"{}\"{}>", escaped(suite), counts(results, false));
    for of_file in suites {
        let file = of_file.first().map(|first| first.file.as_str()).unwrap_or_default();
        let _ = writeln!(text, "  <testsuite name=\"{}\"{}>", escaped(file), counts(of_file, true));
        of_file.iter().for_each(|result| case(&mut text, result));
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    out.write_all(text.as_bytes())
}

fn counts(results: &[CaseResult], has_skipped: bool) -> String {
    let summary = Summary::of(results);
    let errors =
        results.iter().filter(|r| matches!(r.outcome, CaseOutcome::Errored { .. })).count();
    let skipped = format!(" skipped=\"{}\"", summary.skipped);
    format!(
        " tests=\"{}\" failures=\"{}\" errors=\"{errors}\"{} time=\"{}\"",
        summary.total(),
        summary.failed.saturating_sub(errors),
        if has_skipped { &skipped } else { "" },
        seconds(super::total(results)),
    )
}

fn case(text: &mut String, result: &CaseResult) {
    let (class, name) = match result.name.rsplit_once(".test_").filter(|(class, _)| is_path(class))
    {
        Some((package, name)) => (package, format!("test_{name}")),
        None => (result.file.as_str(), result.name.clone()),
    };
    let _ = write!(
        text,
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{}\"",
        escaped(class),
        escaped(&name),
        seconds(result.duration),
    );
    let lines = || {
        let place = super::place(&result.file, result.line);
        let lines: Vec<_> = std::iter::once(place).chain(pretty::why(result)).collect();
        escaped(&lines.join("\n"))
    };
    let (element, message) = match &result.outcome {
        CaseOutcome::Passed => {
            text.push_str("/>\n");
            return;
        }
        CaseOutcome::Failed { expected, actual, .. } => {
            ("failure", format!("expected {expected}, and it is {actual}"))
        }
        CaseOutcome::Errored { message } => {
            ("error", message.lines().next().unwrap_or_default().to_owned())
        }
        CaseOutcome::Skipped { reason } => {
            let _ = writeln!(text, ">\n      <skipped message=\"{}\"/>", escaped(reason));
            text.push_str("    </testcase>\n");
            return;
        }
    };
    let _ = writeln!(
        text,
        ">\n      <{element} message=\"{}\" type=\"{element}\">{}</{element}>\n    </testcase>",
        escaped(&message),
        lines(),
    );
}

/// `data.authz_test`
fn is_path(class: &str) -> bool {
    class.starts_with("data.")
}

fn seconds(duration: Option<Duration>) -> String {
    format!("{:.6}", duration.unwrap_or_default().as_secs_f64())
}

/// As text or an attribute may hold it. What XML 1.0 has no way to write, and what turns text round,
/// is written as on a terminal.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            shown.push_str("&#10;");
        }
        for c in printable(line).chars() {
            match c {
                '&' => shown.push_str("&amp;"),
                '<' => shown.push_str("&lt;"),
                '>' => shown.push_str("&gt;"),
                '"' => shown.push_str("&quot;"),
                '\t' => shown.push_str("&#9;"),
                '\u{fffe}' | '\u{ffff}' => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(results: &[CaseResult], expected: &str) {
        let mut out = Vec::new();
        print(&mut out, "policy", results).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn each_file_is_a_suite_and_each_outcome_has_its_element() {
        let failed = CaseOutcome::Failed {
            expected: "allow".into(),
            actual: "deny (not_allowed)".into(),
            detail: None,
        };
        let skipped = CaseOutcome::Skipped { reason: "known".into() };
        let passed = CaseResult {
            duration: Some(Duration::from_micros(1500)),
            ..CaseResult::new("a_test.rego", 1, "data.a_test.test_a[x.y]", CaseOutcome::Passed)
        };
        check(
            &[
                passed,
                CaseResult::new("b_test.yaml", 2, "a < b & \"c\"", failed),
                CaseResult::new("b_test.yaml", 5, "d", CaseOutcome::errored("no\nYAML")),
                CaseResult::new("b_test.yaml", 7, "e", skipped),
            ],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"policy\" tests=\"4\" failures=\"1\" errors=\"1\" time=\"0.001500\">\n\
             \x20 <testsuite name=\"a_test.rego\" tests=\"1\" failures=\"0\" errors=\"0\" \
             skipped=\"0\" time=\"0.001500\">\n\
             \x20   <testcase classname=\"data.a_test\" name=\"test_a[x.y]\" time=\"0.001500\"/>\n\
             \x20 </testsuite>\n\
             \x20 <testsuite name=\"b_test.yaml\" tests=\"3\" failures=\"1\" errors=\"1\" \
             skipped=\"1\" time=\"0.000000\">\n\
             \x20   <testcase classname=\"b_test.yaml\" name=\"a &lt; b &amp; &quot;c&quot;\" \
             time=\"0.000000\">\n\
             \x20     <failure message=\"expected allow, and it is deny (not_allowed)\" \
             type=\"failure\">b_test.yaml:2&#10;expected: allow&#10;actual:   deny \
             (not_allowed)</failure>\n\
             \x20   </testcase>\n\
             \x20   <testcase classname=\"b_test.yaml\" name=\"d\" time=\"0.000000\">\n\
             \x20     <error message=\"no\" type=\"error\">b_test.yaml:5&#10;no&#10;YAML</error>\n\
             \x20   </testcase>\n\
             \x20   <testcase classname=\"b_test.yaml\" name=\"e\" time=\"0.000000\">\n\
             \x20     <skipped message=\"known\"/>\n\
             \x20   </testcase>\n\
             \x20 </testsuite>\n\
             </testsuites>\n",
        );
    }

    #[test]
    fn what_xml_cannot_hold_is_written_out() {
        assert_eq!(
            escaped("a\u{0}\u{1b}[2J\u{ffff}\u{202e}b"),
            "a\\u{0}\\u{1b}[2J\\u{ffff}\\u{202e}b"
        );
        assert_eq!(escaped("]]>\r\n\t'"), "]]&gt;\\u{d}&#10;&#9;'");
        check(
            &[],
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"policy\" tests=\"0\" \
             failures=\"0\" errors=\"0\" time=\"0.000000\">\n</testsuites>\n",
        );
    }
}
