//! Rego's own tests: every rule `test_…` of a bundle, each on a fresh engine.
//!
//! The files of a bundle enter; a result per test leaves, of a table `test_x[note] if …` one per case.
//! What failed is then taken apart by rules of our own ([`probe`]): which expression was not true, with
//! the values in it. An input that no request could have is an error of the test that sets it.

mod text;
mod statements;
mod found;
mod shape;
mod reader;
mod inputs;
mod operands;
mod probe;
mod secrets;
mod explain;
mod table;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{Files, Finding, Findings, Severity};
use super::load::{self, Loaded, Modules};
use super::module_files::{is_rego, is_test};
use crate::Timestamp;
use shape::Place;

pub use explain::{FailedExpression, SeenValue};
pub(super) use secrets::written;

/// As OPA's test runner has it.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(5);
/// 2026-01-01T00:00:00Z: the core has no clock, and a test that needs another time replaces
/// `time.now_ns` by `with`.
pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// What one test said, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegoTestResult {
    /// `data.authz_test`
    pub package: String,
    /// `test_x`, `test_x[note]` of a table's case.
    pub name: String,
    pub file: String,
    /// From 1.
    pub line: u32,
    pub outcome: RegoTestOutcome,
    /// What the rule was instead of true.
    pub actual: Option<String>,
    pub failed_at: Vec<FailedExpression>,
    /// What `print` said, each with its place; of a test that did not pass.
    pub prints: Vec<String>,
    /// `None` where no clock was given, or the test did not run.
    pub duration: Option<Duration>,
}

impl RegoTestResult {
    /// `data.authz_test.test_x[note]`
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegoTestOutcome {
    Pass,
    /// The rule is not true.
    Fail,
    /// The rule, or the whole bundle, could not be evaluated.
    Error(String),
    /// A `todo_test_…` rule.
    Skipped,
}

/// Which tests are run, and how their time is told.
#[derive(Clone, Copy)]
pub(in super::super) struct TestRun<'a> {
    pub(in super::super) selects: &'a dyn Fn(&str) -> bool,
    /// How much time has passed since some moment.
    pub(in super::super) clock: Option<fn() -> Duration>,
}

/// Runs all tests of a bundle in the order of packages and names. A bundle that does not load gives
/// one error a finding.
#[must_use]
pub fn run_rego_tests(files: &Files) -> Vec<RegoTestResult> {
    run_selected_tests(files, TestRun { selects: &|_| true, clock: None })
}

/// The same for the tests that are selected by name.
pub(in super::super) fn run_selected_tests(
    files: &Files,
    selected: TestRun<'_>,
) -> Vec<RegoTestResult> {
    if !files.iter().any(|(file, _)| is_rego(file)) {
        return Vec::new();
    }
    let mut findings = Findings::default();
    let Some(loaded) = load::load(files, Modules::WithTests, TIME_LIMIT, &mut findings) else {
        return load_errors(findings);
    };
    run::run(&loaded, files, selected)
}

/// The names of the rules that have a selected case, of the tables that are asked about.
pub(super) fn tables_of_cases(
    loaded: &Loaded,
    files: &Files,
    is_asked: &dyn Fn(&str) -> bool,
    is_selected: &dyn Fn(&str) -> bool,
) -> BTreeSet<String> {
    // `data.authz_test.test_x#01[note]`
    let rule_of = |name: &str| {
        let (rule, _) = name.split_once('[')?;
        let rule = rule.split_once('#').map_or(rule, |(rule, _)| rule);
        is_asked(rule).then(|| rule.to_owned())
    };
    let selects = |name: &str| rule_of(name).is_some() && is_selected(name);
    let results = run::run(loaded, files, TestRun { selects: &selects, clock: None });
    results.iter().filter_map(|result| rule_of(&result.full_name())).collect()
}

/// What is wrong with the test modules: findings of a load that holds them too, and the inputs that no
/// request could have. A bundle without any has none.
pub(in super::super) fn check_tests(files: &Files, findings: &mut Findings) {
    if !files.iter().any(|(file, _)| is_rego(file) && is_test(file)) {
        return;
    }
    if let Some(loaded) = load::load(files, Modules::WithTests, TIME_LIMIT, findings) {
        let before = findings.0.len();
        inputs::findings(&loaded.rules, files, findings);
        loaded.sources.lead_back(findings.0.iter_mut().skip(before));
    }
}

/// A place of the text that was parsed as one of the file.
fn leads_back(loaded: &Loaded, at: &Place) -> Place {
    let mut finding = Finding::new(Severity::Warning, &at.file, at.line, at.column, String::new());
    loaded.sources.lead_back(std::iter::once(&mut finding));
    Place { file: finding.file, line: finding.line, column: finding.column }
}

fn load_errors(findings: Findings) -> Vec<RegoTestResult> {
    let errors = findings.0.into_iter().filter(|finding| finding.severity == Severity::Error);
    let result = |finding: Finding| RegoTestResult {
        package: String::new(),
        name: String::new(),
        file: finding.file,
        line: finding.line,
        outcome: RegoTestOutcome::Error(finding.message),
        actual: None,
        failed_at: Vec::new(),
        prints: Vec::new(),
        duration: None,
    };
    errors.map(result).collect()
}
