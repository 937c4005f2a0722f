//! Cedar's own test format, as `cedar run-tests` reads it.
//!
//! A test enters below [`crate::request::AccessRequest`]: principal, action, resource, context and
//! entities go to Cedar as they stand, under the bundle's policies and schema. The decision and the
//! number of errors are compared exactly; `reason` must be among the policies that decided.

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet,
    Request, Response, Schema,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::super::{Bundle, Files};
use super::json_lines::element_lines;
use super::{CaseOutcome, CaseResult, MAX_CASES, Run};
use crate::masking::{Secrets, error_text_of, masked};
use crate::words::chain;

/// One test. Keys that Cedar's runner does not know it ignores, and so does this.
#[derive(Debug, Deserialize)]
struct Test {
    request: TestRequest,
    entities: Value,
    #[serde(flatten)]
    wanted: Wanted,
}

#[derive(Debug, Deserialize)]
struct Wanted {
    decision: Expected,
    reason: Vec<String>,
    num_errors: usize,
}

#[derive(Debug, Deserialize)]
struct TestRequest {
    principal: String,
    action: String,
    resource: String,
    context: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// What the tests of one file run against.
struct Subject<'a> {
    policies: &'a PolicySet,
    schema: &'a Schema,
    files: &'a Files,
    /// The folder of the test file, with its slash, or empty: entity files stand at or below it.
    folder: &'a str,
}

pub(super) fn run(
    path: &str,
    text: &str,
    files: &Files,
    bundle: &Bundle,
    run: &Run<'_>,
) -> Vec<CaseResult> {
    let Some((policies, schema)) = bundle.cedar_policy_set() else {
        return vec![CaseResult::unreadable(path, 0, "the bundle has no Cedar policies")];
    };
    run_file(path, text, &Subject { policies, schema, files, folder: folder_of(path) }, run)
}

fn folder_of(path: &str) -> &str {
    path.rfind('/').and_then(|slash| path.get(..=slash)).unwrap_or_default()
}

fn name_of(index: usize, test: &Value) -> String {
    let name = test.get("name").and_then(Value::as_str).map(str::to_owned);
    name.unwrap_or_else(|| format!("test {}", index.saturating_add(1)))
}

fn run_file(path: &str, text: &str, subject: &Subject<'_>, run: &Run<'_>) -> Vec<CaseResult> {
    let tests = match serde_json::from_str::<Vec<Value>>(text) {
        Ok(tests) if tests.is_empty() => {
            return vec![CaseResult::unreadable(path, 0, "the file holds no test")];
        }
        Ok(tests) if tests.len() > MAX_CASES => {
            let message = format!("the file holds more than {MAX_CASES} tests");
            return vec![CaseResult::unreadable(path, 0, message)];
        }
        Ok(tests) => tests,
        Err(error) => {
            let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
            let message = format!("the file is not a JSON array of tests: {error}");
            return vec![CaseResult::unreadable(path, line, message)];
        }
    };
    let lines = element_lines(text);
    let mut results = Vec::with_capacity(tests.len());
    for (index, test) in tests.into_iter().enumerate() {
        let line = lines.get(index).copied().unwrap_or(0);
        let name = name_of(index, &test);
        if !run.filter.selects(&name) {
            continue;
        }
        let request = masked(test.get("request").unwrap_or(&Value::Null));
        let mut result = run.timed(|| {
            let secrets = secrets_of(&test, subject);
            let errored = |text: String| CaseOutcome::errored(secrets.hide(&text));
            let outcome = run_test(test, subject).unwrap_or_else(errored);
            CaseResult::new(path, line, name, outcome)
        });
        result.evidence.request = (!request.is_null()).then_some(request);
        results.push(result);
    }
    results
}

/// What the selected tests of a file ask, as far as they can be read.
pub(super) fn requests(
    path: &str,
    text: &str,
    files: &Files,
    bundle: &Bundle,
    is_selected: &dyn Fn(&str) -> bool,
) -> Vec<(Request, Entities)> {
    let Some((policies, schema)) = bundle.cedar_policy_set() else { return Vec::new() };
    let subject = Subject { policies, schema, files, folder: folder_of(path) };
    let tests = serde_json::from_str::<Vec<Value>>(text).unwrap_or_default();
    let tests = tests.into_iter().take(MAX_CASES).enumerate();
    let selected = tests.filter(|(index, test)| is_selected(&name_of(*index, test)));
    let asked = selected.filter_map(|(_, test)| read_test(test, &subject).ok());
    asked.map(|(_, request, entities)| (request, entities)).collect()
}

