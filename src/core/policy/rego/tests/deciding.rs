use serde_json::json;

use super::{decide, line, load, request};

#[track_caller]
fn check(policy: &str, body: serde_json::Value, expected: &str) {
    let seen = decide(policy, body.clone());
    assert_eq!(seen, expected, "{body}");
}

/// The table of policies on which engines disagree: an error must never become an allow.
#[track_caller]
fn check_error(policy: &str, body: serde_json::Value) {
    let policy = format!("default allow := false\n{policy}");
    let seen = decide(&policy, body.clone());
    assert!(seen.starts_with("error policy_error"), "{seen} for {body}");
    assert!(seen.len() > "error policy_error  | ".len(), "{seen}");
}

#[test]
fn an_error_under_not_is_an_error() {
    let a1 = "allow if { i.u == \"a\"; not blocked }\nblocked if startswith(i.tenant, \"evil\")";
    check_error(a1, json!({"u": "a", "tenant": ["evil"]}));
    check(a1, json!({"u": "a", "tenant": "good"}), "allow allowed p.rego:3");
    let a5 = "allow if not over\nover if i.n + 1 > 5";
    check_error(a5, json!({"n": "9"}));
    check(a5, json!({"n": 1}), "allow allowed p.rego:3");
    let a6 = "allow if not over\nover if 10 / i.n > 5";
    check_error(a6, json!({"n": 0}));
    let a9 = "allow if not many\nmany if count(i.l) > 3";
    check_error(a9, json!({"l": 7}));
    let a10 = "allow if not bad\nbad if { some x in i.l; startswith(x, \"b\") }";
    check_error(a10, json!({"l": ["a", 1, "b"]}));
    let a11 = "allow if not f(i.a) == 1\nf(x) := 1 if x > 0\nf(x) := 2 if x > 1";
    check_error(a11, json!({"a": 5}));
}

#[test]
fn an_error_in_a_second_definition_beats_the_allow_of_the_first() {
    let a2 = "allow if i.u == \"a\"\nallow if startswith(i.p, \"/x\")";
    check_error(a2, json!({"u": "a", "p": ["/x"]}));
    check(a2, json!({"u": "a", "p": "/y"}), "allow allowed p.rego:3");
    check(a2, json!({"u": "b", "p": "/x"}), "allow allowed p.rego:4");
    check(a2, json!({"u": "b", "p": "/y"}), "deny undefined");
}

#[test]
fn types_are_ordered_and_two_values_conflict() {
    let a3 = "default allow := false\nallow if not blocked\nblocked if i.risk > 5";
    check(a3, json!({"risk": "high"}), "deny not_allowed");
    check(a3, json!({"risk": 1}), "allow allowed p.rego:4");
    let a4 = "allow if not tier == \"bad\"\ntier := \"good\" if i.a\ntier := \"bad\" if i.b";
    check_error(a4, json!({"a": true, "b": true}));
}

#[test]
fn error_beats_forbid_beats_allow_beats_nothing() {
    let policy = "allow if i.allow\ndeny if i.deny\ndeny if startswith(i.text, \"x\")";
    check(policy, json!({"allow": true}), "allow allowed p.rego:3");
    check(policy, json!({}), "deny undefined");
    check(policy, json!({"allow": true, "deny": true}), "deny forbidden p.rego:4");
    check(policy, json!({"deny": true, "text": "x"}), "deny forbidden p.rego:4");
    let error = "error policy_error  | `startswith` expects string argument. Got `1` instead";
    check(policy, json!({"allow": true, "deny": true, "text": 1}), error);
}

#[test]
fn a_set_of_denials_names_all_its_definitions() {
    let policy = "allow := true\ndeny contains \"a\" if i.a\ndeny contains \"b\" if i.b";
    check(policy, json!({}), "allow allowed p.rego:3");
    check(policy, json!({"b": true}), "deny forbidden p.rego:5");
    check(policy, json!({"a": true, "b": true}), "deny forbidden p.rego:4,p.rego:5");
}

#[test]
fn what_is_no_answer_is_a_bad_result() {
    let policy = "allow := i.result\ndeny := i.deny";
    check(policy, json!({"result": true}), "allow allowed p.rego:3");
    check(policy, json!({"result": {"allowed": true}}), "allow allowed p.rego:3");
    check(policy, json!({"result": {"allowed": false}}), "deny not_allowed");
    let bad = "deny bad_result p.rego:3 | the decision is a string, not a boolean or an object";
    check(policy, json!({"result": "true"}), bad);
    let bad = "deny bad_result p.rego:4 | `deny` is an array, not a boolean or a set";
    check(policy, json!({"result": true, "deny": ["a"]}), bad);
}

#[test]
fn the_deciding_definition_is_the_one_that_gave_the_value() {
    let policy = "default allow := false\n\
        allow if { i.n == 1 } else := false if { i.n == 2 } else if { i.n == 3 }\n\
        allow if helper(i.n)\n\
        helper(n) if n == 4";
    check(policy, json!({"n": 1}), "allow allowed p.rego:4");
    check(policy, json!({"n": 2}), "deny not_allowed");
    check(policy, json!({"n": 3}), "allow allowed p.rego:4");
    check(policy, json!({"n": 4}), "allow allowed p.rego:5");
    check("default allow := true", json!({}), "allow allowed p.rego:3");
}

