//! Rego's own tests as case results.

use super::super::rego::{TestRun, run_selected_tests};
use super::super::{Files, RegoTestOutcome, RegoTestResult};
use super::{CaseOutcome, CaseResult, Evidence, Run};

/// Runs every rule `test_…` of a bundle that is selected; `todo_test_…` is skipped.
pub(super) fn run(files: &Files, run: &Run<'_>) -> Vec<CaseResult> {
    let selected = TestRun { selects: &|name| run.filter.selects(name), clock: run.clock };
    run_selected_tests(files, selected).into_iter().map(to_case).collect()
}

fn to_case(test: RegoTestResult) -> CaseResult {
    let RegoTestResult { package, name, file, line, outcome, actual, failed_at, prints, duration } =
        test;
    let outcome = match outcome {
        RegoTestOutcome::Pass => CaseOutcome::Passed,
        RegoTestOutcome::Fail => CaseOutcome::Failed {
            expected: "true".to_owned(),
            actual: actual.unwrap_or_else(|| "undefined".to_owned()),
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
    let evidence = Evidence { request: None, failed_at, prints };
    let result = CaseResult::new(&file, line, format!("{package}.{name}"), outcome);
    CaseResult { duration, evidence, ..result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let mut files = Files::default();
        files
            .insert("p.rego", b"package p\nallow if input.request.method == \"GET\"\n".to_vec())
            .unwrap();
        files.insert("p_test.rego", text.as_bytes().to_vec()).unwrap();
        let line =
            |r: CaseResult| format!("{}:{} {} {}", r.file, r.line, r.name, r.outcome.as_str());
        assert_eq!(
            run(&files, &Run::default()).into_iter().map(line).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn every_test_rule_is_a_case_at_its_line() {
        let text = "package p_test\nimport data.p\ntest_a if p.allow with input.request.method as \"GET\"\n\
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
