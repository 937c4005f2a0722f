//! Rego's own tests as case results.

use super::super::{Files, RegoTestOutcome, RegoTestResult, run_rego_tests};
use super::{CaseOutcome, CaseResult};

/// Runs every rule `test_…` of a bundle; `todo_test_…` is skipped.
pub(super) fn run(files: &Files) -> Vec<CaseResult> {
    run_rego_tests(files).into_iter().map(to_case).collect()
}

fn to_case(test: RegoTestResult) -> CaseResult {
    let RegoTestResult { package, name, file, line, outcome } = test;
    let outcome = match outcome {
        RegoTestOutcome::Pass => CaseOutcome::Passed,
        RegoTestOutcome::Fail => CaseOutcome::Failed {
            expected: "true".to_owned(),
            actual: "undefined, or a value that is not true".to_owned(),
            detail: None,
        },
        RegoTestOutcome::Error(message) => CaseOutcome::errored(message),
        RegoTestOutcome::Skipped => {
            CaseOutcome::Skipped { reason: "a `todo_test_` rule".to_owned() }
        }
    };
    if name.is_empty() {
        // The tests do not load: which there are is unknown.
        return CaseResult { outcome, ..CaseResult::unreadable(&file, line, "") };
    }
    CaseResult::new(&file, line, format!("{package}.{name}"), outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut files = Files::default();
        files.insert("p.rego", b"package p\nallow if input.ok\n".to_vec()).unwrap();
        files.insert("p_test.rego", text.as_bytes().to_vec()).unwrap();
        let line =
            |r: CaseResult| format!("{}:{} {} {}", r.file, r.line, r.name, r.outcome.as_str());
        assert_eq!(run(&files).into_iter().map(line).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_test_rule_is_a_case_at_its_line() {
        let text = "package p_test\nimport data.p\ntest_a if p.allow with input as {\"ok\": true}\n\
                    test_b if p.allow with input as {}\ntest_c if count(7) == 1\n\
                    todo_test_d if false\n";
        let expected = [
            "p_test.rego:3 data.p_test.test_a passed",
            "p_test.rego:4 data.p_test.test_b failed",
            "p_test.rego:5 data.p_test.test_c errored",
            "p_test.rego:6 data.p_test.todo_test_d skipped",
        ];
        check(text, &expected);
    }

    #[test]
    fn tests_that_do_not_load_are_an_error_of_their_file() {
        check("package p_test\ntest_a if {", &["p_test.rego:2 p_test.rego errored"]);
    }
}
