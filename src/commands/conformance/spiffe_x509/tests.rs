use serde_json::{Value, json};

use super::*;
use crate::commands::conformance::embedded;

/// The embedded case of that id.
fn case(id: &str) -> Value {
    let files = embedded::SPIFFE_X509.iter();
    let mut cases = files.flat_map(|(_, text)| serde_json::from_str::<Vec<Value>>(text).unwrap());
    cases.find(|case| case["id"] == id).unwrap()
}

fn outcome(case: &Value) -> CaseOutcome {
    let text = json!([case]).to_string();
    let results = run(vec![CaseFile { name: "cases.json".to_owned(), text }]);
    results.into_iter().next().unwrap().outcome
}

#[test]
fn a_case_holds_only_with_its_own_answer() {
    let mut good = case("leaf::client");
    assert_eq!(outcome(&good), CaseOutcome::Passed);
    good["expected_id"] = "spiffe://a.test/admin".into();
    assert!(matches!(outcome(&good), CaseOutcome::Failed { .. }));
    good.as_object_mut().unwrap().remove("expected_id");
    assert!(matches!(outcome(&good), CaseOutcome::Errored { .. }));
    good["expected_reason"] = "svid.expired".into();
    assert!(matches!(outcome(&good), CaseOutcome::Failed { .. }));

    let mut bad = case("leaf::two-spiffe-ids");
    assert_eq!(outcome(&bad), CaseOutcome::Passed);
    bad["expected_reason"] = "svid.no_uri_san".into();
    let CaseOutcome::Failed { expected, actual, detail } = outcome(&bad) else { panic!() };
    assert_eq!(expected, "refused (svid.no_uri_san)");
    assert_eq!(actual, "refused (svid.two_uri_sans)");
    assert!(detail.unwrap().contains("X509-SVID §2"));
}

#[test]
fn every_row_of_the_attacks_on_certificates_has_a_case() {
    let files = embedded::SPIFFE_X509.iter();
    let cases: Vec<Value> =
        files.flat_map(|(_, text)| serde_json::from_str::<Vec<_>>(text).unwrap()).collect();
    // I22 is about handshakes, not about certificates.
    for row in (1..=23).filter(|row| *row != 22).map(|row| format!("I{row:02}")) {
        assert!(cases.iter().any(|case| case["attack"] == *row), "{row}");
    }
}

#[test]
fn a_certificate_of_a_mebibyte_is_refused_unread() {
    let good = case("leaf::client");
    let text = |name: &str| good[name].as_str().unwrap();
    let trust = Trust::new(&BTreeMap::new(), &[]);
    let now = Timestamp::parse(text("validation_time")).unwrap();
    let mut der = certificate(text("peer_certificate")).unwrap().to_vec();
    der.resize(1 << 20, 0);
    let error = trust.verify(&der.into(), &[], Role::Client, now).unwrap_err();
    assert_eq!(error.reason(), "trust.chain_bytes");
}

#[test]
fn the_format_of_x509_limbo_is_read_and_its_leaves_are_nobody() {
    let good = case("leaf::client");
    let limbo = |root: &str, expected: &str| {
        let text = json!({ "version": 1, "testcases": [{
            "id": "one",
            "features": [],
            "validation_kind": "CLIENT",
            "trusted_certs": case(root)["bundles"]["a.test"],
            "untrusted_intermediates": [],
            "peer_certificate": good["peer_certificate"],
            "validation_time": good["validation_time"],
            "expected_result": expected,
        }] });
        let results = run(vec![CaseFile { name: "limbo.json".to_owned(), text: text.to_string() }]);
        results.into_iter().next().unwrap().outcome
    };
    assert_eq!(limbo("leaf::client", "SUCCESS"), CaseOutcome::Passed);
    assert!(matches!(limbo("leaf::client", "FAILURE"), CaseOutcome::Failed { .. }));
    assert_eq!(limbo("validity::root-expired", "FAILURE"), CaseOutcome::Passed);
    assert!(matches!(limbo("validity::root-expired", "SUCCESS"), CaseOutcome::Failed { .. }));
}
