//! The example bundle that the demo runs: its own tests, and what they cannot see.

use std::sync::Arc;

use serde_json::json;

use super::super::{RegoTestOutcome, run_rego_tests};
use super::{files, line, load, request};
use crate::request::{AccessRequest, ConnectionFacts, Source};

macro_rules! example {
    ($($path:literal)*) => {
        [$(($path, include_str!(concat!("../../../../../policies/rego/", $path)))),*]
    };
}

const EXAMPLE: [(&str, &str); 3] =
    example! { "authz/orders.rego" "authz/orders_test.rego" "shop/data.json" };
const ENTRYPOINT: &str = "data.authz.orders";

#[test]
fn its_own_tests_pass() {
    let results = run_rego_tests(&files(&EXAMPLE));
    assert!(results.len() > 20, "{}", results.len());
    for result in results {
        assert_eq!(result.outcome, RegoTestOutcome::Pass, "{} {}", result.file, result.name);
    }
}

#[test]
fn a_test_that_should_fail_fails() {
    let mut wrong = EXAMPLE;
    wrong[2].1 = r#"{"admins": {}, "quarantined_prefixes": []}"#;
    let results = run_rego_tests(&files(&wrong));
    let failed = results.iter().filter(|result| result.outcome == RegoTestOutcome::Fail);
    let names: Vec<&str> = failed.map(|result| result.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "test_a_quarantined_workload_asks_for_nothing",
            "test_an_admin_deletes_an_order",
            "test_an_admin_deletes_no_report"
        ]
    );
}

fn by(id: Option<&str>, method: &str, route: &str, path: &str) -> AccessRequest {
    let mut request = request(json!(null));
    let id = id.map(|id| crate::spiffe::SpiffeId::parse(id).unwrap());
    let old = &request.connection;
    let source = Source { spiffe_id: id, ..old.source.clone() };
    request.connection = Arc::new(ConnectionFacts::new(source, old.destination.clone(), None));
    request.head.method = method.parse().unwrap();
    request.head.target = path.parse().unwrap();
    request.route = route.into();
    request
}

#[track_caller]
fn check(request: &AccessRequest, expected: &str) {
    let policies = load(&EXAMPLE, ENTRYPOINT).unwrap();
    assert_eq!(line(&policies.evaluate(request)), expected);
}

#[test]
fn real_requests_are_decided_by_the_rule_at_its_line() {
    let web = Some("spiffe://demo.test/ns/shop/sa/web");
    let admin = Some("spiffe://demo.test/ns/shop/sa/admin");
    let quarantined = Some("spiffe://demo.test/ns/quarantine/sa/web");
    check(&by(web, "GET", "orders", "/orders/17"), "allow allowed authz/orders.rego:14");
    check(&by(web, "POST", "orders", "/orders"), "allow allowed authz/orders.rego:21");
    check(&by(web, "GET", "default", "/admin"), "deny not_allowed");
    check(&by(admin, "DELETE", "orders", "/orders/17"), "allow allowed authz/orders.rego:59");
    check(&by(web, "DELETE", "orders", "/orders/17"), "deny forbidden authz/orders.rego:65");
    check(&by(quarantined, "GET", "health", "/healthz"), "deny forbidden authz/orders.rego:70");
    check(&by(None, "GET", "health", "/healthz"), "allow allowed authz/orders.rego:53");
    check(&by(None, "GET", "orders", "/orders/17"), "deny not_allowed");
    let mut no_tenant = by(web, "POST", "orders", "/orders");
    no_tenant.head.headers.clear();
    check(&no_tenant, "deny forbidden authz/orders.rego:75");
}
