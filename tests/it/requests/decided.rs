//! The same requests under both languages: what is answered, forwarded and recorded.

use serde_json::{Value, json};

use crate::support::*;

/// One request of the example shop and what must become of it.
struct Case {
    caller: &'static str,
    method: &'static str,
    target: &'static str,
    has_tenant: bool,
    route: &'static str,
    outcome: &'static str,
    reason: &'static str,
    /// A line of the policy that decides; empty where none does.
    cedar: &'static str,
    /// The line before the rule that decides, or the rule's own.
    rego: &'static str,
}

const fn case(
    (caller, method, target, has_tenant): (&'static str, &'static str, &'static str, bool),
    route: &'static str,
    (outcome, reason): (&'static str, &'static str),
    (cedar, rego): (&'static str, &'static str),
) -> Case {
    Case { caller, method, target, has_tenant, route, outcome, reason, cedar, rego }
}

const ALLOWED: (&str, &str) = ("allow", "allowed");
const FORBIDDEN: (&str, &str) = ("deny", "forbidden");
const NOT_ALLOWED: (&str, &str) = ("deny", "not_allowed");
const NOBODY: (&str, &str) = ("", "");

const CASES: [Case; 14] = [
    case(
        (WEB, "GET", "/orders/17", false),
        "orders",
        ALLOWED,
        ("web-reads-orders", "# The web shop reads orders."),
    ),
    case((WEB, "GET", "/reports/daily", false), "reports", NOT_ALLOWED, NOBODY),
    case(
        (WEB, "POST", "/orders", true),
        "orders",
        ALLOWED,
        ("web-creates-orders", "# The web shop creates orders."),
    ),
    case(
        (WEB, "POST", "/orders", false),
        "orders",
        FORBIDDEN,
        ("post-needs-tenant", "deny contains \"a POST names"),
    ),
    case((WEB, "POST", "/orders/", true), "orders", NOT_ALLOWED, NOBODY),
    case(
        (PAYMENTS, "POST", "/orders/17/payment", true),
        "orders",
        ALLOWED,
        ("payments-pays-orders", "# Payments pays an order"),
    ),
    case((PAYMENTS, "POST", "/orders/17/lines/payment", true), "orders", NOT_ALLOWED, NOBODY),
    case(
        (BATCH, "GET", "/reports/daily?day=1", false),
        "reports",
        ALLOWED,
        ("batch-reads-reports", "# Batch reads reports."),
    ),
    case((BATCH, "GET", "/orders/17", false), "orders", NOT_ALLOWED, NOBODY),
    case(
        (ADMIN, "DELETE", "/orders/17", false),
        "orders",
        ALLOWED,
        ("admins-delete-orders", "# Admins delete orders."),
    ),
    case(
        (WEB, "DELETE", "/orders/17", false),
        "orders",
        FORBIDDEN,
        ("only-admins-delete", "deny contains \"only admins"),
    ),
    case(
        (WEB, "GET", "/healthz", false),
        "health",
        ALLOWED,
        ("everyone-asks-for-health", "# Everyone asks for health."),
    ),
    case(
        (QUARANTINED, "GET", "/healthz", false),
        "health",
        FORBIDDEN,
        ("quarantined", "deny contains \"the caller is quarantined"),
    ),
    case((WEB, "GET", "/admin", false), "default", NOT_ALLOWED, NOBODY),
];

#[test]
fn cedar_decides_every_request_of_the_shop() {
    run(check_shop(Policies::Cedar, "orders.cedar", |case| case.cedar));
}

#[test]
fn rego_decides_every_request_of_the_shop() {
    run(check_shop(Policies::Rego, "authz/orders.rego", |case| case.rego));
}

async fn check_shop(policies: Policies, file: &str, marker: fn(&Case) -> &'static str) {
    let scene = Setup { policies, ..Setup::default() }.start().await;
    let source = std::fs::read_to_string(scene.repository.path().join(file)).unwrap();
    let head = scene.repository.head();
    let mut asked = Vec::new();
    for alpn in ["h1", "h2"] {
        for case in &CASES {
            let mut client = scene.client(case.caller, alpn).await;
            let headers: &[_] = if case.has_tenant { &[("x-tenant", "a")] } else { &[] };
            let answer = client.ask(request(case.method, case.target, headers, empty())).await;
            check_answer(case, alpn, &answer);
            asked.push((case, alpn, answer.decision_id().to_owned()));
        }
    }
    let (log, _, seen) = scene.finish_with().await;
    let allowed = CASES.iter().filter(|case| case.outcome == "allow").count();
    assert_eq!(seen.len(), 2 * allowed);
    assert_eq!(decisions(&log).len(), asked.len());
    for (case, alpn, id) in asked {
        let record = decisions(&log).into_iter().find(|record| text(record, "/id") == id);
        check_record(case, alpn, record.unwrap());
        let policy = record.unwrap()["policy"].clone();
        assert_eq!(
            (text(&policy, "/commit"), text(&policy, "/ref")),
            (head.clone(), "main".into())
        );
        check_place(record.unwrap(), file, &source, marker(case));
    }
}

#[track_caller]
fn check_answer(case: &Case, alpn: &str, answer: &Answer) {
    let what = format!("{alpn} {} {}", case.method, case.target);
    if case.outcome == "allow" {
        assert_eq!((answer.status.as_u16(), answer.text()), (200, "seen"), "{what}");
        assert!(!answer.decision_id().is_empty(), "{what}");
        return;
    }
    assert_eq!(answer.status.as_u16(), 403, "{what}");
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let expected = json!({ "error": "denied by policy", "decision_id": answer.decision_id() });
    assert_eq!(body, expected, "{what}");
}

#[track_caller]
fn check_record(case: &Case, alpn: &str, record: &Value) {
    let (path, query) = case.target.split_once('?').unwrap_or((case.target, ""));
    let protocol = if alpn == "h1" { "HTTP/1.1" } else { "HTTP/2" };
    let ground = if case.outcome == "allow" { "allowed" } else { "null" };
    for (pointer, expected) in [
        ("/v", "1"),
        ("/source/spiffe_id", case.caller),
        ("/destination/spiffe_id", ORDERS),
        ("/destination/service", "orders"),
        ("/tls/version", "TLSv1.3"),
        ("/tls/sni", "orders.shop.test"),
        ("/request/direction", "inbound"),
        ("/request/method", case.method),
        ("/request/host", "orders.shop.test"),
        ("/request/path", path),
        ("/request/route", case.route),
        ("/request/protocol", protocol),
        ("/decision/outcome", case.outcome),
        ("/decision/reason", case.reason),
        ("/decision/ground", ground),
        ("/decision/errors", "[]"),
    ] {
        assert_eq!(text(record, pointer), expected, "{pointer} of {record}");
    }
    let has_query = record.pointer("/request/query").is_some_and(|query| !query.is_null());
    assert!(!query.is_empty() || !has_query || text(record, "/request/query") == "{}", "{record}");
}

/// The deciding policy is named with the place at which its author finds it.
#[track_caller]
fn check_place(record: &Value, file: &str, source: &str, marker: &str) {
    let policies = record.pointer("/decision/policies").unwrap().as_array().unwrap();
    if marker.is_empty() {
        assert!(policies.is_empty(), "{record}");
        return;
    }
    assert_eq!(policies.len(), 1, "{record}");
    assert_eq!(text(&policies[0], "/file"), file);
    let line: usize = text(&policies[0], "/line").parse().unwrap();
    let lines: Vec<_> = source.lines().collect();
    let near = lines[line.saturating_sub(2)..line].join("\n");
    assert!(near.contains(marker), "line {line} is not at {marker:?}: {near}");
}

/// Cedar and Rego beside each other: Cedar allows all but what `x-cedar` says, Rego likewise.
const BOTH: Policies = Policies::Files(&[
    (
        ".manifest",
        r#"{"roots": ["authz"], "metadata": {"portreeve": {"entrypoint": "data.authz.both"}}}"#,
    ),
    (
        "both.cedar",
        r#"permit(principal, action in Action::"http", resource)
           unless { context.headers.hasTag("x-not-cedar") };"#,
    ),
    (
        "authz/both.rego",
        "package authz.both\n\nallow if not input.request.headers[\"x-not-rego\"]\n",
    ),
]);

#[test]
fn with_two_languages_both_must_allow() {
    run(async {
        let scene = Setup { policies: BOTH, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h2").await;
        for (headers, status) in [
            (&[][..], 200),
            (&[("x-not-cedar", "1")], 403),
            (&[("x-not-rego", "1")], 403),
            (&[("x-not-rego", "1"), ("x-not-cedar", "1")], 403),
        ] {
            let answer = web.ask(request("GET", "/orders/1", headers, empty())).await;
            assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        }
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(seen.len(), 1);
        let allowed = decisions(&log)[0];
        let policies = allowed["decision"]["policies"].as_array().unwrap().iter();
        let files: Vec<_> = policies.map(|policy| text(policy, "/file")).collect();
        assert_eq!(files, ["both.cedar", "authz/both.rego"], "{allowed}");
    });
}

const CEDAR_ERROR: Policies = Policies::Files(&[(
    "a.cedar",
    "permit(principal, action, resource);\n\
     forbid(principal, action in Action::\"http\", resource)\n\
     when { context.segment_count + 9223372036854775806 == 0 };\n",
)]);

const REGO_ERROR: Policies = Policies::Files(&[
    (
        ".manifest",
        r#"{"roots": ["authz"], "metadata": {"portreeve": {"entrypoint": "data.authz"}}}"#,
    ),
    (
        "authz/a.rego",
        "package authz\n\nallow := true\n\n\
         deny if to_number(input.request.segments[1]) > 100\n",
    ),
]);

#[test]
fn an_error_in_a_cedar_forbid_is_503_and_forwards_nothing() {
    run(check_error(CEDAR_ERROR, "/orders", "/orders/secret-segment", "a.cedar"));
}

#[test]
fn an_error_in_a_rego_deny_is_503_and_forwards_nothing() {
    run(check_error(REGO_ERROR, "/orders/17", "/orders/secret-segment", "authz/a.rego"));
}

async fn check_error(policies: Policies, good: &str, bad: &str, file: &str) {
    let scene = Setup { policies, ..Setup::default() }.start().await;
    for alpn in ["h1", "h2"] {
        let mut web = scene.client(WEB, alpn).await;
        assert_eq!(web.get(good).await.status.as_u16(), 200);
        let answer = web.get(bad).await;
        assert_eq!(answer.status.as_u16(), 503);
        assert_eq!(answer.header("retry-after"), "1");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(text(&body, "/decision_id"), answer.decision_id());
        assert!(!answer.text().contains("segment"), "{}", answer.text());
    }
    let (log, _, seen) = scene.finish_with().await;
    assert_eq!(seen.len(), 2);
    let failed = decisions(&log).into_iter().filter(|r| text(r, "/decision/outcome") == "error");
    let failed: Vec<_> = failed.collect();
    assert_eq!(failed.len(), 2);
    for record in failed {
        assert_eq!(text(record, "/decision/reason"), "policy_error");
        assert_eq!(text(record, "/decision/ground"), "null");
        assert_eq!(text(record, "/decision/errors/0/policy/file"), file, "{record}");
    }
}
