//! Rego's own tests: every rule `test_…` of a bundle, each on a fresh engine.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::Value;

use super::super::{Files, Findings, Severity, progress};
use super::load::{self, Loaded, Modules};
use super::module_files::{is_rego, is_test};
use super::paths::RulePath;
use super::rules::{Definition, package_of};
use super::{builtins, message};
use crate::Timestamp;

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
    pub name: String,
    pub file: String,
    /// From 1.
    pub line: u32,
    pub outcome: RegoTestOutcome,
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

/// Runs all tests of a bundle in the order of packages and names. A bundle that does not load gives
/// one error a finding.
#[must_use]
pub fn run_rego_tests(files: &Files) -> Vec<RegoTestResult> {
    if !files.iter().any(|(file, _)| is_rego(file)) {
        return Vec::new();
    }
    let mut findings = Findings::default();
    let Some(loaded) = load::load(files, Modules::WithTests, TIME_LIMIT, &mut findings) else {
        return load_errors(findings);
    };
    let tests = loaded.rules.iter().filter_map(|(path, definitions)| {
        let first = definitions.first().filter(|first| !first.is_function())?;
        let package = package_of(&first.module);
        let name = path.0.get(package.0.len())?;
        let is_todo = name.starts_with("todo_test_");
        (is_todo || name.starts_with("test_"))
            .then(|| result(&loaded, path, &package, first, is_todo))
    });
    tests.collect()
}

/// What is wrong with the test modules: findings of a load that holds them too. A bundle without any
/// has none.
pub(in super::super) fn check_tests(files: &Files, findings: &mut Findings) {
    if files.iter().any(|(file, _)| is_rego(file) && is_test(file)) {
        load::load(files, Modules::WithTests, TIME_LIMIT, findings);
    }
}

fn result(
    loaded: &Loaded,
    path: &RulePath,
    package: &RulePath,
    first: &Definition,
    is_todo: bool,
) -> RegoTestResult {
    progress::at_line(&first.file, first.line);
    let outcome = if is_todo { RegoTestOutcome::Skipped } else { run(loaded, path) };
    let name = path.0.get(package.0.len()..).unwrap_or_default().join(".");
    RegoTestResult {
        package: package.to_string(),
        name,
        file: first.file.clone(),
        line: first.line,
        outcome,
    }
}

fn run(loaded: &Loaded, path: &RulePath) -> RegoTestOutcome {
    let mut engine = loaded.engine.clone();
    builtins::set_now(NOW);
    builtins::set_wide(false);
    let value = catch_unwind(AssertUnwindSafe(|| {
        engine.eval_rule(path.to_string()).map_err(|error| error.to_string())
    }));
    match value {
        Ok(Ok(Value::Bool(true))) => RegoTestOutcome::Pass,
        Ok(Ok(_)) => RegoTestOutcome::Fail,
        Ok(Err(error)) => {
            let message = message::parse(&error);
            RegoTestOutcome::Error(format!("{}:{}: {}", message.file, message.line, message.text))
        }
        Err(_) => RegoTestOutcome::Error("the engine panicked".to_owned()),
    }
}

fn load_errors(findings: Findings) -> Vec<RegoTestResult> {
    let errors = findings.0.into_iter().filter(|finding| finding.severity == Severity::Error);
    let result = |finding: super::super::Finding| RegoTestResult {
        package: String::new(),
        name: String::new(),
        file: finding.file,
        line: finding.line,
        outcome: RegoTestOutcome::Error(finding.message),
    };
    errors.map(result).collect()
}
