//! No part of a credential leaves in an explanation, whatever a policy does with it.

use serde_json::json;

use super::*;

const SECRET: &str = "S3cr3tV4lue";
const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

/// A policy in package `p`, asked with the secret in every place that a record masks.
#[track_caller]
fn check(policy: &str) {
    let module = format!("package p\n{policy}");
    let data = format!(r#"{{"keys": {{"{SECRET}": "web"}}, "known": ["{SECRET}"]}}"#);
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", &module), ("data.json", &data)]);
    // `{"alg":"none"}` and `{"claim":"S3cr3tV4lue"}`
    let token = "eyJhbGciOiJub25lIn0.eyJjbGFpbSI6IlMzY3IzdFY0bHVlIn0.";
    let description = json!({
        "source": "spiffe://td/web",
        "path": format!("/orders/17?q={SECRET}"),
        "headers": {
            "authorization": format!("Bearer {SECRET}"),
            "x-token": token,
            "x-tenant": SECRET,
            "cookie": format!("a=b; session={SECRET}"),
        },
        "body": {"password": SECRET},
    });
    for detail in [Detail::Brief, Detail::Full] {
        let explanation = explained(&bundle, description.clone(), detail);
        let text = serde_json::to_string(&explanation).unwrap();
        for part in [SECRET, "S3cr3t", "V4lue", "eyJjbGFpbSI6", "S3CR3T", "s3cr3tv4lue"] {
            assert!(!text.contains(part), "`{part}` in\n{}", lines(&explanation));
        }
        assert!(!explanation.nodes[0].children.is_empty());
    }
}

#[test]
fn a_header_is_masked_directly_and_through_a_local() {
    check(r#"allow if input.request.headers.authorization[0] == "x""#);
    check(r#"allow if { h := input.request.headers; h.cookie[0] == "x" }"#);
    check(r#"allow if { some v in input.request.headers["x-tenant"]; v == "x" }"#);
    check(r#"allow if { some n, v in input.request.headers; v[_] == n }"#);
}

#[test]
fn a_part_of_a_header_is_masked() {
    check(r#"allow if { [_, t] := split(input.request.headers.authorization[0], " "); t == "x" }"#);
    check(r#"allow if substring(input.request.headers.authorization[0], 7, 6) == "x""#);
    check(r#"allow if upper(input.request.headers["x-tenant"][0]) == "x""#);
    check(r#"allow if lower(input.request.headers["x-tenant"][0]) in ["a"]"#);
}

#[test]
fn an_argument_a_result_and_a_rule_are_masked() {
    check(
        "allow if f(input.request.headers.authorization[0]) == \"x\"\nf(x) := y if { y := trim_prefix(x, \"Bearer \") }",
    );
    check(
        "allow if t == \"x\"\nt := trim_prefix(input.request.headers.authorization[0], \"Bearer \")",
    );
    check(
        "allow if count(ts) == 0\nts contains t if some t in input.request.headers[\"x-tenant\"]",
    );
    check("allow if m[\"x-tenant\"] == \"x\"\nm := {k: v[0] | some k, v in input.request.headers}");
    check(
        "deny contains msg if { msg := sprintf(\"no %v\", [input.request.headers.cookie]) }\nallow := true",
    );
    check(
        "allow if g with input.request.route as input.request.headers.cookie[0]\ng if input.request.route == \"x\"",
    );
}

#[test]
fn what_is_decoded_from_a_token_is_masked() {
    check(
        r#"allow if { [_, p, _] := io.jwt.decode(input.request.headers["x-token"][0]); p.claim == "x" }"#,
    );
}

#[test]
fn query_body_and_data_that_equals_a_secret_are_masked() {
    check("allow if input.request.query.q[0] == \"x\"");
    check("allow if input.attributes.request.http.path == \"x\"");
    check("allow if input.parsed_query.q[0] == \"x\"");
    check("allow if input.request.body.password == \"x\"");
    check("allow if data.keys[input.request.headers[\"x-tenant\"][0]] == \"x\"");
    check(
        "allow if { some k in data.known; k == input.request.headers[\"x-tenant\"][0]; input.request.route == \"x\" }",
    );
    check(
        "allow if { some k, _ in data.keys; k == input.request.headers[\"x-tenant\"][0]; input.request.route == \"x\" }",
    );
}

#[test]
fn data_that_is_compared_with_a_secret_is_masked_for_all_callers() {
    let data = r#"{"keys": ["0thersK3y", "x"], "owners": {"0thersK3y": "a"}}"#;
    for policy in [
        "allow if input.request.headers[\"x-app\"][0] in data.keys",
        "allow if { some k in data.keys; k == input.request.headers[\"x-app\"][0] }",
        "allow if { ks := data.keys; ks[_] == input.request.headers[\"x-app\"][0] }",
        "allow if { some k, _ in data.owners; f(k) }\nf(x) if x == input.request.headers[\"x-app\"][0]",
        "allow if known[input.request.headers[\"x-app\"][0]]\nknown := {k: true | some k in data.keys}",
        "allow if { count(data.owners) > 0; data.owners[input.request.headers[\"x-app\"][0]] }",
        "allow if { x := input.request.headers[\"x-app\"][0]; every k in data.keys { k != x } }",
    ] {
        let module = format!("package p\n{policy}");
        let files = [(".manifest", MANIFEST), ("p.rego", &*module), ("data.json", data)];
        let description = json!({"source": null, "path": "/", "headers": {"x-app": "y"}});
        let seen = lines(&explained(&bundle(&files), description, Detail::Full));
        assert!(!seen.contains("0thers") && seen.contains("***"), "{policy}\n{seen}");
    }
}

/// Every value that policy `p` is shown with, of a request with a secret in a header and in the query.
fn shown_beside(policy: &str, data: &str, description: Value) -> String {
    let module = format!("package p\n{policy}");
    let files = [(".manifest", MANIFEST), ("p.rego", &*module), ("data.json", data)];
    lines(&explained(&bundle(&files), description, Detail::Full))
}

#[test]
fn a_secret_that_a_cut_would_go_through_is_hidden_before() {
    let long = "Qz7".repeat(120);
    let before = "ab ".repeat(20);
    let quoted = r#"p4ss\"w0rd\\x"#;
    let data = format!(
        r#"{{"first": "{before}{long}", "list": ["{before}", "{long}"], "q": "{quoted}"}}"#
    );
    let description = json!({
        "source": null, "path": "/", "headers": {"x-api-key": long, "x-token": "p4ss\"w0rd\\x"},
    });
    for policy in ["allow if data.first == 1", "allow if data.list == 1", "allow if data.q == 1"] {
        let seen = shown_beside(policy, &data, description.clone());
        assert!(seen.contains("***"), "{seen}");
        assert!(!seen.contains("Qz7") && !seen.contains("w0rd"), "{policy}\n{seen}");
    }
    let seen = shown_beside("allow if data.first == 1", &data, json!({"path": "/"}));
    assert!(seen.contains("Qz7Qz7"), "{seen}");
}

#[test]
fn a_value_of_the_query_whose_key_names_a_credential_is_hidden_wherever_it_stands() {
    let data = r#"{"known": ["s3cr3t v\u00e9", "s3cr3t+v%C3%A9"], "other": ["/orders"]}"#;
    let asks = |query: &str| json!({"source": null, "path": format!("/orders?{query}")});
    for query in ["page=2&access_token=s3cr3t+v%C3%A9", "API%5FKEY=s3cr3t+v%C3%A9"] {
        let seen = shown_beside("allow if data.known == 1", data, asks(query));
        assert!(seen.contains("***") && !seen.contains("s3cr3t"), "{seen}");
    }
    let seen = shown_beside("allow if data.other == 1", data, asks("access_token=s3cr3t"));
    assert!(seen.contains(r#"data.other = ["/orders"]"#), "{seen}");
    let seen = shown_beside("allow if data.other == 1", data, asks("page=/orders"));
    assert!(seen.contains(r#"data.other = ["/orders"]"#), "{seen}");
}

#[test]
fn an_error_text_quotes_nothing() {
    check("allow if time.parse_rfc3339_ns(input.request.headers[\"x-tenant\"][0]) > 1");
    check("allow if to_number(input.request.headers[\"x-tenant\"][0]) > 1");
    check("allow if to_number(f(input.request.query.q[0])) > 1\nf(x) := upper(x)");
}

#[test]
fn what_is_true_of_a_secret_is_shown() {
    let module =
        "package p\nallow if startswith(input.request.headers.authorization[0], \"Basic \")";
    let bundle = bundle(&[(".manifest", MANIFEST), ("p.rego", module)]);
    let description = json!({
        "source": null, "path": "/", "headers": {"authorization": "Bearer abcdefgh"},
    });
    let seen = lines(&explained(&bundle, description, Detail::Brief));
    let expected = "2 false startswith(input.request.headers.authorization[0], \"Basic \") \
                    [input.request.headers.authorization[0] = ***]";
    assert!(seen.contains(expected), "{seen}");
}