#[test]
fn a_definition_in_another_file_of_the_package_is_found() {
    let policies = load(
        &[
            ("a.rego", "package p\nallow if input.request.body.a"),
            ("b.rego", "package p\n\nallow if input.request.body.b"),
        ],
        "data.p",
    )
    .unwrap();
    assert_eq!(line(&policies.evaluate(&request(json!({"a": 1})))), "allow allowed a.rego:2");
    assert_eq!(line(&policies.evaluate(&request(json!({"b": 1})))), "allow allowed b.rego:3");
    assert_eq!(line(&policies.evaluate(&request(json!({})))), "deny undefined");
}

#[test]
fn a_rule_as_entry_point_is_evaluated_alone() {
    let module = "package p.q\nmay if input.request.method == \"GET\"\ndeny := true";
    for entrypoint in ["p/q/may", "data.p.q.may", "p.q.may"] {
        let policies = load(&[("p.rego", module)], entrypoint).unwrap();
        assert_eq!(line(&policies.evaluate(&request(json!(null)))), "allow allowed p.rego:2");
    }
}

#[test]
fn the_time_is_the_requests() {
    check(
        "allow if time.now_ns() == i.now",
        json!({"now": 1_800_000_000_000_000_000_i64}),
        "allow allowed p.rego:3",
    );
    check("allow if time.now_ns() == i.now", json!({"now": 1}), "deny undefined");
    check(
        "allow if time.parse_rfc3339_ns(input.time) == time.now_ns()",
        json!({}),
        "allow allowed p.rego:3",
    );
}

#[test]
fn the_input_is_the_document() {
    check(
        "allow if {\n\
            input.source.spiffe_id == \"spiffe://demo.test/ns/shop/sa/web\"\n\
            input.source.trust_domain == \"demo.test\"\n\
            input.source.segments == [\"ns\", \"shop\", \"sa\", \"web\"]\n\
            input.source.address == {\"ip\": \"10.1.2.3\", \"port\": 4000}\n\
            input.source.certificate == null\n\
            input.destination.service == \"orders\"\n\
            input.request.segments == [\"orders\", \"17\"]\n\
            input.request.query == {\"a\": [\"1\", \"3\"], \"b\": [\"2\"]}\n\
            input.request.headers == {\"x-tenant\": [\"a\", \"b\"]}\n\
            input.tls == null\n\
            input.portreeve.version\n\
            net.cidr_contains(\"10.0.0.0/8\", input.source.address.ip)\n\
        }",
        json!({}),
        "allow allowed p.rego:3",
    );
}

#[test]
fn an_engine_is_used_again_after_an_error_and_keeps_nothing() {
    let module = "package p\nallow if startswith(input.request.body.t, \"x\")";
    let policies = load(&[("p.rego", module)], "p").unwrap();
    for _ in 0..3 {
        let ok = policies.evaluate(&request(json!({"t": "x"})));
        assert_eq!(line(&ok), "allow allowed p.rego:2");
        let error = policies.evaluate(&request(json!({"t": 1})));
        assert!(line(&error).starts_with("error policy_error"));
        assert_eq!(error.errors[0].policy.as_ref().unwrap().line, 2);
        let no = policies.evaluate(&request(json!({"t": "y"})));
        assert_eq!(line(&no), "deny undefined");
    }
}

#[test]
fn a_loop_ends_at_the_time_limit_with_an_error() {
    let policy = "allow if { some a in numbers.range(1, 10000); \
        some b in numbers.range(1, 10000); a + b == 0 }";
    let seen = decide(policy, json!({}));
    assert!(seen.starts_with("error policy_error"), "{seen}");
    assert!(seen.contains("time limit"), "{seen}");
}

#[test]
fn a_panicking_engine_is_not_used_again() {
    let module = "package p\nallow if { test.panic_on(\"\", input.request.body.t); input.request.body.t == \"a\" }";
    let policies = load(&[("p.rego", module)], "p").unwrap();
    let ask = |text: &str| {
        let request = request(json!({ "t": text }));
        let asked = std::panic::AssertUnwindSafe(|| line(&policies.evaluate(&request)));
        std::panic::catch_unwind(asked).unwrap_or_else(|_| "panic".to_owned())
    };
    assert_eq!(ask("a"), "allow allowed p.rego:2");
    assert_eq!(ask(""), "panic");
    assert_eq!(ask("a"), "allow allowed p.rego:2");
    assert_eq!(ask("b"), "deny undefined");
}

#[test]
fn threads_decide_under_one_bundle_each_with_an_engine_of_its_own() {
    let module = "package p\nallow if input.request.body.n == 1";
    let policies = load(&[("p.rego", module)], "p").unwrap();
    std::thread::scope(|scope| {
        for n in 0..4 {
            let policies = &policies;
            scope.spawn(move || {
                let expected = if n == 1 { "allow allowed p.rego:2" } else { "deny undefined" };
                for _ in 0..50 {
                    assert_eq!(line(&policies.evaluate(&request(json!({ "n": n })))), expected);
                }
            });
        }
    });
}
