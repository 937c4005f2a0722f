//! What became of one case.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{FailedExpression, PolicyRef};

/// One test and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// Where the case stands, relative to the bundle or the suite.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: u32,
    pub name: String,
    pub outcome: CaseOutcome,
    /// The policies that decided, where one decision was asked for.
    pub policies: Vec<PolicyRef>,
    /// How long it took, where that was measured.
    pub duration: Option<Duration>,
    pub evidence: Evidence,
}

/// What helps to see why a case did not pass; nothing that the record would mask.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The request as the case describes it.
    pub request: Option<Value>,
    /// The expressions of a Rego test that were not true.
    pub failed_at: Vec<FailedExpression>,
    /// What `print` said, with its place.
    pub prints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaseOutcome {
    Passed,
    /// It ran, and the answer is another one.
    Failed {
        expected: String,
        actual: String,
        /// What helps to see why, such as the text of an evaluation error.
        detail: Option<String>,
    },
    /// It could not run: the case itself is wrong, or nothing could decide it.
    Errored {
        message: String,
    },
    /// It was not held against the suite; the reason is written down.
    Skipped {
        reason: String,
    },
}

/// How many passed, failed (errors are failures) and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl CaseResult {
    #[must_use]
    pub fn new(file: &str, line: u32, name: impl Into<String>, outcome: CaseOutcome) -> Self {
        let file = file.to_owned();
        let evidence = Evidence::default();
        let policies = Vec::new();
        Self { file, line, name: name.into(), outcome, policies, duration: None, evidence }
    }

    /// A file, or an entry of it, that is no case: counted as one that failed.
    #[must_use]
    pub fn unreadable(file: &str, line: u32, message: impl Into<String>) -> Self {
        Self::new(file, line, file, CaseOutcome::errored(message))
    }

    /// Holds the result against the suite's list of expected failures: a listed failure is skipped, a
    /// listed pass is a failure, for the list would rot otherwise.
    #[must_use]
    pub fn with_expected_failure(self, reason: Option<&str>) -> Self {
        let Some(reason) = reason else { return self };
        let outcome = match self.outcome {
            CaseOutcome::Failed { .. } | CaseOutcome::Errored { .. } => {
                CaseOutcome::Skipped { reason: reason.to_owned() }
            }
            CaseOutcome::Passed => CaseOutcome::Failed {
                expected: "a failure, as `expected_failures.toml` lists it".to_owned(),
                actual: "it passes: take it off the list".to_owned(),
                detail: Some(format!("listed reason: {reason}")),
            },
            skipped @ CaseOutcome::Skipped { .. } => skipped,
        };
        Self { outcome, ..self }
    }
}

impl CaseOutcome {
    #[must_use]
    pub fn errored(message: impl Into<String>) -> Self {
        Self::Errored { message: message.into() }
    }

    /// The stable word of the JSON output.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed { .. } => "failed",
            Self::Errored { .. } => "errored",
            Self::Skipped { .. } => "skipped",
        }
    }
}

impl Summary {
    #[must_use]
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CaseResult>) -> Self {
        let mut summary = Self::default();
        for result in results {
            let count = match result.outcome {
                CaseOutcome::Passed => &mut summary.passed,
                CaseOutcome::Failed { .. } | CaseOutcome::Errored { .. } => &mut summary.failed,
                CaseOutcome::Skipped { .. } => &mut summary.skipped,
            };
            *count = count.saturating_add(1);
        }
        summary
    }

    #[must_use]
    pub fn total(self) -> usize {
        self.passed.saturating_add(self.failed).saturating_add(self.skipped)
    }
}

/// The closing line of every runner.
impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> CaseOutcome {
        CaseOutcome::Failed { expected: "allow".into(), actual: "deny".into(), detail: None }
    }

    #[track_caller]
    fn check(outcome: CaseOutcome, listed: Option<&str>, expected: &str) {
        let result = CaseResult::new("a_test.yaml", 3, "a", outcome);
        assert_eq!(result.with_expected_failure(listed).outcome.as_str(), expected);
    }

    #[test]
    fn a_listed_failure_is_skipped_and_a_listed_pass_fails() {
        check(failed(), None, "failed");
        check(failed(), Some("why"), "skipped");
        check(CaseOutcome::errored("x"), Some("why"), "skipped");
        check(CaseOutcome::Passed, None, "passed");
        check(CaseOutcome::Passed, Some("why"), "failed");
    }

    #[test]
    fn errors_count_as_failures() {
        let outcomes = [CaseOutcome::Passed, failed(), CaseOutcome::errored("x")];
        let results = outcomes.map(|outcome| CaseResult::new("f", 0, "n", outcome));
        assert_eq!(Summary::of(&results).to_string(), "1 passed, 2 failed, 0 skipped");
    }
}
