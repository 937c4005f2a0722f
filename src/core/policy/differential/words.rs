//! A plausible request, in the words of the input document, to start from.

use serde_json::{Value, json};

use super::places;
use super::random::Random;
use super::recipe::Step;

/// Some caller, some head, some body; always one that `AccessRequest::from_document` takes.
pub(super) fn request(random: &mut Random) -> Value {
    let is_plaintext = random.once_in(6);
    let mut document = json!({
        "source": source(is_plaintext, random),
        "destination": {
            "spiffe_id": "spiffe://demo.test/ns/shop/sa/orders",
            "service": random.word(&["orders", "people"]),
            "address": { "ip": random.word(&["127.0.0.1", "::1"]), "port": 8443 },
        },
        "request": head(random),
        "time": random.word(&["2026-11-21T10:00:00.000000Z", "1970-01-01T00:00:00.000000Z"]),
    });
    if is_plaintext {
        set(&mut document, "tls", Value::Null);
    } else if random.once_in(2) {
        set(
            &mut document,
            "tls",
            json!({
                "version": random.word(&["TLSv1.3", "TLSv1.2"]),
                "cipher_suite": "TLS13_AES_256_GCM_SHA384",
                "alpn": random.one(&[json!("h2"), json!("http/1.1"), json!(null)]),
                "sni": random.one(&[json!("orders.test"), json!(null)]),
            }),
        );
    }
    document
}

fn set(object: &mut Value, key: &str, value: Value) {
    places::put(object, &[Step::Key(key.to_owned())], value);
}

/// Often one of the first few, which small policies are about.
fn number(random: &mut Random) -> usize {
    let limit = if random.once_in(2) { 4 } else { 50 };
    random.below(limit)
}

fn source(is_plaintext: bool, random: &mut Random) -> Value {
    let n = number(random);
    let id = match random.below(6) {
        0 => json!(random.word(&[
            "spiffe://demo.test/ns/shop/sa/web",
            "spiffe://demo.test/ns/shop/sa/payments",
            "spiffe://demo.test/ns/shop/sa/admin",
            "spiffe://demo.test/blocked",
        ])),
        _ => json!(format!("spiffe://prod.example.org/ns/ns{}/sa/svc{n}", n % 17)),
    };
    let ip = random.word(&[
        "10.1.2.3",
        "10.6.6.6",
        "192.168.1.1",
        "::ffff:10.1.2.3",
        "2001:db8::7",
        "::1",
        "fe80::1",
        "255.255.255.255",
    ]);
    let mut source = json!({
        "spiffe_id": if is_plaintext { Value::Null } else { id },
        "address": { "ip": ip, "port": random.one(&[443, 443, 443, 443, 45678, 65535, 0, 22]) },
    });
    if !is_plaintext && random.once_in(2) {
        set(
            &mut source,
            "certificate",
            json!({
                "serial": "0a1b", "sha256": "00".repeat(32), "issuer": "O=Demo",
                "not_before": "2026-11-21T00:00:00.000000Z", "not_after": "2026-11-22T00:00:00.000000Z",
            }),
        );
    }
    if !random.once_in(4) {
        set(&mut source, "jwt", json!({ "claims": claims(random) }));
    }
    source
}

fn claims(random: &mut Random) -> Value {
    let groups: Vec<_> =
        (0..random.below(4)).map(|_| format!("team-{}", random.below(5))).collect();
    let mut claims = json!({
        "sub": random.word(&["user-1", "svc-1", ""]),
        "plan": random.word(&["gold", "silver", "none"]),
        "groups": groups,
        "aud": random.one(&[json!([]), json!(["orders"]), json!(["orders", "x"]), json!("orders")]),
        "scope": random.word(&["orders:read", "orders:read orders:write", ""]),
        "exp": 1_800_000_000,
    });
    if random.once_in(8) {
        claims = json!({});
    }
    claims
}

fn head(random: &mut Random) -> Value {
    let n = number(random);
    let path = match random.below(8) {
        0 => format!("/api/v{n}/status"),
        1 => format!("/x/public{n}"),
        2 => format!("/api/v{n}/a/items"),
        3 => random
            .word(&["/", "/orders/17", "/orders", "/healthz", "/public/a", "/%2B/a"])
            .to_owned(),
        _ => format!("/api/v{n}/orders"),
    };
    let mut request = json!({
        "direction": random.word(&["inbound", "inbound", "inbound", "outbound"]),
        "method": random.word(&["GET", "GET", "GET", "POST", "PUT", "HEAD", "DELETE", "BREW"]),
        "scheme": random.word(&["https", "https", "http"]),
        "host": random.word(&["orders.svc.local", "orders.svc.local", "other", "other:8080"]),
        "path": path,
        "route": random.word(&["orders", "default", "health", "reports"]),
        "protocol": random.word(&["HTTP/1.1", "HTTP/2"]),
        "headers": headers(random),
        "query": random.one(&[
            json!({}), json!({ "a": ["1", ""] }), json!({ "tenant": ["acme"], "é": ["=&"] }),
        ]),
    });
    match random.below(4) {
        0 => {}
        1 => set(&mut request, "body_truncated", json!(true)),
        _ => {
            let risk = random.below(100);
            let bodies = [json!({ "risk": risk }), json!([risk]), json!("risk"), json!({})];
            let is_usual = !random.once_in(4);
            set(
                &mut request,
                "body",
                random.one(if is_usual { &bodies[..1] } else { &bodies }).cloned().into(),
            );
        }
    }
    request
}

fn headers(random: &mut Random) -> Value {
    let mut headers = json!({});
    if !random.once_in(4) {
        let tenants = [
            json!(["acme"]),
            json!(["acme"]),
            json!(["acme"]),
            json!(["acme"]),
            json!(["acme"]),
            json!(["acme"]),
            json!(["evil1"]),
            json!([""]),
            json!(["acme", "evil"]),
            json!(["a\tb"]),
        ];
        set(&mut headers, "x-tenant", random.one(&tenants).cloned().into());
    }
    if random.once_in(3) {
        set(&mut headers, "accept", json!(["text/html", "*/*"]));
    }
    if random.once_in(3) {
        set(&mut headers, "cookie", json!(["a=1; b=2"]));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::AccessRequest;

    #[test]
    fn what_a_run_starts_from_is_a_request() {
        for number in 0..500 {
            let document = request(&mut Random::of(3, number));
            AccessRequest::from_document(&document).unwrap_or_else(|e| panic!("{e}: {document}"));
        }
    }
}
