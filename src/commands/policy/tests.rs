//! Whole runs over folders, with both engines.

use std::path::Path;

use portreeve_core::policy::Files;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};

use super::test::results;
use super::work::here;

const CEDAR: &str = r#"@id("web")
permit (
  principal == Workload::"spiffe://td/web",
  action in Action::"http",
  resource
);
@id("tenant")
forbid (principal, action in Action::"http", resource)
unless { context.headers.hasTag("x-tenant") };
"#;
const REGO: &str = "package authz\n\nallow if input.source.spiffe_id == \"spiffe://td/web\"\n\n\
                    deny contains \"tenant\" if not input.request.headers[\"x-tenant\"]\n";
const BROKEN: &str = "package authz\n\n\
    allow if sum(same(input.request.headers.authorization[0])) == 1\n\nsame(x) := x\n";

fn files(list: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, text) in list {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    files
}

fn run(list: &[(&str, &str)], pattern: Option<&str>) -> Vec<CaseResult> {
    results(&files(list), Path::new("p"), pattern, |task, files| Ok(here(task, files))).unwrap()
}

/// Runs one case of our format against a policy.
fn outcome(policy: (&str, &str), case: &str) -> CaseResult {
    let text = format!("cases:\n  - name: a\n    {}\n", case.replace('\n', "\n    "));
    let mut results = run(&[policy, ("a_test.yaml", &text)], None);
    assert_eq!(results.len(), 1, "{results:?}");
    results.remove(0)
}

#[track_caller]
fn check(case: &str, expected: &str) {
    for policy in [("a.cedar", CEDAR), ("a.rego", REGO)] {
        let seen = outcome(policy, case);
        assert_eq!(seen.outcome.as_str(), expected, "{}: {seen:?}", policy.0);
        assert_eq!((seen.file.as_str(), seen.line), ("p/a_test.yaml", 2));
    }
}

#[test]
fn one_case_holds_in_either_language_and_a_wrong_one_fails_in_either() {
    let web = "request: {source: spiffe://td/web, path: /a, headers: {x-tenant: a}}\n";
    check(&format!("{web}expect: allow"), "passed");
    check(&format!("{web}expect: allow\nreason: allowed"), "passed");
    check(&format!("{web}expect: deny"), "failed");
    check(&format!("{web}expect: error"), "failed");
    check(&format!("{web}expect: allow\npolicy: other"), "failed");
    let forbidden = "request: {source: spiffe://td/web, path: /a}\n";
    check(&format!("{forbidden}expect: deny\nreason: forbidden"), "passed");
    check(&format!("{forbidden}expect: deny\nreason: not_allowed"), "failed");
    check(&format!("{forbidden}expect: allow"), "failed");
}

#[test]
fn the_deciding_policy_is_named_by_id_or_by_place() {
    let web =
        "request: {source: spiffe://td/web, path: /a, headers: {x-tenant: a}}\nexpect: allow\n";
    for (policy, named) in [
        (("a.cedar", CEDAR), ["web", "a.cedar:1"]),
        (("a.rego", REGO), ["data.authz.allow", "a.rego:3"]),
    ] {
        for name in named {
            let seen = outcome(policy, &format!("{web}policy: {name}"));
            assert_eq!(seen.outcome.as_str(), "passed", "{seen:?}");
        }
        let seen = outcome(policy, &format!("{web}policy: {}:2", policy.0));
        assert_eq!(seen.outcome.as_str(), "failed", "{seen:?}");
    }
}

#[test]
fn a_request_that_does_not_fit_the_schema_is_an_error_even_where_a_denial_is_expected() {
    for request in [
        "request: {path: /a, sorce: spiffe://td/web}",
        "request: {path: /a, source: web}",
        "request: {path: a}",
        "request: {}",
        "request: 1",
        "input: {}",
        "input: {request: {path: /a}, surplus: 1}",
    ] {
        check(&format!("{request}\nexpect: deny"), "errored");
    }
}

#[test]
fn both_languages_of_one_bundle_decide_together() {
    let rego = "package authz\n\nallow if input.request.method == \"GET\"\n";
    let case = |method: &str, expect: &str| {
        format!(
            "  - name: {method}\n    request: {{source: spiffe://td/web, method: {method}, \
                 path: /a, headers: {{x-tenant: a}}}}\n    expect: {expect}\n"
        )
    };
    let text = format!("cases:\n{}{}", case("GET", "allow"), case("PUT", "deny"));
    let seen = run(&[("a.cedar", CEDAR), ("a.rego", rego), ("a_test.yaml", &text)], None);
    let seen: Vec<_> = seen.iter().map(|r| (r.name.as_str(), r.outcome.as_str())).collect();
    assert_eq!(seen, [("GET", "passed"), ("PUT", "passed")]);
}

