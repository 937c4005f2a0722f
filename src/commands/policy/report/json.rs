//! Case results as one JSON document: keys are added, none is renamed.

use std::time::Duration;

use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Summary};
use portreeve_core::policy::{FailedExpression, PolicyRef};
use serde_json::{Map, Value, json};

pub(in super::super) fn document(suite: &str, results: &[CaseResult], summary: Summary) -> Value {
    json!({
        "suite": suite,
        "passed": summary.passed,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "duration_ms": super::total(results).map(milliseconds),
        "cases": results.iter().map(case).collect::<Vec<_>>(),
    })
}

fn case(result: &CaseResult) -> Value {
    let mut case = Map::new();
    let mut add = |key: &str, value: Value| drop(case.insert(key.to_owned(), value));
    add("file", result.file.as_str().into());
    add("line", result.line.into());
    add("name", result.name.as_str().into());
    add("outcome", result.outcome.as_str().into());
    add("policies", result.policies.iter().map(policy).collect());
    match &result.outcome {
        CaseOutcome::Passed => {}
        CaseOutcome::Failed { expected, actual, detail } => {
            add("expected", expected.as_str().into());
            add("actual", actual.as_str().into());
            add("detail", json!(detail));
        }
        CaseOutcome::Errored { message } => add("message", message.as_str().into()),
        CaseOutcome::Skipped { reason } => add("reason", reason.as_str().into()),
    }
    if let Some(duration) = result.duration {
        add("duration_ms", milliseconds(duration));
    }
    let evidence = &result.evidence;
    if let Some(request) = &evidence.request {
        add("request", request.clone());
    }
    if !evidence.failed_at.is_empty() {
        add("failed_at", evidence.failed_at.iter().map(failed_at).collect());
    }
    if !evidence.prints.is_empty() {
        add("prints", json!(evidence.prints));
    }
    Value::Object(case)
}

fn failed_at(at: &FailedExpression) -> Value {
    let value = |seen: &portreeve_core::policy::SeenValue| json!({ "expression": seen.expression, "value": seen.value });
    json!({
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "expression": at.expression,
        "values": at.values.iter().map(value).collect::<Vec<_>>(),
    })
}

pub(in super::super) fn policy(policy: &PolicyRef) -> Value {
    json!({ "id": &*policy.id, "file": &*policy.file, "line": policy.line })
}

/// With three decimals.
fn milliseconds(duration: Duration) -> Value {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    json!(f64::from(micros) / 1000.0)
}
