//! Policies on which engines disagree about errors; what the interpreter says is the meaning.
//!
//! `input.` stands for the request's body, where a loaded policy may read anything.

use serde_json::{Value, json};

use super::*;
use crate::Timestamp;
use crate::policy::decide::Verdict;
use crate::request::AccessRequest;

/// Decides in every way; all must say the outcome.
#[track_caller]
fn check(policy: &str, input: Value, expected: &str) {
    let policy = format!("package authz\ndefault allow := false\n{policy}");
    let policy = policy.replace("input.", "input.request.body.");
    let bundle = load(&files(&[("p.rego", &policy)]));
    let rego = bundle.rego().unwrap();
    let described = json!({ "path": "/", "body": input });
    let request = AccessRequest::described(&described).unwrap();
    let bare = json!({ "request": { "body": input } });
    let now = Timestamp::from_unix_seconds(0);
    let whole = rego.evaluate_whole(bare.clone().into(), now);
    let outcome = |verdict: &Verdict| verdict.outcome.as_str();
    assert_eq!(outcome(&whole), expected, "{policy}\n{input}");
    assert_eq!(whole.errors.is_empty(), expected != "error", "{policy}\n{input}");
    for verdict in [
        rego.evaluate_document(bare.into(), now),
        rego.evaluate_whole(rego.document(&request), request.time),
        rego.evaluate_document(rego.document(&request), request.time),
        rego.evaluate(&request),
        bundle.evaluate(&request),
    ] {
        assert_eq!(verdict, whole, "{policy}\n{input}");
    }
}

#[test]
fn a1_a_helper_under_not_meets_a_list() {
    let policy = "allow if { input.u == \"a\"; not blocked }\n\
                  blocked if startswith(input.headers[\"x-tenant\"], \"evil\")";
    check(policy, json!({"u": "a", "headers": {"x-tenant": ["evil"]}}), "error");
    check(policy, json!({"u": "a", "headers": {"x-tenant": "evil"}}), "deny");
    check(policy, json!({"u": "a", "headers": {"x-tenant": "acme"}}), "allow");
    check(policy, json!({"u": "a"}), "allow");
    check(policy, json!({"u": "b", "headers": {"x-tenant": ["evil"]}}), "deny");
}

#[test]
fn a2_the_second_of_two_rules_meets_a_list() {
    let policy = "allow if input.u == \"a\"\nallow if startswith(input.p, \"/x\")";
    check(policy, json!({"u": "a", "p": ["/x"]}), "error");
    check(policy, json!({"u": "a", "p": "/y"}), "allow");
    check(policy, json!({"u": "b", "p": "/x"}), "allow");
    check(policy, json!({"u": "b", "p": "/y"}), "deny");
}

#[test]
fn a3_types_have_an_order() {
    let policy = "allow if not blocked\nblocked if input.risk > 5";
    check(policy, json!({"risk": "high"}), "deny");
    check(policy, json!({"risk": 6}), "deny");
    check(policy, json!({"risk": 5}), "allow");
}

#[test]
fn a4_two_values_of_one_rule() {
    let policy = "allow if not tier == \"bad\"\n\
                  tier := \"good\" if input.a\ntier := \"bad\" if input.b";
    check(policy, json!({"a": true, "b": true}), "error");
    check(policy, json!({"a": true}), "allow");
    check(policy, json!({"b": true}), "deny");
}

#[test]
fn a5_a6_arithmetic_under_not() {
    let policy = "allow if not over\nover if input.n + 1 > 5";
    check(policy, json!({"n": "9"}), "error");
    check(policy, json!({"n": 9}), "deny");
    check(policy, json!({"n": 1}), "allow");
    let policy = "allow if not over\nover if 10 / input.n > 5";
    check(policy, json!({"n": 0}), "error");
    check(policy, json!({"n": 1}), "deny");
    check(policy, json!({"n": 9}), "allow");
}

#[test]
fn a9_a_count_under_not() {
    let policy = "allow if not many\nmany if count(input.l) > 3";
    check(policy, json!({"l": 7}), "error");
    check(policy, json!({"l": [1, 2, 3, 4]}), "deny");
    check(policy, json!({"l": []}), "allow");
}

#[test]
fn a10_one_member_of_a_loop_under_not() {
    let policy = "allow if not bad\nbad if { some x in input.l; startswith(x, \"b\") }";
    check(policy, json!({"l": ["a", 1, "b"]}), "error");
    check(policy, json!({"l": ["a", "b"]}), "deny");
    check(policy, json!({"l": ["a"]}), "allow");
}

#[test]
fn a11_two_values_of_one_function() {
    let policy = "allow if not f(input.a) == 1\nf(x) := 1 if x > 0\nf(x) := 2 if x > 1";
    check(policy, json!({"a": 5}), "error");
    check(policy, json!({"a": 1}), "deny");
    check(policy, json!({"a": 0}), "allow");
}
