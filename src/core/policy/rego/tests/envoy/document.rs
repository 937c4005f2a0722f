//! The plugin's input, stated by hand from the rules of protojson.

use serde_json::{Value, json};

use super::{asks, authz};
use crate::Timestamp;
use crate::policy::rego::input::{self, Reads};
use crate::request::{AccessRequest, Body};

const WEB: &str = "spiffe://demo.test/ns/shop/sa/web";

/// What a bundle sees that passes `input` whole.
fn seen(request: &AccessRequest) -> Value {
    let mut engine = regorus::Engine::new();
    engine.add_policy("p.rego".to_owned(), "package p\nall := input".to_owned()).unwrap();
    let reads = Reads::of(engine.get_modules());
    serde_json::from_str(&input::document(request, reads).to_json_str().unwrap()).unwrap()
}

/// The plugin's part alone.
fn envoy_part(request: &AccessRequest) -> Value {
    let mut document = seen(request);
    for (key, value) in request.to_document().as_object().unwrap() {
        let native = document.as_object_mut().unwrap().remove(key);
        assert_eq!(native.as_ref(), Some(value), "the native part stays as it is");
    }
    document
}

#[test]
fn a_request_over_mutual_tls_is_what_the_plugin_would_show() {
    let headers = [
        ("x-tenant", "a"),
        ("accept", "*/*"),
        ("x-tenant", "b"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
    ];
    let request = asks(Some(WEB), "POST /orders/a%20b?x=1&y=&x=a+b%0a", &headers);
    let expected = json!({
        "attributes": {
            "source": {
                "address": { "socketAddress": { "address": "10.1.2.3", "portValue": 4000 } },
                "principal": WEB,
            },
            "destination": {
                "address": { "socketAddress": { "address": "127.0.0.1", "portValue": 8443 } },
            },
            "request": {
                "time": "2027-01-15T08:00:00Z",
                "http": {
                    "method": "POST",
                    "headers": {
                        ":authority": "orders.test",
                        ":method": "POST",
                        ":path": "/orders/a%20b?x=1&y=&x=a+b%0a",
                        ":scheme": "https",
                        "accept": "*/*",
                        "cookie": "a=1; b=2",
                        "x-tenant": "a,b",
                    },
                    "path": "/orders/a%20b?x=1&y=&x=a+b%0a",
                    "host": "orders.test",
                    "scheme": "https",
                    "protocol": "HTTP/1.1",
                },
            },
            "metadataContext": {},
            "routeMetadataContext": {},
            "tlsSession": { "sni": "orders.test" },
        },
        "parsed_path": ["orders", "a b"],
        "parsed_query": { "x": ["1", "a b\n"], "y": [""] },
        "version": { "ext_authz": "v3", "encoding": "protojson" },
        "source_principal": WEB,
    });
    assert_eq!(envoy_part(&request), expected);
    // The second request of a connection takes the shared parts as they are.
    assert_eq!(envoy_part(&request), expected);
}

#[test]
fn what_is_unknown_is_absent() {
    let request = asks(None, "GET /", &[]);
    let part = envoy_part(&request);
    assert_eq!(part["parsed_path"], json!([""]));
    assert_eq!(part["parsed_query"], json!({}));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&part), ["attributes", "version", "parsed_path", "parsed_query"]);
    assert_eq!(keys(&part["attributes"]["source"]), ["address"]);
    assert!(part["attributes"].get("tlsSession").is_none());
}

#[test]
fn a_body_stands_where_it_was_read() {
    let mut request = asks(None, "POST /", &[]);
    request.body = Body::Parsed(json!({"name": ["a"]}));
    let part = envoy_part(&request);
    assert_eq!(
        (&part["parsed_body"], &part["truncated_body"]),
        (&json!({"name": ["a"]}), &json!(false))
    );
    request.body = Body::Truncated;
    let part = envoy_part(&request);
    assert_eq!(part.get("parsed_body"), Some(&Value::Null));
    assert_eq!(part.get("truncated_body"), Some(&json!(true)));
}

#[test]
fn the_time_has_as_few_digits_as_protojson_gives_it() {
    for (micros, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (120_000, "1970-01-01T00:00:00.120Z"),
        (123_400, "1970-01-01T00:00:00.123400Z"),
        (10_000_000, "1970-01-01T00:00:10Z"),
    ] {
        let mut request = asks(None, "GET /", &[]);
        request.time = Timestamp::from_unix_micros(micros);
        assert_eq!(envoy_part(&request)["attributes"]["request"]["time"], json!(expected));
    }
}

#[track_caller]
fn check_path(path: &str, expected: Value) {
    let request = asks(None, &format!("GET {path}"), &[]);
    assert_eq!(envoy_part(&request)["parsed_path"], expected, "{path}");
}

#[test]
fn segments_are_decoded_one_by_one() {
    check_path("/a/b", json!(["a", "b"]));
    check_path("/a/", json!(["a", ""]));
    check_path("/my%20path/%C3%BC?a=/x", json!(["my path", "ü"]));
    check_path("/a+b;c=1", json!(["a+b;c=1"]));
    // Neither is canonical: were one let through, it would still separate nothing.
    check_path("/a%2Fb/c", json!(["a/b", "c"]));
    check_path("/%FF", json!(["%FF"]));
}

#[test]
fn the_schema_knows_every_key_and_no_native_one_twice() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../../../schemas/input.json")).unwrap();
    let mut request = asks(Some(WEB), "GET /a?b=c", &[("accept", "*/*")]);
    request.body = Body::Truncated;
    check_keys("input", &schema, &schema, &seen(&request));
    request.body = Body::Parsed(json!(1));
    check_keys("input", &schema, &schema, &seen(&request));
    check_keys("input", &schema, &schema, &seen(&asks(None, "GET /", &[])));
}

#[track_caller]
fn check_keys(path: &str, root: &Value, schema: &Value, value: &Value) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object())
    else {
        return;
    };
    for (key, value) in object {
        let schema =
            properties.get(key).unwrap_or_else(|| panic!("{path}.{key}: not in the schema"));
        check_keys(&format!("{path}.{key}"), root, schema, value);
    }
    for key in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(key.as_str().unwrap()), "{path}: {key} is missing");
    }
}

#[test]
fn a_bundle_that_reads_none_of_it_is_shown_none_of_it() {
    let native = authz("allow if { input.request; input.time }");
    let request = asks(None, "GET /", &[]);
    let document = input::document(&request, native.reads).to_json_str().unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document, request.to_document());
    let one = authz("allow if input.parsed_path == [\"\"]");
    let document = input::document(&request, one.reads).to_json_str().unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["parsed_path"], json!([""]));
    assert!(document.get("attributes").is_none() && document.get("version").is_none());
}
