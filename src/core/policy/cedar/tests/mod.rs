use std::rc::Rc;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::policy::{Bundle, Files, Revision, decide};

const EXAMPLE: [(&str, &str); 3] = [
    (".manifest", include_str!("../../../../../policies/cedar/.manifest")),
    ("orders.cedar", include_str!("../../../../../policies/cedar/orders.cedar")),
    ("entities.json", include_str!("../../../../../policies/cedar/entities.json")),
];

fn load(texts: &[(&str, &str)]) -> Result<(Bundle, Findings), Findings> {
    let mut files = Files::default();
    for (path, text) in texts {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    Bundle::load(&files, Revision::default())
}

/// What is decided about a described request, as one line.
fn decided(bundle: &Bundle, description: &Value) -> String {
    let request = AccessRequest::described(description).unwrap();
    let decision = decide(bundle, &request);
    let mut text = format!("{} {}", decision.outcome.as_str(), decision.reason.as_str());
    for policy in &decision.policies {
        text.push_str(&format!(" {}:{}:{}", policy.id, policy.file, policy.line));
    }
    for error in &decision.errors {
        text.push_str(&format!(" ({})", error.text));
    }
    text
}

/// Loads policies beside our schema and decides one request of `spiffe://td/ns/a/sa/web`.
#[track_caller]
fn check(policies: &str, extra: Value, expected: &str) {
    check_with(&[("p.cedar", policies)], extra, expected);
}

#[track_caller]
fn check_with(texts: &[(&str, &str)], extra: Value, expected: &str) {
    let (bundle, _) = load(texts).unwrap();
    let mut description = json!({
        "source": "spiffe://td/ns/a/sa/web", "method": "GET", "path": "/orders/17",
        "service": "orders", "route": "orders",
    });
    for (key, value) in extra.as_object().unwrap() {
        description[key] = value.clone();
    }
    assert_eq!(decided(&bundle, &description), expected);
}

/// The findings of a bundle that is refused, or the warnings of one that is not.
#[track_caller]
fn check_findings(texts: &[(&str, &str)], expected: Expect) {
    let findings = match load(texts) {
        Ok((_, findings)) => format!("loaded\n{findings}"),
        Err(findings) => findings.to_string(),
    };
    expected.assert_eq(&findings);
}

/// What a request comes to before any condition is evaluated.
fn prepared(policies: &Policies, request: &AccessRequest) -> (Rc<Slice>, Prepared) {
    let connection = &request.connection;
    let action = policies.actions.of_method(&request.head.method);
    let caller = connection.engine_values.cedar.caller(&policies.words, connection);
    let slice = policies.slice(action, caller, request);
    let prepared = policies.prepare(&slice, action, caller, request).unwrap();
    (slice, prepared)
}

mod decisions;
mod generated;
mod whole;
mod findings;
mod pitfalls;
mod limits;
mod typed;
