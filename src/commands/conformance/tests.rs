use std::io::Write as _;

use portreeve_core::policy::differential::Evidence;
use portreeve_core::spiffe::reasons;
use serde_json::{Value, json};

use super::*;

#[track_caller]
fn check(suite: Suite, at_least: usize) {
    let results = results(suite, None, None).unwrap();
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
    let results = results(Suite::Policy, None, None).unwrap();
    for suffix in ["_test.rego", ".cedar-tests.json", "_test.yaml"] {
        assert!(results.iter().any(|result| result.file.ends_with(suffix)), "{suffix}");
    }
}

#[test]
fn spiffe_id_cases_hold() {
    check(Suite::SpiffeId, 560);
}

#[test]
fn spiffe_x509_cases_hold() {
    check(Suite::SpiffeX509, 500);
}

#[test]
fn spiffe_jwt_cases_hold() {
    check(Suite::SpiffeJwt, 400);
}

#[test]
fn every_reason_of_a_token_has_a_case() {
    let schema = include_str!("../../../schemas/spiffe-jwt-cases.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let reasons = &schema["items"]["properties"]["expected_reason"]["enum"];
    let reasons: Vec<String> = serde_json::from_value(reasons.clone()).unwrap();
    assert!(reasons.len() > 20);
    for reason in reasons {
        let wanted = format!("\"expected_reason\": \"{reason}\"");
        let has_case = embedded::SPIFFE_JWT.iter().any(|(_, text)| text.contains(&wanted));
        assert!(has_case, "{reason}");
    }
}

#[test]
fn every_reason_that_a_case_expects_is_listed() {
    let mut expected = std::collections::BTreeSet::new();
    for (name, text) in
        [embedded::SPIFFE_ID, embedded::SPIFFE_X509, embedded::SPIFFE_JWT].into_iter().flatten()
    {
        let cases: Vec<Value> = serde_json::from_str(text).unwrap();
        for case in &cases {
            let Some(reason) = case.get("expected_reason") else { continue };
            let reason = reason.as_str().unwrap();
            assert!(reasons::find(reason).is_some(), "{name}: {}: {reason}", case["id"]);
            expected.insert(reason.to_owned());
        }
    }
    assert!(expected.len() > 60, "{expected:?}");
}

/// Nothing that they call invalid is accepted; valid ones that no JWT-SVID may be are listed.
#[test]
fn jws_vectors_of_wycheproof_hold() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/fixtures/wycheproof/testvectors_v1");
    if !Path::new(root).exists() {
        let _ = writeln!(std::io::stderr(), "skipped: no fixtures");
        return;
    }
    let results = results(Suite::SpiffeJwt, Some(Path::new(root)), None).unwrap();
    let summary = Summary::of(&results);
    assert_eq!((summary.total(), summary.failed), (510, 0), "{summary}");
    let skipped = results.iter().filter(|result| result.outcome.as_str() == "skipped");
    assert!(skipped.count() < 30);
}

#[test]
fn cedar_cases_hold() {
    check(Suite::Cedar, 8);
}

#[test]
fn rego_cases_hold() {
    check(Suite::Rego, 30);
}

/// Nothing unlisted differs, and what was compared is not empty: in each of the large bundles and of the typical
/// ones together there are all outcomes, and every value that they read was of every kind.
#[test]
fn every_way_of_evaluating_equals_the_meaning() {
    let tried = evaluation::run(None, evaluation::Options::default()).unwrap();
    let listed = expected::failures(embedded::expected_failures(Suite::Evaluation)).unwrap();
    let mut by_kind = std::collections::BTreeMap::<&str, Evidence>::new();
    for (name, evidence) in tried.iter().map(|tried| (tried.name(), &tried.evidence)) {
        let evidence = evidence.clone().unwrap_or_else(|message| panic!("{name}: {message}"));
        let first = evidence.differences.first().filter(|_| !listed.contains_key(name));
        assert_eq!(first, None, "{name}");
        let kind = name.split_once('/').map_or(name, |(folder, _)| folder);
        by_kind.entry(kind).or_default().join(evidence);
    }
    let mut all = Evidence::default();
    for (kind, evidence) in by_kind {
        assert!(evidence.allows > 0 && evidence.denies > 0, "{kind}: {evidence}");
        // What is shipped asks nothing that could raise an error on a request.
        let is_shipped = kind.starts_with("rego") || kind == "cedar";
        assert!(is_shipped || evidence.errors > 0, "{kind}: {evidence}");
        all.join(evidence);
    }
    assert!(all.inputs > 1_800 && all.compared > all.inputs, "{all}");
}

