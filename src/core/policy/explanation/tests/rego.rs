use serde_json::json;

use super::*;

/// A policy in package `p`, asked `GET /orders/17` on route `orders` by `spiffe://td/web`.
#[track_caller]
fn check(policy: &str, expected: &str) {
    check_with(policy, json!({}), expected);
}

#[track_caller]
fn check_with(policy: &str, more: Value, expected: &str) {
    let mut description = json!({
        "source": "spiffe://td/web", "path": "/orders/17", "route": "orders",
    });
    let given = more.as_object().unwrap().clone();
    description.as_object_mut().unwrap().extend(given);
    let module = format!("package p\n{policy}");
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module)]);
    let seen = lines(&explained(&bundle, description, Detail::Brief));
    let expected: String = expected.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    assert_eq!(seen.trim(), expected.trim(), "\n{seen}");
}

const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

#[test]
fn a_denial_shows_the_definition_that_came_nearest_and_counts_the_rest() {
    let policy = r#"default allow := false
allow if {
    input.source.spiffe_id == "spiffe://td/web"
    input.request.method == "POST"
}
allow if input.request.method == "PUT"
allow if input.request.method == "PATCH"
"#;
    let expected = r#"3 false data.p.allow = false (by its default)
  3 undefined allow (1 of 2 statements held)
    4 true input.source.spiffe_id == "spiffe://td/web" [input.source.spiffe_id = "spiffe://td/web"]
    5 false input.request.method == "POST" [input.request.method = "GET"]
  0 undefined 2 definitions of data.p.allow did not hold at their first statement"#;
    check(policy, expected);
}

#[test]
fn an_allow_shows_the_definition_that_decided_with_the_rules_below_it() {
    let policy = r#"default allow := false
allow if {
    is_web(input.source.spiffe_id)
    is_read
}
allow if input.request.method == "PUT"
is_web(id) if endswith(id, "/web")
is_read if input.request.method in {"GET", "HEAD"}
"#;
    let expected = r#"3 true data.p.allow = true
  3 *true allow
    4 true is_web(input.source.spiffe_id) [input.source.spiffe_id = "spiffe://td/web"]
      8 true data.p.is_web
        8 true is_web(id) [id = "spiffe://td/web"]
          8 true endswith(id, "/web") [id = "spiffe://td/web"]
    5 true is_read
      9 true data.p.is_read
        9 true is_read
          9 true input.request.method in {"GET", "HEAD"} [input.request.method = "GET"]
  0 undefined 1 definition of data.p.allow did not hold at its first statement"#;
    check(policy, expected);
}

#[test]
fn a_negation_shows_why_what_it_denies_held_or_not() {
    let policy = r#"default allow := false
allow if not blocked
blocked if startswith(input.request.path, "/orders")
"#;
    let expected = r#"3 false data.p.allow = false (by its default)
  3 undefined allow
    3 false not blocked
      4 true data.p.blocked
        4 true blocked
          4 true startswith(input.request.path, "/orders") [input.request.path = "/orders/17"]"#;
    check(policy, expected);
    let expected = r#"3 true data.p.allow = true
  3 *true allow
    3 true not blocked [blocked = undefined]
      4 undefined data.p.blocked
        4 undefined blocked
          4 false startswith(input.request.path, "/bills") [input.request.path = "/orders/17"]"#;
    check(&policy.replace("/orders", "/bills"), expected);
}

#[test]
fn a_loop_shows_the_element_that_held_or_those_that_did_not() {
    let policy = r#"default allow := false
allow if {
    some prefix in ["/a", "/b", "/orders"]
    startswith(input.request.path, prefix)
}
"#;
    let expected = r#"3 true data.p.allow = true
  3 *true allow
    4 true some prefix in ["/a", "/b", "/orders"] [["/a", "/b", "/orders"] = ["/a", "/b", "/orders"]; prefix = "/orders"] (3 elements tried)
    5 true startswith(input.request.path, prefix) [input.request.path = "/orders/17"; prefix = "/orders"]"#;
    check(policy, expected);
    let expected = r#"3 false data.p.allow = false (by its default)
  3 undefined allow (1 of 2 statements held)
    4 true some prefix in ["/a", "/b"] [["/a", "/b"] = ["/a", "/b"]; prefix = "/a"] (1 element tried)
    0 false element [prefix = "/a"]
      5 false startswith(input.request.path, prefix) [input.request.path = "/orders/17"; prefix = "/a"]
    0 false element [prefix = "/b"]
      5 false startswith(input.request.path, prefix) [input.request.path = "/orders/17"; prefix = "/b"]"#;
    check(&policy.replace(", \"/orders\"", ""), expected);
}

