//! Policies written for Envoy's OPA plugin: the input they read, the decisions they give, and a set
//! of them as they are written for it.

mod answers;
mod document;
mod policies;
mod shipped;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::{Policies, line, load, request};
use crate::request::{AccessRequest, ConnectionFacts, Source, TlsFacts};
use crate::spiffe::SpiffeId;

/// The path that the plugin asks for unless it is configured otherwise.
const ENTRYPOINT: &str = "envoy/authz/allow";

/// `METHOD /path?query`, by a caller with an ID over TLS or by one without, with these headers.
fn asks(id: Option<&str>, line: &str, headers: &[(&str, &str)]) -> AccessRequest {
    let mut request = request(serde_json::Value::Null);
    let (method, target) = line.split_once(' ').unwrap();
    request.head.method = method.parse().unwrap();
    request.head.target = target.parse().unwrap();
    request.head.headers.clear();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.head.headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let id = id.map(|id| SpiffeId::parse(id).unwrap());
    let tls = id.as_ref().map(|_| TlsFacts {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS13_AES_128_GCM_SHA256".into(),
        alpn: Some("h2".into()),
        sni: Some("orders.test".into()),
    });
    let old = &request.connection;
    let source = Source { spiffe_id: id, ..old.source.clone() };
    request.connection = Arc::new(ConnectionFacts::new(source, old.destination.clone(), tls));
    request.body = crate::request::Body::NotRead;
    request
}

/// A module of package `envoy.authz`, loaded as the plugin would ask for it.
fn authz(module: &str) -> Policies {
    let module = format!("package envoy.authz\n{module}");
    load(&[("authz.rego", &module)], ENTRYPOINT).unwrap_or_else(|error| panic!("{error}"))
}
