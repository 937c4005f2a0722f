//! From a request to its document.

use std::net::SocketAddr;

use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::request::{AccessRequest, Body, Destination, Head, Source, TlsFacts};
use crate::spiffe::CertificateFacts;
use crate::spiffe::SpiffeId;

impl AccessRequest {
    /// The native part of the input document; every key is there, null where nothing is known.
    #[must_use]
    pub fn to_document(&self) -> Value {
        json!({
            "portreeve": { "version": env!("CARGO_PKG_VERSION") },
            "source": source(&self.connection.source),
            "destination": destination(&self.connection.destination),
            "request": request(self),
            "tls": self.connection.tls.as_ref().map(tls),
            "time": self.time.to_string(),
        })
    }
}

fn source(source: &Source) -> Value {
    let id = source.spiffe_id.as_ref();
    json!({
        "spiffe_id": id.map(SpiffeId::as_str),
        "trust_domain": id.map(|id| id.trust_domain().as_str()),
        "path": id.map(SpiffeId::path),
        "segments": id.map(|id| id.segments().collect::<Vec<_>>()),
        "address": address(source.address),
        "certificate": source.certificate.as_ref().map(certificate),
        "jwt": source.jwt.as_ref().map(|jwt| json!({ "claims": jwt.claims })),
    })
}

fn certificate(facts: &CertificateFacts) -> Value {
    json!({
        "serial": facts.serial,
        "sha256": facts.sha256,
        "issuer": facts.issuer,
        "not_before": facts.not_before.to_string(),
        "not_after": facts.not_after.to_string(),
    })
}

fn destination(destination: &Destination) -> Value {
    json!({
        "spiffe_id": destination.spiffe_id.as_ref().map(SpiffeId::as_str),
        "service": *destination.service,
        "address": address(destination.address),
    })
}

fn address(address: SocketAddr) -> Value {
    json!({ "ip": address.ip().to_string(), "port": address.port() })
}

fn request(request: &AccessRequest) -> Value {
    let head = &request.head;
    let (body, is_truncated) = match &request.body {
        Body::NotRead => (&Value::Null, false),
        Body::Parsed(body) => (body, false),
        Body::Truncated => (&Value::Null, true),
    };
    json!({
        "direction": request.direction.as_str(),
        "method": head.method.as_str(),
        "scheme": head.scheme.as_str(),
        "host": *head.host,
        "path": head.path(),
        "route": *request.route,
        "segments": head.segments().collect::<Vec<_>>(),
        "query": query(head),
        "headers": headers(&head.headers),
        "protocol": head.protocol.as_str(),
        "body": body,
        "body_truncated": is_truncated,
    })
}

fn query(head: &Head) -> Value {
    let mut query = Map::new();
    for (key, value) in head.query_pairs() {
        if let Value::Array(values) = query.entry(key).or_insert_with(|| json!([])) {
            values.push(value.into());
        }
    }
    query.into()
}

fn headers(headers: &HeaderMap) -> Value {
    let values = |name| {
        let values = headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect()
    };
    headers.keys().map(|name| (name.as_str().to_owned(), Value::Array(values(name)))).collect()
}

fn tls(facts: &TlsFacts) -> Value {
    json!({
        "version": *facts.version,
        "cipher_suite": *facts.cipher_suite,
        "alpn": facts.alpn.as_deref(),
        "sni": facts.sni.as_deref(),
    })
}