#[test]
fn a_credential_that_an_error_quotes_is_masked() {
    let case = "request: {source: spiffe://td/web, path: /a, headers: {authorization: Bearer s3cr3t-token}}\nexpect: allow";
    let seen = outcome(("a.rego", BROKEN), case);
    let text = format!("{seen:?}");
    assert_eq!(seen.outcome.as_str(), "failed", "{text}");
    assert!(text.contains("policy_error") && text.contains("***"), "{text}");
    assert!(!text.contains("s3cr3t"), "{text}");
}

#[test]
fn a_failed_case_is_told_with_its_request_and_the_place_of_what_decided() {
    let case = "request: {source: spiffe://td/web, path: '/a?k=s3cr3t-a', headers: {x-tenant: \
                s3cr3t-b, accept: text/html}}\nexpect: deny";
    for (policy, by) in [
        (("a.cedar", CEDAR), "web at p/a.cedar:1"),
        (("a.rego", REGO), "data.authz.allow at p/a.rego:3"),
    ] {
        let seen = outcome(policy, case);
        let CaseOutcome::Failed { actual, .. } = &seen.outcome else { panic!("{seen:?}") };
        assert_eq!(*actual, format!("allow (allowed) by {by}"));
        let request = seen.evidence.request.as_ref().unwrap();
        assert_eq!(request["path"], "/a?k=***");
        assert_eq!(
            request["headers"],
            serde_json::json!({"x-tenant": "***", "accept": "text/html"})
        );
        assert!(!format!("{seen:?}").contains("s3cr3t") && seen.duration.is_some(), "{seen:?}");
    }
}

#[test]
fn a_case_says_what_its_route_relaxes() {
    let case =
        "request: {source: spiffe://td/web, path: /a//b, headers: {x-tenant: a}}\nexpect: allow";
    check(case, "errored");
    check(&format!("{case}\nrelax: [empty_segments]"), "passed");
    check(&format!("{case}\nrelax: [encoded_slashes]"), "errored");
    for wrong in ["relax: [everything]", "relax: empty_segments"] {
        let seen = outcome(("a.rego", REGO), &format!("{case}\n{wrong}"));
        assert_eq!((seen.outcome.as_str(), seen.line), ("errored", 5), "{seen:?}");
    }
}

#[test]
fn a_cedar_test_that_fails_is_told_without_what_its_headers_hold() {
    let test = r#"[{"name": "t", "request": {"principal": "Workload::\"spiffe://td/web\"",
        "action": "Action::\"GET\"", "resource": "Route::\"default\"",
        "context": {"headers": {"authorization": "s3cr3t-c"}}},
        "entities": [], "decision": "allow", "reason": [], "num_errors": 0}]"#;
    let seen = run(&[("a.cedar", CEDAR), ("a.cedar-tests.json", test)], None);
    let [only] = seen.as_slice() else { panic!("{seen:?}") };
    let request = only.evidence.request.as_ref().unwrap();
    assert_eq!(request["context"]["headers"]["authorization"], "***");
    assert!(!format!("{only:?}").contains("s3cr3t"), "{only:?}");
}

#[test]
fn a_pattern_may_be_a_regular_expression() {
    let tests = "package b_test\ntest_a if true\ntest_b if true\ntest_ab if true\n";
    let list = [("a.rego", REGO), ("b_test.rego", tests)];
    let names = |pattern| {
        let seen = run(&list, Some(pattern));
        seen.iter().map(|r| r.name.replace("data.b_test.", "")).collect::<Vec<_>>()
    };
    assert_eq!(names("test_a"), ["test_a", "test_ab"]);
    assert_eq!(names("test_[ab]$"), ["test_a", "test_b"]);
}

#[test]
fn a_bundle_that_does_not_load_fails_with_its_findings() {
    let seen = run(&[("a.cedar", "permit (principal, action"), ("a_test.yaml", "")], None);
    let [only] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((only.file.as_str(), only.outcome.as_str()), ("p", "errored"));
    assert!(format!("{only:?}").contains("a.cedar:1"), "{only:?}");
}