#[test]
fn every_shows_the_element_that_did_not_hold() {
    let policy = r#"default allow := false
allow if every s in input.request.segments {
    count(s) > 3
}
"#;
    let expected = r#"3 false data.p.allow = false (by its default)
  3 undefined allow
    3 false every s in input.request.segments { count(s) > 3 } [input.request.segments = ["orders", "17"]] (2 elements tried)
      0 false element [s = "17"]
        4 false count(s) > 3 [count(s) = 2; s = "17"]"#;
    check(policy, expected);
}

#[test]
fn locals_and_what_is_undefined_have_their_values() {
    let policy = r#"default allow := false
allow if {
    [first, _] := split(trim_left(input.request.path, "/"), "/")
    role := data.roles[first]
    role == "reader"
}
"#;
    let expected = r#"3 false data.p.allow = false (by its default)
  3 undefined allow (1 of 3 statements held)
    4 true [first, _] := split(trim_left(input.request.path, "/"), "/") [trim_left(input.request.path, "/") = "orders/17"; input.request.path = "/orders/17"; split(trim_left(input.request.path, "/"), "/") = ["orders", "17"]; first = "orders"]
    5 undefined role := data.roles[first] [data.roles[first] = undefined]"#;
    check(policy, expected);
}

#[test]
fn an_error_stands_where_it_was_raised_and_makes_no_other_statement_true() {
    let policy = r#"default allow := false
allow if {
    input.request.method == "GET"
    startswith(input.request.body, "/a")
}
"#;
    let module = format!("package p\n{policy}");
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module)]);
    let description = json!({"source": "spiffe://td/web", "path": "/orders/17", "body": 7});
    let seen = lines(&explained(&bundle, description, Detail::Brief));
    assert!(seen.contains("3 error data.p.allow\n  3 error allow\n"), "{seen}");
    assert!(seen.contains("    5 error startswith(input.request.body, \"/a\")"), "{seen}");
}

#[test]
fn full_detail_lists_every_definition() {
    let policy = "package p\nallow if input.request.method == \"PUT\"\n".to_owned()
        + &"allow if input.request.path == \"/a\"\n".repeat(9);
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &policy)]);
    let count = |detail| {
        let description = json!({"source": null, "path": "/b"});
        explained(&bundle, description, detail).nodes[0].children.len()
    };
    assert_eq!(count(Detail::Full), 10);
    assert_eq!(count(Detail::Brief), 1);
}

#[test]
fn else_shows_each_body_that_was_tried() {
    let policy = r#"allow := {"allowed": true} if {
    input.request.method == "PUT"
} else := {"allowed": false, "http_status": 404} if {
    input.request.route == "orders"
}
"#;
    let expected = r#"2 true data.p.allow = {"allowed": false, "http_status": 404}
  2 true allow := {"allowed": true}
    3 false input.request.method == "PUT" [input.request.method = "GET"]
    4 true else = {"allowed": false, "http_status": 404}
      5 true input.request.route == "orders" [input.request.route = "orders"]"#;
    check(policy, expected);
}

#[test]
fn a_value_without_a_body_shows_what_it_is_made_of() {
    let policy = r#"allow := count(violations) == 0
violations contains "method" if input.request.method == "GET"
"#;
    let expected = r#"2 false data.p.allow = false
  2 true allow := count(violations) == 0
    2 true count(violations) == 0 [count(violations) = 1; violations = {"method"}; count(violations) == 0 = false]
      3 true data.p.violations
        3 true violations contains "method"
          3 true input.request.method == "GET" [input.request.method = "GET"]"#;
    check(policy, expected);
}
