//! The decision forms of the plugin, through its own entry point.

use super::{asks, authz, line, load};
use crate::policy::{Effects, Outcome};

#[track_caller]
fn check(module: &str, expected: &str) {
    let verdict = authz(module).evaluate(&asks(None, "GET /", &[]));
    assert_eq!(line(&verdict), expected, "{module}");
}

#[track_caller]
fn check_effects(module: &str, outcome: Outcome, expected: &Effects) {
    let verdict = authz(module).evaluate(&asks(None, "GET /", &[("x-a", "1")]));
    assert_eq!((verdict.outcome, &verdict.effects), (outcome, expected), "{module}");
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_boolean_decides() {
    check(
        "default allow = false\nallow if input.attributes.request.http.method == \"GET\"",
        "allow allowed authz.rego:3",
    );
    check(
        "default allow = false\nallow if input.attributes.request.http.method == \"PUT\"",
        "deny not_allowed",
    );
    check("allow if input.attributes.request.http.method == \"PUT\"", "deny undefined");
}

#[test]
fn what_the_plugin_calls_an_error_denies() {
    check("allow := {}", "deny bad_result authz.rego:2 | the decision has no field `allowed`");
    check(
        "allow := {\"allowed\": 1}",
        "deny bad_result authz.rego:2 | the decision's `allowed` is not a boolean",
    );
    check(
        "allow := {\"allowed\": \"true\"}",
        "deny bad_result authz.rego:2 | the decision's `allowed` is not a boolean",
    );
    check(
        "allow := \"yes\"",
        "deny bad_result authz.rego:2 | the decision is a string, not a boolean or an object",
    );
    check(
        "allow := null",
        "deny bad_result authz.rego:2 | the decision is null, not a boolean or an object",
    );
    check(
        "allow := {\"allowed\": true, \"http_status\": 999}",
        "deny bad_result authz.rego:2 | the decision's `http_status` is not a known status from 200 on",
    );
    check(
        "allow := {\"allowed\": true, \"headers\": {\"x-a\": 1}}",
        "deny bad_result authz.rego:2 | the decision's `headers` has an invalid value for `x-a`",
    );
    check(
        "allow := {\"allowed\": true, \"headers\": [[\"x-a\", \"1\"]]}",
        "deny bad_result authz.rego:2 | the decision's `headers` is not an object of headers",
    );
}

#[test]
fn what_a_sidecar_cannot_honour_is_refused_by_name() {
    let metadata = "nothing reads metadata behind this proxy";
    let query = "it would change what was decided on";
    for (field, value, why) in [
        ("dynamic_metadata", "{\"a\": 1}", metadata),
        ("query_parameters_to_remove", "[\"a\"]", query),
        ("query_parameters_to_set", "{\"a\": \"1\"}", query),
    ] {
        let module = format!("allow := {{\"allowed\": true, \"{field}\": {value}}}");
        let text = format!("the decision has a field `{field}`, which is not honoured: {why}");
        check(&module, &format!("deny bad_result authz.rego:2 | {text}"));
    }
    let typo = "the decision has a field `alowed`, which is not honoured";
    check(
        "allow := {\"allowed\": true, \"alowed\": 1}",
        &format!("deny bad_result authz.rego:2 | {typo}"),
    );
}

#[test]
fn an_allowing_object_changes_headers() {
    check_effects(
        "allow := {\n\
            \"allowed\": true,\n\
            \"headers\": {\"x-current-user\": \"web\", \"x-roles\": [\"a\", \"b\"]},\n\
            \"response_headers_to_add\": [{\"x-served\": \"1\"}, {\"x-also\": [\"2\"]}],\n\
            \"request_headers_to_remove\": [\"x-a\"],\n\
        }",
        Outcome::Allow,
        &Effects {
            headers: pairs(&[("x-current-user", "web"), ("x-roles", "a"), ("x-roles", "b")]),
            response_headers_to_add: pairs(&[("x-served", "1"), ("x-also", "2")]),
            request_headers_to_remove: vec!["x-a".to_owned()],
            ..Effects::default()
        },
    );
}

#[test]
fn a_denying_object_writes_the_response() {
    let response = Effects {
        http_status: Some(401),
        body: Some("who are you?".to_owned()),
        headers: pairs(&[("www-authenticate", "Basic")]),
        ..Effects::default()
    };
    check_effects(
        "default allow := {\"allowed\": false, \"http_status\": 401, \"body\": \"who are you?\",\n\
            \"headers\": {\"www-authenticate\": \"Basic\"}}\n\
         allow := {\"allowed\": true} if input.attributes.request.http.headers.authorization",
        Outcome::Deny,
        &response,
    );
    // A bad result leaves nothing of the object behind.
    let bad = "allow := {\"allowed\": false, \"body\": \"secret\", \"http_status\": \"401\"}";
    check_effects(bad, Outcome::Deny, &Effects::default());
}

#[test]
fn reserved_headers_are_not_a_policys_to_set() {
    for name in ["x-spiffe-id", "X-Forwarded-Client-Cert", "host", "expect", "proxy-authorization"]
    {
        for field in ["headers", "response_headers_to_add"] {
            let module =
                format!("allow := {{\"allowed\": true, \"{field}\": {{\"{name}\": \"a\"}}}}");
            let seen = line(&authz(&module).evaluate(&asks(None, "GET /", &[])));
            assert!(seen.starts_with("deny bad_result"), "{name}: {seen}");
            assert!(seen.ends_with("which no policy may change"), "{name}: {seen}");
        }
    }
}

/// The plugin's `path` may name any rule; `deny` beside it is another rule, which it never asks for.
#[test]
fn every_form_of_the_entry_point_is_the_same_rule() {
    let module = "package envoy.authz\n\
        default result := {\"allowed\": false}\n\
        result := {\"allowed\": true} if input.parsed_path == [\"\"]\n\
        default allow := false\n\
        allow if input.parsed_path == [\"other\"]\n\
        deny := true";
    for (entrypoint, expected) in [
        ("envoy/authz/result", "allow allowed p.rego:3"),
        ("/envoy/authz/result", "allow allowed p.rego:3"),
        ("data.envoy.authz.result", "allow allowed p.rego:3"),
        ("envoy/authz/allow", "deny not_allowed"),
        ("envoy.authz", "deny forbidden p.rego:6"),
    ] {
        let policies = load(&[("p.rego", module)], entrypoint).unwrap();
        let request = asks(None, "GET /", &[]);
        assert_eq!(line(&policies.evaluate(&request)), expected, "{entrypoint}");
    }
    let absent = load(&[("p.rego", module)], "envoy/authz/alow").unwrap_err();
    assert!(absent.contains("is no package and no rule of the bundle"), "{absent}");
}