#[test]
fn every_bundle_of_a_folder_is_tested_under_its_own_policies() {
    let web = |expect: &str| {
        format!(
            "cases: [{{name: b, request: {{source: spiffe://td/web, path: /a}}, expect: {expect}}}]"
        )
    };
    let everyone = "permit (principal, action, resource);";
    let list = [
        ("a/.manifest", "{}"),
        ("a/a.cedar", everyone),
        ("a/a_test.yaml", &web("allow")),
        ("b/c/.manifest", "{}"),
        ("b/c/a.rego", REGO),
        ("b/c/a_test.yaml", &web("deny")),
        ("b/c/b_test.rego", "package b_test\ntest_b if true\n"),
    ];
    let seen = run(&list, None);
    let seen: Vec<_> = seen.iter().map(|r| (r.file.as_str(), r.outcome.as_str())).collect();
    let expected = [
        ("p/a/a_test.yaml", "passed"),
        ("p/b/c/a_test.yaml", "passed"),
        ("p/b/c/b_test.rego", "passed"),
    ];
    assert_eq!(seen, expected);
    let named = run(&list, Some("test_b"));
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(run(&list, Some("nothing is named so")).is_empty());
}

#[test]
fn cedars_own_tests_run_on_the_bundles_policies() {
    let context = r#"{"direction": "inbound", "method": "GET", "scheme": "https", "host": "a", "path": "/a",
        "segments": ["a"], "segment_count": 1, "query": {"__entity": {"type": "Query", "id": "request"}},
        "headers": {"__entity": {"type": "Headers", "id": "request"}}, "protocol": "HTTP/2",
        "source_ip": {"__extn": {"fn": "ip", "arg": "10.0.0.7"}},
        "now": {"__extn": {"fn": "datetime", "arg": "2026-01-01T00:00:00.000Z"}}}"#;
    let test = |decision: &str, reason: &str| {
        format!(
            r#"[{{"request": {{"principal": "Workload::\"spiffe://td/web\"", "action": "Action::\"GET\"",
            "resource": "Route::\"default\"", "context": {context}}}, "entities": "store.json",
            "decision": "{decision}", "reason": ["{reason}"], "num_errors": 0}}]"#
        )
    };
    let entities = r#"[{"uid": {"type": "Headers", "id": "request"}, "attrs": {}, "parents": [],
        "tags": {"x-tenant": ["a"]}}]"#;
    for (decision, reason, expected) in
        [("allow", "web", "passed"), ("allow", "tenant", "failed"), ("deny", "web", "failed")]
    {
        let text = test(decision, reason);
        let list =
            [("a.cedar", CEDAR), ("t/a.cedar-tests.json", &*text), ("t/store.json", entities)];
        let seen = run(&list, None);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0].outcome.as_str(), expected, "{seen:?}");
    }
    let without = run(&[("a.rego", REGO), ("a.cedar-tests.json", &test("allow", "web"))], None);
    assert_eq!(without[0].outcome.as_str(), "errored");
}

#[test]
fn the_shape_of_our_cases_is_published() {
    let schema = include_str!("../../../schemas/policy-cases.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let request = r#"{"source": "spiffe://td/web", "path": "/a", "headers": {"x-tenant": ["a"]}}"#;
    for (case, is_valid) in [
        (r#""request": REQUEST, "expect": "allow""#, true),
        (r#""request": REQUEST, "expect": "allow", "reason": "allowed", "policy": "web""#, true),
        (r#""request": REQUEST, "expect": "permit""#, false),
        (r#""request": REQUEST, "expect": "allow", "reason": "because""#, false),
        (r#""request": REQUEST, "expect": "allow", "more": 1"#, false),
        (r#""request": REQUEST"#, false),
        (r#""expect": "allow""#, false),
        (r#""request": {"path": "/a", "sorce": "x"}, "expect": "deny""#, false),
    ] {
        let text =
            format!(r#"{{"cases": [{{"name": "a", {}}}]}}"#, case.replace("REQUEST", request));
        let value = serde_json::from_str(&text).unwrap();
        assert_eq!(validator.is_valid(&value), is_valid, "{text}");
        // JSON is YAML: the reader must agree with the schema.
        let seen = run(&[("a.cedar", CEDAR), ("a_test.yaml", &text)], None);
        assert_eq!(seen[0].outcome.as_str() != "errored", is_valid, "{seen:?}");
    }
}
