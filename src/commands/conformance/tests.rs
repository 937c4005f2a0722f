use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(suite: Suite, at_least: usize) {
    let results = results(suite, None).unwrap();
    let mut text = Vec::new();
    report::print(&mut text, suite.as_str(), &results, Format::Pretty).unwrap();
    let summary = Summary::of(&results);
    assert_eq!(summary.failed, 0, "{}", String::from_utf8_lossy(&text));
    assert!(summary.total() >= at_least, "{summary}");
}

#[test]
fn canonical_request_cases_hold() {
    check(Suite::CanonicalRequest, 60);
}

#[test]
fn the_shipped_policies_pass_every_kind_of_test() {
    check(Suite::Policy, 70);
    let results = results(Suite::Policy, None).unwrap();
    for suffix in ["_test.rego", ".cedar-tests.json", "_test.yaml"] {
        assert!(results.iter().any(|result| result.file.ends_with(suffix)), "{suffix}");
    }
}

#[test]
fn spiffe_id_cases_hold() {
    check(Suite::SpiffeId, 50);
}

/// Runs a suite on one file of cases; the outcomes in order.
fn outcomes(suite: Suite, cases: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let results = results(suite, Some(&file)).unwrap();
    results.iter().map(|result| result.outcome.as_str().to_owned()).collect()
}

#[test]
fn a_wrong_expectation_about_a_request_fails() {
    let head = "GET /a%2eb?x HTTP/1.1\r\nHost: A\r\nX-B: 1\r\n\r\n";
    let case = |id: &str, expect: Value| json!({ "id": id, "head": head, "expect": expect });
    let right = json!({ "method": "GET", "path": "/a.b", "query": "x", "host": "a",
                        "headers": { "x-b": ["1"] } });
    let cases = json!([
        case("right", right),
        case("path", json!({ "path": "/a%2eb" })),
        case("query", json!({ "query": null })),
        case("host", json!({ "host": "A" })),
        case("headers", json!({ "headers": {} })),
        case("refusal", json!({ "refuse": "request.host" })),
        { "id": "reason", "head": "GET //a HTTP/1.1\r\nHost: a", "expect": { "refuse": "request.host" } },
        { "id": "form", "head": "GET //a HTTP/1.1\r\nHost: a", "expect": { "path": "/a" } },
    ]);
    let failed = ["failed"; 7].map(str::to_owned);
    let outcomes = outcomes(Suite::CanonicalRequest, &cases);
    assert_eq!(outcomes[0], "passed");
    assert_eq!(outcomes[1..], failed);
}

#[test]
fn what_is_no_case_is_an_error() {
    let head = "GET / HTTP/1.1\r\nHost: a";
    let cases = json!([
        { "head": head, "expect": { "path": "/" } },
        { "id": "a", "head": head, "expect": {} },
        { "id": "a", "head": head, "expect": { "path": "/" } },
        { "id": "b", "head": head, "h2": [], "expect": { "path": "/" } },
        { "id": "c", "expect": { "path": "/" } },
        { "id": "d", "head": head, "expect": { "path": "/", "refuse": "request.host" } },
        { "id": "e", "head": head, "expect": { "pth": "/" } },
        { "id": "f", "head": head },
        7,
    ]);
    assert_eq!(outcomes(Suite::CanonicalRequest, &cases), ["errored"; 9]);
    assert_eq!(outcomes(Suite::CanonicalRequest, &json!({})), ["errored"]);
}

#[test]
fn a_wrong_expectation_about_an_id_fails() {
    let cases = json!([
        { "id": "a", "uri": "spiffe://td/a", "expected_id": "spiffe://td/a", "path": "/a" },
        { "id": "b", "uri": "spiffe://td/a", "expected_id": "spiffe://td/b" },
        { "id": "c", "uri": "spiffe://td/a", "expected_id": "spiffe://td/a", "path": "/b" },
        { "id": "d", "uri": "spiffe://td/a", "expected_reason": "id.scheme" },
        { "id": "e", "uri": "x://td/a", "expected_reason": "id.length" },
        { "id": "f", "uri": "x://td/a", "expected_id": "x://td/a" },
        { "id": "g", "uri": "x://td/a" },
    ]);
    let expected = ["passed", "failed", "failed", "failed", "failed", "failed", "errored"];
    assert_eq!(outcomes(Suite::SpiffeId, &cases), expected);
}

#[test]
fn the_list_of_expected_failures_applies_to_cases_from_elsewhere() {
    let head = "GET /a#b HTTP/1.1\r\nHost: a";
    let fails =
        json!([{ "id": "fragment", "head": head, "expect": { "refuse": "request.target_form" } }]);
    assert_eq!(outcomes(Suite::CanonicalRequest, &fails), ["skipped"]);
    let passes = json!([{ "id": "fragment", "head": head, "expect": { "path": "/a" } }]);
    assert_eq!(outcomes(Suite::CanonicalRequest, &passes), ["failed"]);
}

#[test]
fn cases_that_cannot_be_read_are_an_error_of_the_command() {
    assert!(results(Suite::SpiffeId, Some(Path::new("/nonexistent"))).is_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(results(Suite::SpiffeId, Some(empty.path())).is_err());
}

#[track_caller]
fn validator(schema: &str) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(schema).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[test]
fn cases_are_what_the_published_schemas_say() {
    let suites = [
        (
            embedded::CANONICAL_REQUEST,
            include_str!("../../../schemas/canonical-request-cases.json"),
        ),
        (embedded::SPIFFE_ID, include_str!("../../../schemas/spiffe-id-cases.json")),
    ];
    for (files, schema) in suites {
        let validator = validator(schema);
        for (name, text) in files {
            let cases: Value = serde_json::from_str(text).unwrap();
            let error = validator.iter_errors(&cases).next().map(|error| error.to_string());
            assert_eq!(error, None, "{name}");
        }
        assert!(!validator.is_valid(&json!([{ "id": "a" }])));
    }
}

#[test]
fn every_file_that_comes_with_the_program_is_listed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (suite, listed) in [
        ("policies", shipped::POLICIES),
        ("conformance/canonical-request/cases", embedded::CANONICAL_REQUEST),
        ("conformance/spiffe-id/cases", embedded::SPIFFE_ID),
        ("conformance/cedar/cases", embedded::CEDAR),
    ] {
        let files = read::files_of(&root.join(suite)).unwrap();
        let mut listed: Vec<_> = listed.iter().map(|(name, _)| (*name).to_owned()).collect();
        listed.sort();
        let found: Vec<_> = files.iter().map(|(name, _)| format!("{suite}/{name}")).collect();
        assert_eq!(listed, found);
    }
}
