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
fn spiffe_id_cases_hold() {
    check(Suite::SpiffeId, 50);
}
