use serde_json::json;

use super::*;

const ORDERS: &str = include_str!("../../../../../policies/cedar/orders.cedar");
const ENTITIES: &str = include_str!("../../../../../policies/cedar/entities.json");

#[track_caller]
fn check(policies: &str, description: Value, expected: &str) {
    let bundle = bundle(&[("orders.cedar", policies), ("entities.json", ENTITIES)]);
    let seen = lines(&explained(&bundle, description, Detail::Brief));
    assert_eq!(seen.trim(), expected.trim(), "\n{seen}");
}

fn asks(name: &str, method: &str, path: &str) -> Value {
    json!({
        "source": format!("spiffe://demo.test/ns/shop/sa/{name}"),
        "method": method, "path": path, "route": "orders", "service": "orders",
    })
}

#[test]
fn a_forbid_shows_its_clause_and_the_permit_that_would_have_allowed() {
    let expected = r#"10 true web-creates-orders (permit, would allow by itself)
  16 true when { context.path == "/orders" } [context.path = "/orders"]
70 *true post-needs-tenant (forbid)
  76 true unless { context.headers.hasTag("x-tenant") }
0 false 8 policies are out of scope"#;
    check(ORDERS, asks("web", "POST", "/orders"), expected);
}

#[test]
fn a_clause_is_cut_at_its_operators_and_stops_where_cedar_stops() {
    let policy = r#"@id("a")
permit (principal, action == Action::"GET", resource)
when {
  context.path like "/a/*" && (context.segment_count == 2 || context.host == "x")
  && context.method == "GET"
};"#;
    let expected = r#"1 false a (permit)
  3 false when
    4 false context.path like "/a/*" [context.path = "/orders/1"]
    4 not evaluated (context.segment_count == 2 || context.host == "x")
    5 not evaluated context.method == "GET""#;
    check(policy, asks("web", "GET", "/orders/1"), expected);
}

#[test]
fn where_nothing_permits_the_scope_that_comes_nearest_is_shown() {
    let policy = r#"@id("a")
permit (principal == Workload::"spiffe://demo.test/ns/shop/sa/batch", action, resource);
@id("b")
permit (principal == Workload::"spiffe://demo.test/x", action == Action::"PUT", resource);"#;
    let expected = r#"1 false a (permit, out of scope)
  0 false principal == Workload::"spiffe://demo.test/ns/shop/sa/batch" [principal = Workload::"spiffe://demo.test/ns/shop/sa/web"]
0 false 1 more policy is out of scope"#;
    check(policy, asks("web", "GET", "/orders/1"), expected);
}

#[test]
fn no_header_is_shown() {
    let policy = r#"permit (principal, action == Action::"GET", resource)
when { context.headers.hasTag("x-tenant") && context.headers.getTag("x-tenant").contains("a") };"#;
    let bundle = bundle(&[("orders.cedar", policy), ("entities.json", ENTITIES)]);
    let mut description = asks("web", "GET", "/orders/1");
    description["headers"] = json!({"x-tenant": "S3cr3tV4lue"});
    let seen = lines(&explained(&bundle, description, Detail::Full));
    assert!(!seen.contains("S3cr3t"), "{seen}");
    assert!(seen.contains("false context.headers.getTag(\"x-tenant\").contains(\"a\")"), "{seen}");
}

/// A condition over the caller's path and a header that says otherwise.
fn compared(condition: &str) -> String {
    let policy = format!(
        "permit (principal is Workload, action == Action::\"GET\", resource) when {{ {condition} }};"
    );
    let bundle = bundle(&[("orders.cedar", &policy), ("entities.json", ENTITIES)]);
    let mut description = asks("web", "GET", "/orders/1");
    description["headers"] = json!({"x-key": "wr0ng"});
    let seen = lines(&explained(&bundle, description, Detail::Full));
    assert!(seen.contains("false when"), "{seen}");
    seen
}

#[test]
fn what_a_header_is_compared_with_is_not_shown() {
    for headers in [
        "context.headers",
        r#"context["headers"]"#,
        r#"context["\u{68}eaders"]"#,
        "(if true then context else context).headers",
        "{a: context.headers}.a",
        r#"Headers::"request""#,
    ] {
        let has = format!(r#"{headers}.hasTag("x-key")"#);
        let equals = format!(r#"{headers}.getTag("x-key").contains(principal.path)"#);
        for condition in [
            format!("{has} && {equals}"),
            format!("(if {has} then {equals} else false)"),
            format!("{headers}.hasTag(principal.path)"),
        ] {
            let seen = compared(&condition);
            assert!(!seen.contains("principal.path =") && !seen.contains("/sa/web"), "{seen}");
        }
    }
    let seen = compared("context.query.hasTag(principal.path)");
    assert!(!seen.contains("principal.path ="), "{seen}");
    let seen = compared("context has jwt && context.jwt.claims.hasTag(principal.path)");
    assert!(!seen.contains("principal.path ="), "{seen}");
}

#[test]
fn what_is_compared_with_anything_else_is_shown() {
    for condition in
        [r#"context.path == principal.path"#, r#"context["path"] == principal.path && true"#]
    {
        let seen = compared(condition);
        assert!(seen.contains(r#"principal.path = "/ns/shop/sa/web""#), "{seen}");
    }
    let seen = compared(r#"context.path == principal.path || context.headers.hasTag("a")"#);
    assert!(seen.contains("principal.path ="), "{seen}");
}

#[test]
fn an_error_is_shown_where_it_was_raised() {
    let policy = r#"@id("a")
permit (principal, action == Action::"GET", resource)
when { context.segment_count + 9223372036854775807 > 1 };"#;
    let bundle = bundle(&[("orders.cedar", policy), ("entities.json", ENTITIES)]);
    let seen = lines(&explained(&bundle, asks("web", "GET", "/orders/1"), Detail::Full));
    assert!(seen.starts_with("1 *error a (permit)\n  3 error when {"), "{seen}");
}
