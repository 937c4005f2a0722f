use std::sync::Arc;

use serde_json::json;

use super::request;
use crate::Timestamp;
use crate::policy::rego::input::{self, Reads};
use crate::request::{AccessRequest, Body, ConnectionFacts, JwtFacts, Source, TlsFacts};
use crate::spiffe::CertificateFacts;

#[track_caller]
fn check(request: &AccessRequest, expected: &serde_json::Value) {
    let text = input::document(request, Reads::all_native()).to_json_str().unwrap();
    let seen: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(&seen, expected);
}

/// A request whose caller has a certificate and a token, over TLS.
fn full_request() -> AccessRequest {
    let mut request = request(json!({"items": [1, 2.5, null]}));
    let source = Source {
        certificate: Some(CertificateFacts {
            serial: "0a".to_owned(),
            sha256: "ff".to_owned(),
            issuer: "CN=demo".to_owned(),
            not_before: Timestamp::from_unix_seconds(0),
            not_after: Timestamp::from_unix_seconds(60),
        }),
        jwt: Some(JwtFacts {
            claims: [("aud".to_owned(), json!(["orders"]))].into_iter().collect(),
        }),
        ..request.connection.source.clone()
    };
    let tls = TlsFacts {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS13_AES_256_GCM_SHA384".into(),
        alpn: Some("h2".into()),
        sni: None,
    };
    let destination = request.connection.destination.clone();
    request.connection = Arc::new(ConnectionFacts::new(source, destination, Some(tls)));
    request
}

#[test]
fn every_fact_stands_at_its_place() {
    let expected = json!({
        "portreeve": {"version": env!("CARGO_PKG_VERSION")},
        "source": {
            "spiffe_id": "spiffe://demo.test/ns/shop/sa/web",
            "trust_domain": "demo.test",
            "path": "/ns/shop/sa/web",
            "segments": ["ns", "shop", "sa", "web"],
            "address": {"ip": "10.1.2.3", "port": 4000},
            "certificate": {
                "serial": "0a",
                "sha256": "ff",
                "issuer": "CN=demo",
                "not_before": "1970-01-01T00:00:00.000000Z",
                "not_after": "1970-01-01T00:01:00.000000Z",
            },
            "jwt": {"claims": {"aud": ["orders"]}},
        },
        "destination": {
            "spiffe_id": null,
            "service": "orders",
            "address": {"ip": "127.0.0.1", "port": 8443},
        },
        "request": {
            "direction": "inbound",
            "method": "GET",
            "scheme": "https",
            "host": "orders.test",
            "path": "/orders/17",
            "route": "orders",
            "segments": ["orders", "17"],
            "query": {"a": ["1", "3"], "b": ["2"]},
            "headers": {"x-tenant": ["a", "b"]},
            "protocol": "HTTP/1.1",
            "body": {"items": [1, 2.5, null]},
            "body_truncated": false,
        },
        "tls": {
            "version": "TLSv1.3",
            "cipher_suite": "TLS13_AES_256_GCM_SHA384",
            "alpn": "h2",
            "sni": null,
        },
        "time": "2027-01-15T08:00:00.000000Z",
    });
    check(&full_request(), &expected);
    // The second request of a connection takes the shared parts as they are.
    let again = full_request();
    check(&again, &expected);
    check(&again, &expected);
}

/// Records, replay and `policy eval` use the JSON form: an engine must not see another one.
#[track_caller]
fn check_same(request: &AccessRequest) {
    check(request, &request.to_document());
}

#[test]
fn the_engine_sees_what_the_json_form_says() {
    check_same(&full_request());
    check_same(&request(json!("text")));
    for body in [Body::NotRead, Body::Truncated] {
        let mut request = full_request();
        let source = Source { spiffe_id: None, ..request.connection.source.clone() };
        let destination = request.connection.destination.clone();
        request.connection = Arc::new(ConnectionFacts::new(source, destination, None));
        request.body = body;
        request.head.headers.clear();
        request.head.target = "/".parse().unwrap();
        check_same(&request);
    }
}

#[test]
fn what_is_unknown_is_null() {
    let mut request = request(json!(null));
    let source = Source { spiffe_id: None, ..request.connection.source.clone() };
    let destination = request.connection.destination.clone();
    request.connection = Arc::new(ConnectionFacts::new(source, destination, None));
    request.head.headers.clear();
    request.head.target = "/".parse().unwrap();
    request.body = Body::Truncated;
    let seen = input::document(&request, Reads::all_native());
    let seen: serde_json::Value = serde_json::from_str(&seen.to_json_str().unwrap()).unwrap();
    for part in ["spiffe_id", "trust_domain", "path", "segments", "certificate", "jwt"] {
        assert_eq!(seen["source"].get(part), Some(&json!(null)), "{part}");
    }
    assert_eq!(seen.get("tls"), Some(&json!(null)));
    assert_eq!(seen["request"].get("body"), Some(&json!(null)));
    assert_eq!(seen["request"]["body_truncated"], json!(true));
    for (part, empty) in [("segments", json!([])), ("query", json!({})), ("headers", json!({}))] {
        assert_eq!(seen["request"][part], empty, "{part}");
    }
}
