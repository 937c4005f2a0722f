mod envoy;

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use crate::request::AccessRequest;

/// A document in which everything is known.
fn full() -> Value {
    json!({
        "portreeve": { "version": env!("CARGO_PKG_VERSION") },
        "source": {
            "spiffe_id": "spiffe://demo.test/ns/shop/sa/web",
            "trust_domain": "demo.test",
            "path": "/ns/shop/sa/web",
            "segments": ["ns", "shop", "sa", "web"],
            "address": { "ip": "10.0.0.7", "port": 41000 },
            "certificate": {
                "serial": "0a", "sha256": "ff", "issuer": "CN=demo",
                "not_before": "2026-11-21T09:00:00.000000Z",
                "not_after": "2026-11-21T11:00:00.000000Z",
            },
            "jwt": { "claims": { "sub": "spiffe://demo.test/x", "aud": ["orders"] } },
        },
        "destination": {
            "spiffe_id": "spiffe://demo.test/ns/shop/sa/orders",
            "service": "orders",
            "address": { "ip": "10.0.0.8", "port": 8443 },
        },
        "request": {
            "direction": "inbound", "method": "POST", "scheme": "https",
            "host": "orders.demo.test", "path": "/orders/17", "route": "orders",
            "segments": ["orders", "17"],
            "query": { "a": ["1", "a b&=%+ü"], "": ["", "x"] },
            "headers": { "accept": ["a", "b"], "x-tenant": ["t"] },
            "protocol": "HTTP/2", "body": { "k": [1] }, "body_truncated": false,
        },
        "tls": {
            "version": "TLSv1.3", "cipher_suite": "TLS13_AES_128_GCM_SHA256",
            "alpn": "h2", "sni": "orders.demo.test",
        },
        "time": "2026-11-21T10:00:00.123456Z",
    })
}

/// Replaces the value at a pointer (adding the last key where it is missing) and reads the document.
#[track_caller]
fn check_refused(pointer: &str, value: Value, expected: &str) {
    let mut document = full();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) => list[key.parse::<usize>().unwrap()] = value,
        object => object[key] = value,
    }
    let error = AccessRequest::from_document(&document).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[track_caller]