/// Runs a suite on one file of cases; the outcomes in order.
fn outcomes(suite: Suite, cases: &Value) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.json");
    std::fs::write(&file, cases.to_string()).unwrap();
    let results = results(suite, Some(&file), None).unwrap();
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
fn a_wrong_expectation_about_a_token_fails() {
    let (_, text) = embedded::SPIFFE_JWT[3];
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    let with = |index: usize, id: &str, name: &str, value: Value| {
        let mut case = cases[index].clone();
        let members = case.as_object_mut().unwrap();
        members.retain(|name, _| !name.starts_with("expected"));
        members.insert("id".to_owned(), json!(id));
        members.insert(name.to_owned(), value);
        case
    };
    let id = "spiffe://prod.example/ns/shop/sa/web";
    let mut both = with(0, "f", "expected_id", json!(id));
    both["expected_reason"] = json!("jwt.expired");
    let cases = json!([
        with(0, "a", "expected_id", json!(id)),
        with(0, "b", "expected_id", json!("spiffe://prod.example/other")),
        with(0, "c", "expected_reason", json!("jwt.signature")),
        with(1, "d", "expected_reason", json!("jwt.signature")),
        with(1, "e", "expected_id", json!(id)),
        both,
        with(0, "g", "bundles", json!({ "A": {} })),
    ]);
    let expected = ["passed", "failed", "failed", "failed", "failed", "errored", "errored"];
    assert_eq!(outcomes(Suite::SpiffeJwt, &cases), expected);
}

#[test]
fn a_wrong_expectation_about_a_vector_fails() {
    let (_, text) = embedded::SPIFFE_JWT[3];
    let good: Vec<Value> = serde_json::from_str(text).unwrap();
    let key = good[0]["bundles"]["prod.example"]["keys"][0].clone();
    let vector = |id: u32, token: &Value, result: &str| json!({ "tcId": id, "comment": "", "jws": token, "result": result });
    let (right, wrong) = (&good[0]["token"], &json!("a.b.c"));
    let tests = json!([
        vector(1, right, "valid"),
        vector(2, right, "invalid"),
        vector(3, wrong, "invalid"),
        vector(4, wrong, "valid"),
        { "tcId": 5, "comment": "", "result": "valid" },
    ]);
    let vectors = json!({ "testGroups": [{ "public": key, "tests": tests }] });
    let expected = ["passed", "failed", "passed", "failed", "errored"];
    assert_eq!(outcomes(Suite::SpiffeJwt, &vectors), expected);
}

/// Archives beside each other, and each by itself, hold the same cases.
#[test]
fn cedar_cases_come_from_archives_too() {
    let mut builder =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, text) in embedded::CEDAR {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    let packed = builder.into_inner().unwrap().finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.tar.gz", "b.tar.gz"] {
        std::fs::write(folder.path().join(name), &packed).unwrap();
    }
    let count = |cases: Option<&Path>| {
        let results = results(Suite::Cedar, cases, None).unwrap();
        assert_eq!(Summary::of(&results).failed, 0);
        results.len()
    };
    let embedded = count(None);
    assert_eq!(count(Some(&folder.path().join("a.tar.gz"))), embedded);
    assert_eq!(count(Some(folder.path())), 2 * embedded);
}

/// A case with a module `package test` and the query `data.test.p = x`.
fn rego_case(module: &str, wanted: &Value) -> Value {
    let mut case = json!({ "note": "a", "modules": [format!("package test\n\n{module}")],
                           "query": "data.test.p = x", "input": { "n": 1 } });
    case.as_object_mut().unwrap().extend(wanted.as_object().unwrap().clone());
    case
}

