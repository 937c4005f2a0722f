//! The input document as an engine value, built from the request directly and never through JSON;
//! what belongs to the connection is built once and cloned.
//!
//! Beside the native part stands, only where a bundle reads it, the same request as Envoy's OPA plugin
//! shows it. Nothing is ever read back from this value: records are written from the request.

mod envoy;
mod keys;
mod reads;

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;

use regorus::Value;
use regorus::value::Object;

use keys::keys;
use reads::Part;
pub(super) use reads::Reads;

use crate::Timestamp;
use crate::request::{AccessRequest, Body, ConnectionFacts, Destination, Head, Source, TlsFacts};
use crate::spiffe::CertificateFacts;
use crate::spiffe::SpiffeId;

/// The parts of the input document that all requests of a connection share.
#[derive(Default)]
pub(in crate::policy) struct ConnectionValues {
    native: OnceLock<Shared>,
    envoy: OnceLock<envoy::Shared>,
}

struct Shared {
    portreeve: Value,
    source: Value,
    destination: Value,
    tls: Value,
}

impl fmt::Debug for ConnectionValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionValues").field("built", &self.native.get().is_some()).finish()
    }
}

keys! {
    address alpn body body_truncated certificate cipher_suite claims destination direction headers host ip
    issuer jwt method not_after not_before path port portreeve protocol query request route scheme
    segments serial service sha256 sni source spiffe_id time tls trust_domain version
}

thread_local! {
    static KEYS: Keys = Keys::new();
}

/// The native document, every key present and null where nothing is known or nobody reads it, and what
/// `reads` names of the plugin's.
pub(super) fn document(request: &AccessRequest, reads: Reads) -> Value {
    KEYS.with(|keys| {
        let connection = &request.connection;
        let shared = &connection.engine_values.rego.native;
        let shared = shared.get_or_init(|| Shared::of(connection, keys));
        let native = [
            (&keys.destination, shared.destination.clone()),
            (&keys.portreeve, shared.portreeve.clone()),
            (&keys.request, of_request(request, reads, keys)),
            (&keys.source, shared.source.clone()),
            (&keys.time, reads.part(Part::Time, || time(request.time))),
            (&keys.tls, shared.tls.clone()),
        ];
        let mut document: Object = pairs(native).collect();
        if !reads.is_native() {
            envoy::add(&mut document, request, reads);
        }
        document.into_value()
    })
}

impl Shared {
    fn of(connection: &ConnectionFacts, keys: &Keys) -> Self {
        Self {
            portreeve: object([(&keys.version, Value::from(env!("CARGO_PKG_VERSION")))]),
            source: of_source(&connection.source, keys),
            destination: of_destination(&connection.destination, keys),
            tls: of_tls(connection.tls.as_ref(), keys),
        }
    }
}

fn of_source(source: &Source, keys: &Keys) -> Value {
    let id = source.spiffe_id.as_ref();
    object([
        (&keys.address, of_address(source.address, keys)),
        (&keys.certificate, of_certificate(source.certificate.as_ref(), keys)),
        (
            &keys.jwt,
            match &source.jwt {
                Some(jwt) => {
                    let claims = serde_json::Value::Object(jwt.claims.clone());
                    object([(&keys.claims, Value::from(claims))])
                }
                None => Value::Null,
            },
        ),
        (&keys.path, text(id.map(SpiffeId::path))),
        (&keys.segments, id.map_or(Value::Null, |id| strings(id.segments()))),
        (&keys.spiffe_id, text(id.map(SpiffeId::as_str))),
        (&keys.trust_domain, text(id.map(|id| id.trust_domain().as_str()))),
    ])
}

fn of_certificate(certificate: Option<&CertificateFacts>, keys: &Keys) -> Value {
    let Some(certificate) = certificate else { return Value::Null };
    object([
        (&keys.issuer, Value::from(certificate.issuer.as_str())),
        (&keys.not_after, time(certificate.not_after)),
        (&keys.not_before, time(certificate.not_before)),
        (&keys.serial, Value::from(certificate.serial.as_str())),
        (&keys.sha256, Value::from(certificate.sha256.as_str())),
    ])
}

fn of_destination(destination: &Destination, keys: &Keys) -> Value {
    object([
        (&keys.address, of_address(destination.address, keys)),
        (&keys.service, Value::from(&*destination.service)),
        (&keys.spiffe_id, text(destination.spiffe_id.as_ref().map(SpiffeId::as_str))),
    ])
}

fn of_address(address: SocketAddr, keys: &Keys) -> Value {
    object([
        (&keys.ip, Value::from(address.ip().to_string())),
        (&keys.port, Value::from(u32::from(address.port()))),
    ])
}

fn of_tls(tls: Option<&TlsFacts>, keys: &Keys) -> Value {
    let Some(tls) = tls else { return Value::Null };
    object([
        (&keys.alpn, text(tls.alpn.as_deref())),
        (&keys.cipher_suite, Value::from(&*tls.cipher_suite)),
        (&keys.sni, text(tls.sni.as_deref())),
        (&keys.version, Value::from(&*tls.version)),
    ])
}

fn of_request(request: &AccessRequest, reads: Reads, keys: &Keys) -> Value {
    let head = &request.head;
    let body = || match &request.body {
        Body::NotRead | Body::Truncated => Value::Null,
        Body::Parsed(body) => Value::from(body.clone()),
    };
    let is_truncated = matches!(request.body, Body::Truncated);
    object([
        (&keys.body, reads.part(Part::RequestBody, body)),
        (&keys.body_truncated, Value::from(is_truncated)),
        (&keys.direction, Value::from(request.direction.as_str())),
        (&keys.headers, reads.part(Part::RequestHeaders, || of_headers(head))),
        (&keys.host, Value::from(&*head.host)),
        (&keys.method, Value::from(head.method.as_str())),
        (&keys.path, Value::from(head.path())),
        (&keys.protocol, Value::from(head.protocol.as_str())),
        (&keys.query, reads.part(Part::RequestQuery, || of_query(head))),
        (&keys.route, Value::from(&*request.route)),
        (&keys.scheme, Value::from(head.scheme.as_str())),
        (&keys.segments, reads.part(Part::RequestSegments, || strings(head.segments()))),
    ])
}

fn of_headers(head: &Head) -> Value {
    let mut headers = Object::new();
    for name in head.headers.keys() {
        let values = head.headers.get_all(name).iter();
        let values: Vec<Value> =
            values.map(|value| Value::from(&*String::from_utf8_lossy(value.as_bytes()))).collect();
        headers.insert(Value::from(name.as_str()), Value::from(values));
    }
    headers.into_value()
}

fn of_query(head: &Head) -> Value {
    let mut query = Object::new();
    for (key, value) in head.query_pairs() {
        let values = query.get_or_insert_with(Value::from(key), Value::new_array);
        if let Ok(values) = values.as_array_mut() {
            values.push(Value::from(value));
        }
    }
    query.into_value()
}

fn object<const N: usize>(fields: [(&Value, Value); N]) -> Value {
    Object::from_iter(pairs(fields)).into_value()
}

fn pairs<const N: usize>(fields: [(&Value, Value); N]) -> impl Iterator<Item = (Value, Value)> {
    fields.into_iter().map(|(key, value)| (key.clone(), value))
}

fn text(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

fn strings<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::from(texts.map(Value::from).collect::<Vec<_>>())
}

fn time(time: Timestamp) -> Value {
    Value::from(time.to_string())
}