fn check_described(description: Value, expected: Expect) {
    let text = match AccessRequest::described(&description) {
        Ok(request) => serde_json::to_string(&request.to_document()).unwrap(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn a_document_comes_back_as_it_was() {
    let mut truncated = full();
    truncated["request"]["body"] = Value::Null;
    truncated["request"]["body_truncated"] = json!(true);
    let mut plaintext = full();
    plaintext["tls"] = Value::Null;
    for key in ["spiffe_id", "trust_domain", "path", "segments", "certificate", "jwt"] {
        plaintext["source"][key] = Value::Null;
    }
    for document in [full(), truncated, plaintext] {
        let request = AccessRequest::from_document(&document).unwrap();
        assert_eq!(request.to_document(), document);
    }
}

#[test]
fn every_key_is_there_and_in_the_schema() {
    let schema: Value =
        serde_json::from_str(include_str!("../../../../../schemas/input.json")).unwrap();
    let bare = AccessRequest::described(&json!({ "path": "/" })).unwrap().to_document();
    check_keys("input", &schema, &schema, &bare);
    check_keys("input", &schema, &schema, &full());
}

/// Objects with fixed keys have exactly those that the schema requires; the others are the plugin's.
#[track_caller]
fn check_keys(path: &str, root: &Value, schema: &Value, value: &Value) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object())
    else {
        // Null, a list or a map of any keys: one of the kinds that the schema names.
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let types = &schema["type"];
        let is_allowed = types.is_null()
            || types == kind
            || types.as_array().is_some_and(|types| types.contains(&json!(kind)));
        assert!(is_allowed, "{path}: {kind} is none of {types}");
        return;
    };
    assert_eq!(schema["additionalProperties"], json!(false), "{path}");
    let sorted = |keys: Vec<String>| keys.into_iter().collect::<std::collections::BTreeSet<_>>();
    let keys = sorted(object.keys().cloned().collect());
    assert!(keys.iter().all(|key| properties.contains_key(key)), "{path}");
    let required = schema["required"].as_array().unwrap().iter();
    assert_eq!(keys, sorted(required.map(|key| key.as_str().unwrap().to_owned()).collect()));
    for (key, value) in object {
        check_keys(&format!("{path}.{key}"), root, &properties[key], value);
    }
}

#[test]
fn what_no_request_could_be_is_refused_at_its_place() {
    check_refused(
        "/request/metod",
        json!("GET"),
        "request.metod: is not a key of the document; did you mean `method`?",
    );
    check_refused(
        "/tls/sin",
        json!("a"),
        "tls.sin: is not a key of the document; did you mean `sni`?",
    );
    check_refused("/source", json!([]), "source: must be an object, not a list");
    check_refused("/request/method", json!(1), "request.method: must be a text, not a number");
    check_refused(
        "/request/headers/accept/1",
        json!(null),
        "request.headers.accept[1]: must be a text, not null",
    );
    check_refused(
        "/source/spiffe_id",
        json!("spiffe://Demo.test/a"),
        "source.spiffe_id: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` \
         (SPIFFE-ID §2.1)",
    );
    check_refused(
        "/source/trust_domain",
        json!("other.test"),
        "source.trust_domain: contradicts the rest, from which \"demo.test\" follows",
    );
    check_refused(
        "/request/segments",
        json!(["orders"]),
        "request.segments: contradicts the rest, from which [\"orders\",\"17\"] follows",
    );
    check_refused("/request/path", json!("/%61"), "request.path: is not canonical; `/a` is");
    check_refused("/request/path", json!("/a/../b"), "request: the path has a dot segment");
    check_refused("/request/path", json!("/a?b"), "request.path: `/a?b` is not a path");
    check_refused("/request/host", json!("A.test"), "request.host: is not canonical; `a.test` is");
    check_refused("/request/method", json!("TRACE"), "request: the method is not allowed here");
    check_refused(
        "/request/body_truncated",
        json!(true),
        "request.body: must be null, since it is truncated",
    );
    check_refused(
        "/source/address/port",
        json!(65536),
        "source.address.port: must be a number from 0 to 65535",
    );
}

#[test]
fn headers_that_never_reach_policy_are_refused() {
    for (name, value) in [
        ("connection", "a"),
        ("x-spiffe-id", "a"),
        ("x-portreeve-decision-id", "a"),
        ("transfer-encoding", "chunked"),
    ] {
        check_refused(
            &format!("/request/headers/{name}"),
            json!([value]),
            "request.headers: holds a header that is removed before policy sees a request",
        );
    }
    check_refused(
        "/request/headers/Accept",
        json!(["a"]),
        "request.headers.Accept: header names are in lower case",
    );
    let host = "request.headers.host: stands under `request.host`";
    check_refused("/request/headers/host", json!(["a"]), host);
}

#[test]
fn a_described_request_is_a_whole_one() {
    check_described(
        json!({
            "source": "spiffe://td/x", "path": "/a?q=1", "headers": {"x-a": "b"},
            "query": {"r": ["2", "3"]},
        }),
        expect![[
            r#"{"portreeve":{"version":"0.1.0"},"source":{"spiffe_id":"spiffe://td/x","trust_domain":"td","path":"/x","segments":["x"],"address":{"ip":"127.0.0.1","port":0},"certificate":null,"jwt":null},"destination":{"spiffe_id":null,"service":"default","address":{"ip":"127.0.0.1","port":0}},"request":{"direction":"inbound","method":"GET","scheme":"https","host":"localhost","path":"/a","route":"default","segments":["a"],"query":{"q":["1"],"r":["2","3"]},"headers":{"x-a":["b"]},"protocol":"HTTP/1.1","body":null,"body_truncated":false},"tls":{"version":"TLSv1.3","cipher_suite":"TLS13_AES_256_GCM_SHA384","alpn":null,"sni":null},"time":"1970-01-01T00:00:00.000000Z"}"#
        ]],
    );
    check_described(json!({"method": "GET"}), expect!["path: is missing"]);
    check_described(
        json!({"path": "/", "sorce": "spiffe://td/x"}),
        expect!["sorce: is not a key of the document; did you mean `source`?"],
    );
}

#[test]
fn a_caller_without_identity_has_no_tls_unless_said() {
    let request = AccessRequest::described(&json!({ "path": "/", "source": null })).unwrap();
    assert!(request.connection.tls.is_none() && request.connection.source.spiffe_id.is_none());
    let tls = json!({ "path": "/", "tls": { "sni": "a" } });
    assert!(AccessRequest::described(&tls).unwrap().connection.tls.is_some());
}