#[test]
fn a_wrong_expectation_about_a_query_fails() {
    let error = |code: &str| json!({ "want_error_code": code, "strict_error": true });
    let cases = json!([
        rego_case("p := {2, 1}", &json!({ "want_result": [{ "x": [1, 2] }] })),
        rego_case("p := {2, 1}", &json!({ "want_result": [{ "x": [2, 1] }] })),
        rego_case("p := {2, 1}", &json!({ "want_result": [] })),
        rego_case("p if input.n == 2", &json!({ "want_result": [{ "x": true }] })),
        rego_case("p if input.n == 2", &json!({ "want_defined": true })),
        rego_case("p := lower(input.n)", &json!({ "want_result": [] })),
        rego_case("p := lower(input.n)", &error("eval_conflict_error")),
        rego_case("p := lower(input.n)", &error("rego_type_error")),
        rego_case("p := nothing(1)", &error("eval_builtin_error")),
        rego_case("p := 1", &error("eval_builtin_error")),
        rego_case("p := strings.count(\"a\", \"\")", &error("eval_builtin_error")),
    ]);
    let outcomes = outcomes(Suite::Rego, &cases);
    assert_eq!(outcomes[0], "passed");
    assert_eq!(outcomes[1..], ["failed"; 10].map(str::to_owned));
}

#[test]
fn what_is_no_rego_case_is_an_error() {
    let cases = json!([
        { "modules": [], "query": "x = 1", "want_result": [] },
        { "note": "a", "query": "x = 1" },
        { "note": "a", "want_result": [] },
        { "note": "a", "query": "x = 1", "modules": [7], "want_result": [] },
        { "note": "a", "query": "x = 1", "want_error_code": "other" },
        7,
    ]);
    assert_eq!(outcomes(Suite::Rego, &cases), ["errored"; 6]);
    assert_eq!(outcomes(Suite::Rego, &json!({ "case": [] })), ["errored"]);
}

#[test]
fn rego_cases_are_also_yaml_and_stand_under_cases() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "cases:\n- note: a\n  query: x = 1\n  want_result: [{x: 1}]\n";
    std::fs::write(folder.path().join("a.yaml"), yaml).unwrap();
    let json = json!({ "cases": [{ "note": "a", "query": "x = 2", "want_result": [{ "x": 1 }] }] });
    std::fs::write(folder.path().join("b.json"), json.to_string()).unwrap();
    let results = results(Suite::Rego, Some(folder.path()), None).unwrap();
    let outcomes: Vec<_> = results.iter().map(|result| result.outcome.as_str()).collect();
    assert_eq!(outcomes, ["passed", "failed"]);
}

#[test]
fn a_list_from_elsewhere_takes_the_place_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (cases, list) = (folder.path().join("cases.json"), folder.path().join("list.toml"));
    let case = json!([{ "note": "a", "file": "b/c.json", "query": "x = 2", "want_result": [] }]);
    std::fs::write(&cases, case.to_string()).unwrap();
    std::fs::write(&list, "\"b/c: a\" = \"why\"").unwrap();
    let results = results(Suite::Rego, Some(&cases), Some(&list)).unwrap();
    assert_eq!(results[0].outcome.as_str(), "skipped");
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
    assert!(results(Suite::SpiffeId, Some(Path::new("/nonexistent")), None).is_err());
    let empty = tempfile::tempdir().unwrap();
    assert!(results(Suite::SpiffeId, Some(empty.path()), None).is_err());
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
        (embedded::SPIFFE_X509, include_str!("../../../schemas/spiffe-x509-cases.json")),
        (embedded::SPIFFE_JWT, include_str!("../../../schemas/spiffe-jwt-cases.json")),
        (embedded::REGO, include_str!("../../../schemas/rego-cases.json")),
        (embedded::CEDAR, include_str!("../../../schemas/cedar-cases.json")),
    ];
    // Beside a test file of Cedar stand its policies, schema and entities.
    let is_cases = |name: &str| name.ends_with(".json") && !name.ends_with(".entities.json");
    for (files, schema) in suites {
        let validator = validator(schema);
        for (name, text) in files.iter().filter(|(name, _)| is_cases(name)) {
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
        ("conformance/spiffe-x509/cases", embedded::SPIFFE_X509),
        ("conformance/spiffe-jwt/cases", embedded::SPIFFE_JWT),
        ("conformance/cedar/cases", embedded::CEDAR),
        ("conformance/rego/cases", embedded::REGO),
        ("conformance/evaluation/cases", embedded::EVALUATION),
        ("conformance/evaluation/typical", embedded::EVALUATION),
    ] {
        let files = read::files_of(&root.join(suite)).unwrap();
        let names = listed.iter().map(|(name, _)| (*name).to_owned());
        let mut listed: Vec<_> = names.filter(|name| name.starts_with(suite)).collect();
        listed.sort();
        let found: Vec<_> = files.iter().map(|(name, _)| format!("{suite}/{name}")).collect();
        assert_eq!(listed, found);
    }
}