/// What the request and the entities of its headers and its query hold.
fn secrets_of(test: &Value, subject: &Subject<'_>) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.add_document(test.get("request").unwrap_or(&Value::Null));
    let entities = test.get("entities").unwrap_or(&Value::Null);
    let file = entities.as_str().and_then(|name| entities_file(name, subject).ok());
    for entity in file.as_ref().unwrap_or(entities).as_array().into_iter().flatten() {
        let kind = entity.pointer("/uid/type").and_then(Value::as_str).unwrap_or_default();
        // The schema's entities with the headers and the query as tags.
        let key = kind.rsplit("::").next().unwrap_or_default().to_lowercase();
        let tags = entity.get("tags").cloned().unwrap_or_default();
        secrets.add_document(&Value::Object(Map::from_iter([(key, tags)])));
    }
    secrets
}

/// Runs one test; `Err` says why it could not run.
fn run_test(test: Value, subject: &Subject<'_>) -> Result<CaseOutcome, String> {
    let (wanted, request, entities) = read_test(test, subject)?;
    let response = Authorizer::new().is_authorized(&request, subject.policies, &entities);
    Ok(judge(wanted.decision, &wanted.reason, wanted.num_errors, &response))
}

fn read_test(test: Value, subject: &Subject<'_>) -> Result<(Wanted, Request, Entities), String> {
    let test: Test = serde_json::from_value(test).map_err(|e| format!("this is no test: {e}"))?;
    let schema = subject.schema;
    let principal = entity("principal", &test.request.principal)?;
    let action = entity("action", &test.request.action)?;
    let resource = entity("resource", &test.request.resource)?;
    let context = Context::from_json_value(test.request.context, Some((schema, &action)))
        .map_err(|e| format!("the context does not fit the schema: {}", chain(&e)))?;
    let request = Request::new(principal, action, resource, context, Some(schema))
        .map_err(|e| format!("the request does not fit the schema: {}", chain(&e)))?;
    let entities = match test.entities.as_str() {
        Some(name) => entities_file(name, subject)?,
        None => test.entities,
    };
    let entities = Entities::from_json_value(entities, Some(schema))
        .map_err(|e| format!("the entities do not fit the schema: {}", chain(&e)))?;
    Ok((test.wanted, request, entities))
}

fn entity(role: &str, text: &str) -> Result<EntityUid, String> {
    text.parse().map_err(|e| format!("the {role} `{text}` is no entity: {}", chain(&e)))
}

/// The file's JSON; like Cedar's runner, only from the folder of the test file or below.
fn entities_file(name: &str, subject: &Subject<'_>) -> Result<Value, String> {
    let path = format!("{}{name}", subject.folder);
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) || name.contains('\\') {
        return Err(format!("the entities file `{name}` is not a plain path below the test file"));
    }
    let content = subject.files.get(&path);
    let content = content.ok_or_else(|| format!("there is no entities file `{path}`"))?;
    serde_json::from_slice(content).map_err(|e| format!("entities file `{path}`: {e}"))
}

fn judge(
    wanted: Expected,
    reasons: &[String],
    num_errors: usize,
    response: &Response,
) -> CaseOutcome {
    let seen = match response.decision() {
        Decision::Allow => Expected::Allow,
        Decision::Deny => Expected::Deny,
    };
    let decided: Vec<&PolicyId> = response.diagnostics().reason().collect();
    let errors: Vec<String> = response.diagnostics().errors().map(error_text).collect();
    let is_reason = |id: &String| decided.iter().any(|seen| seen.to_string() == *id);
    if seen == wanted && errors.len() == num_errors && reasons.iter().all(is_reason) {
        return CaseOutcome::Passed;
    }
    let decided: Vec<String> = decided.iter().map(ToString::to_string).collect();
    CaseOutcome::Failed {
        expected: text(wanted, reasons, num_errors),
        actual: text(seen, &decided, errors.len()),
        detail: (!errors.is_empty()).then(|| errors.join("; ")),
    }
}

/// `blocked: what went wrong`, without the values that it quotes.
fn error_text(error: &AuthorizationError) -> String {
    let AuthorizationError::PolicyEvaluationError(error) = error;
    format!("{}: {}", error.policy_id(), error_text_of(&error.inner().to_string(), |_| false))
}

fn text(decision: Expected, reasons: &[String], num_errors: usize) -> String {
    let decision = match decision {
        Expected::Allow => "allow",
        Expected::Deny => "deny",
    };
    let reasons = if reasons.is_empty() { "no policy".to_owned() } else { reasons.join(", ") };
    let plural = if num_errors == 1 { "" } else { "s" };
    format!("{decision} by {reasons} with {num_errors} error{plural}")
}

#[cfg(test)]
mod tests;
