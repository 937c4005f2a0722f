//! Suite `cedar`: the test files of Cedar's own suites, each request a case, through our loading,
//! index and error rule. A path in a test file is taken from the root of the cases or from beside it.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, anyhow, ensure};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::policy::{CedarAnswer, CedarCase, CedarRequest, Outcome};
use serde::Deserialize;
use serde_json::Value;

use super::cedar_files::{self, Source};
use crate::loader::SERVING_STACK_BYTES;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TestFile {
    policies: String,
    entities: String,
    schema: String,
    should_validate: bool,
    requests: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    description: String,
    principal: Value,
    action: Value,
    resource: Value,
    context: Value,
    #[serde(default = "yes")]
    validate_request: bool,
    decision: Effect,
    reason: BTreeSet<String>,
    errors: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Allow,
    Deny,
}

const fn yes() -> bool {
    true
}

/// Runs the test files among the cases of a folder, of an archive, or of the program.
///
/// # Errors
/// The cases cannot be read, or hold no test file.
pub(super) fn run(cases: Option<&Path>) -> anyhow::Result<Vec<CaseResult>> {
    let sources = cedar_files::of(cases)?;
    let results = thread::scope(|scope| {
        let run = || sources.iter().flat_map(run_source).collect::<Vec<_>>();
        let thread = thread::Builder::new().stack_size(SERVING_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, run).context("failed to start a thread")?;
        thread.join().map_err(|_| anyhow!("a case panicked"))
    })?;
    ensure!(!results.is_empty(), "there is no Cedar test file among the cases");
    Ok(results)
}

fn run_source(source: &Source) -> Vec<CaseResult> {
    let mut results = Vec::new();
    for (name, content) in source.files.iter().filter(|(name, _)| name.ends_with(".json")) {
        // Entities are JSON too, and an array.
        match serde_json::from_slice::<Value>(content) {
            Ok(Value::Object(test)) if test.contains_key("requests") => {
                match serde_json::from_value(Value::Object(test)) {
                    Ok(test) => run_file(source, name, &test, &mut results),
                    Err(error) => results.push(source.unreadable(name, &error)),
                }
            }
            Ok(_) => {}
            Err(error) => results.push(source.unreadable(name, &error)),
        }
    }
    results
}

fn run_file(source: &Source, name: &str, test: &TestFile, results: &mut Vec<CaseResult>) {
    let loaded = load(source, name, test);
    for (number, case) in test.requests.iter().enumerate() {
        let outcome = match &loaded {
            Ok(loaded) => outcome(loaded, case),
            Err(message) => CaseOutcome::errored(message.clone()),
        };
        let id = format!("{name} request {number}: {}", case.description);
        results.push(CaseResult::new(&source.shown(name), 0, id, outcome));
    }
}

fn load(source: &Source, name: &str, test: &TestFile) -> Result<CedarCase, String> {
    let text = |path: &str| {
        let beside = name.rsplit_once('/').map(|(folder, _)| format!("{folder}/{path}"));
        let content = source.files.get(path).or_else(|| source.files.get(&beside?));
        let content = content.ok_or_else(|| format!("there is no file `{path}`"))?;
        std::str::from_utf8(content).map_err(|_| format!("file `{path}` is not UTF-8"))
    };
    let TestFile { policies, schema, entities, should_validate, .. } = test;
    CedarCase::load(
        (policies, text(policies)?),
        (schema, text(schema)?),
        (entities, text(entities)?),
        *should_validate,
    )
    .map_err(|findings| {
        let texts: Vec<_> = findings.0.iter().map(ToString::to_string).collect();
        texts.join("; ")
    })
}

fn outcome(loaded: &CedarCase, case: &Case) -> CaseOutcome {
    let answer = loaded.answer(&CedarRequest {
        principal: &case.principal,
        action: &case.action,
        resource: &case.resource,
        context: &case.context,
        is_validated: case.validate_request,
    });
    let actual = match answer {
        Ok(answer) => answer,
        Err(message) => return CaseOutcome::errored(message),
    };
    // Cedar skips a policy that fails; under our rule it is the outcome, and what the record names.
    let (outcome, policies) = match (case.errors.is_empty(), case.decision) {
        (false, _) => (Outcome::Error, &case.errors),
        (true, Effect::Allow) => (Outcome::Allow, &case.reason),
        (true, Effect::Deny) => (Outcome::Deny, &case.reason),
    };
    let expected = told(&CedarAnswer {
        outcome,
        policies: policies.clone(),
        cedar_allows: case.decision == Effect::Allow,
        reason: case.reason.clone(),
        errors: case.errors.clone(),
    });
    let actual = told(&actual);
    if expected == actual {
        return CaseOutcome::Passed;
    }
    CaseOutcome::Failed { expected, actual, detail: None }
}

fn told(answer: &CedarAnswer) -> String {
    let CedarAnswer { outcome, policies, cedar_allows, reason, errors } = answer;
    let cedar = if *cedar_allows { "allow" } else { "deny" };
    format!(
        "{} by {policies:?}, of Cedar {cedar} by {reason:?}, errors {errors:?}",
        outcome.as_str()
    )
}
