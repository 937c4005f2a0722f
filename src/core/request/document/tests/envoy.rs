//! Documents as the decision log of Envoy's OPA plugin holds them.

use serde_json::{Value, json};

use crate::request::{AccessRequest, Body};

/// What Envoy sent, and the plugin's additions.
fn logged() -> Value {
    json!({
        "attributes": {
            "source": {
                "address": { "socketAddress": { "address": "10.0.0.7", "portValue": 41000 } },
                "principal": "spiffe://demo.test/ns/shop/sa/web",
            },
            "destination": {
                "address": { "socketAddress": { "address": "10.0.0.8", "portValue": 8443 } },
                "principal": "spiffe://demo.test/ns/shop/sa/orders",
            },
            "request": {
                "time": "2026-11-21T10:00:00.123456789Z",
                "http": {
                    "id": "4711", "method": "POST", "path": "/orders/%7Ea?x=1&x=%2f",
                    "host": "Orders.test:443", "scheme": "https", "protocol": "HTTP/2", "size": "2",
                    "headers": {
                        ":method": "POST", ":authority": "Orders.test:443", "accept": "*/*",
                        "x-tenant": "a,b", "x-forwarded-client-cert": "By=a;URI=b",
                    },
                },
            },
            "metadataContext": {}, "tlsSession": { "sni": "orders.test" },
        },
        "parsed_path": ["orders", "~a"], "parsed_query": { "x": ["1", "/"] },
        "parsed_body": { "n": 1 }, "truncated_body": false,
        "version": { "ext_authz": "v3", "encoding": "protojson" },
    })
}

#[test]
fn it_becomes_the_request_that_the_sidecar_would_have_seen() {
    let request = AccessRequest::from_document(&logged()).unwrap();
    assert_eq!(request.head.target.as_str(), "/orders/~a?x=1&x=%2f");
    let document = request.to_document();
    let seen = |pointer: &str| document.pointer(pointer).unwrap().clone();
    assert_eq!(seen("/source/spiffe_id"), json!("spiffe://demo.test/ns/shop/sa/web"));
    assert_eq!(seen("/source/address"), json!({ "ip": "10.0.0.7", "port": 41000 }));
    assert_eq!(seen("/destination/spiffe_id"), json!("spiffe://demo.test/ns/shop/sa/orders"));
    assert_eq!(seen("/request/host"), json!("orders.test"));
    assert_eq!(seen("/request/headers"), json!({ "accept": ["*/*"], "x-tenant": ["a,b"] }));
    assert_eq!(seen("/request/query"), json!({ "x": ["1", "/"] }));
    assert_eq!(seen("/request/body"), json!({ "n": 1 }));
    assert_eq!(seen("/request/protocol"), json!("HTTP/2"));
    assert_eq!(seen("/tls/sni"), json!("orders.test"));
    assert_eq!(seen("/time"), json!("2026-11-21T10:00:00.123456Z"));
}

#[test]
fn a_plain_caller_and_an_unread_body_stay_so() {
    let mut document = logged();
    let attributes = document["attributes"].as_object_mut().unwrap();
    attributes.remove("tlsSession");
    attributes["source"].as_object_mut().unwrap().remove("principal");
    document.as_object_mut().unwrap().remove("parsed_body");
    let request = AccessRequest::from_document(&document).unwrap();
    assert!(request.connection.source.spiffe_id.is_none() && request.connection.tls.is_none());
    assert_eq!(request.body, Body::NotRead);
    document["truncated_body"] = json!(true);
    assert_eq!(AccessRequest::from_document(&document).unwrap().body, Body::Truncated);
}

#[track_caller]
fn check_refused(pointer: &str, value: Value, expected: &str) {
    let mut document = logged();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(key)),
        value => drop(parent.insert(key.to_owned(), value)),
    }
    let error = AccessRequest::from_document(&document).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_is_missing_or_has_no_place_here_is_named() {
    let http = |key: &str| format!("/attributes/request/http/{key}");
    let gone = Value::Null;
    check_refused(&http("method"), gone.clone(), "attributes.request.http.method: is missing");
    check_refused(&http("path"), gone.clone(), "attributes.request.http.path: is missing");
    check_refused(&http("host"), gone, "attributes.request.http.host: is missing");
    check_refused(
        &http("path"),
        json!("//admin/dashboard"),
        "attributes.request.http: the path has an empty segment (`//`)",
    );
    check_refused(
        &http("headers"),
        json!({ "x-a": ["1"] }),
        "attributes.request.http.headers.x-a: the value is not one of a header",
    );
    check_refused(
        "/attributes/contextExtensions",
        json!({ "virtual_host": "a" }),
        "attributes.contextExtensions: holds what this sidecar has no place for",
    );
    check_refused(
        "/attributes/metadataContext",
        json!({ "filterMetadata": { "envoy.filters.http.jwt_authn": { "sub": "a" } } }),
        "attributes.metadataContext: holds what this sidecar has no place for",
    );
    check_refused(
        "/attributes/sorce",
        json!({}),
        "attributes.sorce: is not a key of the document; did you mean `source`?",
    );
    check_refused(
        "/attributes/source/principal",
        json!("CN=web"),
        "attributes.source.principal: the scheme must be `spiffe` in lower case (SPIFFE-ID §2)",
    );
    // Two forms of one request could contradict each other.
    check_refused(
        "/request",
        json!({ "method": "GET", "path": "/" }),
        "attributes: is not a key of the document",
    );
}
