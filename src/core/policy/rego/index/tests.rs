//! What the index leaves out, what it decides itself, and that a request reads as its document does.

use serde_json::{Value as Json, json};

use super::*;
use crate::policy::rego::input::Reads;
use crate::policy::{Bundle, Files, PolicyWay, Revision};
use crate::request::AccessRequest;

fn load(body: &str) -> Bundle {
    let mut files = Files::default();
    let text = format!("package authz\n\nimport input.request as asked\n\n{body}\n");
    files.insert("authz.rego", text.into_bytes()).unwrap();
    let (bundle, _) = Bundle::load(&files, Revision::default()).unwrap();
    bundle
}

/// The ways of the definitions, in their order.
#[track_caller]
fn check(body: &str, expected: &str) {
    let words = |way: PolicyWay| way.way.as_str();
    let seen: Vec<_> = load(body).ways().into_iter().map(words).collect();
    assert_eq!(seen.join(" "), expected, "{body}");
}

#[test]
fn plain_comparisons_need_no_engine() {
    check("allow if input.request.method == \"GET\"", "native");
    check("allow if \"GET\" == input.request.method", "native");
    check("allow if asked.method in {\"GET\", \"HEAD\"}", "native");
    check(
        "allow if { startswith(input.request.path, \"/a\"); endswith(asked.path, \"b\") }",
        "native",
    );
    check("allow if not input.request.headers[\"x-a\"][0] == \"b\"", "native");
    check("allow if input.source.address.port < 1024", "native");
    check("allow if { input.source.jwt; input.source.jwt.claims.plan != null }", "native");
    check("deny contains \"a\" if input.request.method == \"PUT\"\nallow := true", "native native");
}

#[test]
fn a_rule_whose_first_tests_are_plain_is_found_by_them() {
    check("allow if { asked.method == \"GET\"; count(asked.segments) > 1 }", "interpreter");
    check("allow := asked.host if asked.method == \"GET\"", "interpreter");
    check("allow if { some s in asked.segments; s == \"a\"; asked.method == \"GET\" }", "always");
    check("allow if { asked.method == \"GET\" } else := false", "always");
    check("allow if count(asked.segments) > 1", "always");
}

#[test]
fn a_named_constant_and_a_helper_of_plain_comparisons_are_plain() {
    let web = "web := \"spiffe://td/web\"\nreaders := {\"GET\", \"HEAD\"}\n";
    check(&format!("allow if input.source.spiffe_id == web\n{web}"), "native");
    check(&format!("allow if asked.method in readers\n{web}"), "native");
    check(
        &format!(
            "allow if {{ reads; not inner }}\nreads if asked.method in readers\ndefault inner := false\ninner if startswith(asked.path, \"/inner\")\n{web}"
        ),
        "native",
    );
    check("allow if web == asked.host\nweb := lower(asked.host)", "always");
    check("allow if web\nweb := \"a\" if asked.host == \"a\"", "always");
    check("allow if web\ndefault web := true\nweb if asked.host == \"a\"", "always");
    check("allow if web\nweb if { some s in asked.segments; s == \"a\" }", "always");
}

#[test]
fn one_rule_of_those_behind_one_condition_that_may_raise_is_always_evaluated() {
    let gated = |path: &str| format!("allow if {{ inside; asked.path == \"{path}\" }}\n");
    let inside = "inside if startswith(lower(input.source.address.ip), \"10.\")";
    let rules = format!("{}{}{}{inside}", gated("/a"), gated("/b"), gated("/c"));
    check(&rules, "always interpreter interpreter");
    let other = "allow if { asked.method == \"GET\"; inside; asked.path == \"/d\" }\n";
    check(&format!("{}{other}{inside}", gated("/a")), "always interpreter");
}

#[test]
fn a_name_that_the_body_declares_is_no_input() {
    check("allow if { asked := {\"method\": \"GET\"}; asked.method == \"GET\" }", "always");
}

#[test]
fn every_fact_reads_as_the_document_does() {
    for described in requests() {
        let request = AccessRequest::described(&described).unwrap();
        let reads = Reads::everything();
        let subject = Subject::of_request(&request, reads);
        let document = Subject::of_document(subject.document().clone(), request.time);
        for path in facts::all().chain(paths()) {
            let place = Place::of(&path);
            let (seen, expected) = (place.read(&subject), place.read(&document));
            assert_eq!(format!("{seen:?}"), format!("{expected:?}"), "{path:?} of {described}");
        }
    }
}

fn requests() -> Vec<Json> {
    vec![
        json!({"path": "/"}),
        json!({"source": "spiffe://td/ns/a/sa/b", "method": "POST", "path": "/a/b%20c?q=1&q=2&r",
            "host": "orders.test", "headers": {"x-a": ["1", "2"], "x-b": "3"}}),
        json!({"source": "spiffe://td/a", "path": "/", "source_ip": "::1", "route": "r",
            "tls": {"version": "TLSv1.3", "cipher_suite": "c", "alpn": "h2", "sni": "s"},
            "certificate": {"serial": "01", "sha256": "ab", "issuer": "CN=a",
                "not_before": "2026-01-01T00:00:00Z", "not_after": "2026-01-01T01:00:00Z"},
            "jwt": {"claims": {"sub": "user-1", "plan": null, "n": 1.5, "groups": ["a", {"b": true}]}},
            "body": {"risk": 7, "list": [1, "2"]}}),
        json!({"path": "/", "body": null, "body_truncated": true}),
    ]
}

/// Paths that no fact answers.
fn paths() -> Vec<leaf::InputPath> {
    use leaf::{InputPath, Step};
    let texts = [
        "request.headers.x-a.0",
        "request.headers.x-a.1",
        "request.headers.x-a.2",
        "request.headers.X-A.0",
        "request.headers.x-a",
        "request.headers.none.0",
        "request.query.q.0",
        "request.query.q.1",
        "request.query.q.2",
        "request.query.r.0",
        "request.query.s.0",
        "request.query",
        "request.segments.0",
        "request.segments.1",
        "request.segments.7",
        "source.segments.0",
        "source.segments.9",
        "source.jwt",
        "source.jwt.claims",
        "source.jwt.claims.sub",
        "request.body",
        "request.body.a",
        "source.certificate",
        "tls",
        "nothing",
        "request.nothing.more",
        "0",
        "source.0",
    ];
    let step = |part: &str| match part.parse() {
        Ok(index) => Step::Index(index),
        Err(_) => Step::Key(part.to_owned()),
    };
    texts.iter().map(|text| InputPath(text.split('.').map(step).collect())).collect()
}
