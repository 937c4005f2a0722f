//! How `policy eval` prints a decision, and with it why it was made.

use std::io::{self, Write};
use std::path::Path;

use portreeve_core::policy::cases::without_credentials;
use portreeve_core::policy::{Decision, EvaluationError, Explanation, Outcome};
use portreeve_core::request::AccessRequest;
use serde_json::{Value, json};

use super::explain;
use super::report::{place, policy_to_json, printable};
use super::work::Answer;
use crate::commands::Format;

/// What is printed beside the decision, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    /// Stands before the paths of the bundle's files.
    pub(super) root: &'a Path,
    pub(super) digest: &'a str,
    pub(super) format: Format,
    pub(super) explanation: Option<&'a Explanation>,
}

/// What the worker says about its decision, without the credentials of the request.
pub(super) fn answer(decision: &mut Decision, request: &AccessRequest, shown: Shown<'_>) -> Answer {
    for error in &mut decision.errors {
        error.text = without_credentials(&error.text, request);
    }
    let mut text = Vec::new();
    let strict = request.head.strict_refusal().map(|refusal| refusal.to_string());
    // A vector takes every write.
    let _ = print(&mut text, decision, strict.as_deref(), shown);
    Answer::Decided {
        is_allowed: decision.outcome == Outcome::Allow,
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

fn print(
    out: &mut impl Write,
    decision: &Decision,
    strict: Option<&str>,
    shown: Shown<'_>,
) -> io::Result<()> {
    if shown.format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, &to_json(decision, strict, shown)?)?;
        return writeln!(out);
    }
    writeln!(out, "{} ({})", decision.outcome.as_str(), decision.reason.as_str())?;
    let path = |file: &str| shown.root.join(file).display().to_string();
    for policy in &decision.policies {
        let place = place(&path(&policy.file), policy.line);
        writeln!(out, "  by {} at {place}", printable(&policy.id))?;
    }
    for error in &decision.errors {
        let policy = error.policy.as_ref();
        let place = policy.map(|policy| place(&path(&policy.file), policy.line) + ": ");
        writeln!(out, "  error: {}{}", place.unwrap_or_default(), printable(&error.text))?;
    }
    if let Some(refusal) = strict {
        let refusal = printable(refusal);
        writeln!(out, "  a route that relaxes nothing refuses this request: {refusal}")?;
    }
    if let Some(explanation) = shown.explanation {
        writeln!(out)?;
        explain::print(out, explanation, shown.root)?;
    }
    Ok(())
}

fn to_json(decision: &Decision, strict: Option<&str>, shown: Shown<'_>) -> io::Result<Value> {
    let error = |error: &EvaluationError| json!({ "policy": error.policy.as_ref().map(policy_to_json), "text": error.text });
    let effects = &decision.effects;
    let mut document = json!({
        "outcome": decision.outcome.as_str(),
        "reason": decision.reason.as_str(),
        "policies": decision.policies.iter().map(policy_to_json).collect::<Vec<_>>(),
        "errors": decision.errors.iter().map(error).collect::<Vec<_>>(),
        "effects": {
            "http_status": effects.http_status,
            "body": effects.body,
            "headers": effects.headers,
            "response_headers_to_add": effects.response_headers_to_add,
            "request_headers_to_remove": effects.request_headers_to_remove,
        },
        "bundle": { "root": shown.root.display().to_string(), "digest": shown.digest },
        "strict_refusal": strict,
    });
    if let (Some(explanation), Value::Object(members)) = (shown.explanation, &mut document) {
        members.insert("explain".to_owned(), serde_json::to_value(explanation)?);
    }
    Ok(document)
}
