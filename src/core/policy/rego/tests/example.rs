//! The example bundle that the demo runs: its own tests, and what they cannot see.

use std::sync::Arc;

use serde_json::json;

use super::super::{RegoTestOutcome, run_rego_tests};
use super::{files, line, load, request};
use crate::policy::{Bundle, Revision, decide};
use crate::request::{AccessRequest, ConnectionFacts, Source};

/// The same policy in Cedar.
const TWIN: [(&str, &str); 2] = [
    ("orders.cedar", include_str!("../../../../../policies/cedar/orders.cedar")),
    ("entities.json", include_str!("../../../../../policies/cedar/entities.json")),
];
const MANIFEST: (&str, &str) =
    (".manifest", include_str!("../../../../../policies/rego/.manifest"));

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

/// Every caller at every place with every method, with and without a tenant.
fn matrix() -> Vec<AccessRequest> {
    let mut ids = vec![None];
    for name in ["ns/shop/sa/web", "ns/shop/sa/payments", "ns/shop/sa/batch", "ns/shop/sa/admin"] {
        ids.push(Some(format!("spiffe://demo.test/{name}")));
    }
    for name in ["demo.test/ns/quarantine", "demo.test/ns/quarantine/sa/web"] {
        ids.push(Some(format!("spiffe://{name}")));
    }
    ids.push(Some("spiffe://demo.test/ns/quarantined/sa/web".to_owned()));
    ids.push(Some("spiffe://other.test/ns/shop/sa/web".to_owned()));
    let places = [
        ("orders", "/orders"),
        ("orders", "/orders/17"),
        ("orders", "/orders/17/payment"),
        ("orders", "/orders/17/payment/"),
        ("orders", "/orders/17/lines/payment"),
        ("orders", "/orders/payment"),
        ("reports", "/reports/daily"),
        ("health", "/healthz"),
        ("default", "/admin"),
        ("default", "/"),
    ];
    let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"];
    let mut requests = Vec::new();
    for id in &ids {
        for (route, path) in places {
            for method in methods {
                let with_tenant = by(id.as_deref(), method, route, path);
                let mut without = by(id.as_deref(), method, route, path);
                without.head.headers.clear();
                requests.extend([with_tenant, without]);
            }
        }
    }
    requests
}

#[test]
fn the_twin_in_cedar_decides_the_same() {
    let bundle = |pairs: &[(&str, &str)]| {
        let loaded = Bundle::load(&files(pairs), Revision::default());
        loaded.unwrap_or_else(|findings| panic!("{findings}")).0
    };
    let rego = bundle(&[&EXAMPLE[..], &[MANIFEST]].concat());
    let cedar = bundle(&TWIN);
    let mut allowed = 0;
    for request in matrix() {
        let (ours, theirs) = (decide(&rego, &request), decide(&cedar, &request));
        let what = request.to_document()["request"].to_string();
        assert_eq!((ours.outcome, ours.reason), (theirs.outcome, theirs.reason), "{what}");
        assert_eq!(ours.ground().is_some(), ours.reason.as_str() == "allowed", "{what}");
        allowed += usize::from(ours.ground().is_some());
    }
    // Web and payments: 6 places, 3 reading methods, with and without tenant, and one POST each;
    // batch: 1 place; admin: 6 places to delete; health: the 7 callers out of quarantine.
    assert_eq!(allowed, 2 * (6 * 3 * 2 + 1) + 3 * 2 + 6 * 2 + 7 * 2);
}
