//! The request as Envoy's OPA plugin shows it: protojson of Envoy's `CheckRequest`, where an empty field
//! is absent, and what the plugin adds beside it.
//!
//! It is the canonical request that is shown. A segment of `parsed_path` is decoded by itself, so that
//! an encoded slash separates nothing; the plugin decodes first and splits then.

use std::borrow::Cow;
use std::net::SocketAddr;

use http::header::COOKIE;
use regorus::Value;
use regorus::value::Object;

use super::keys::keys;
use super::reads::{Part, Reads};
use super::{object, of_query};
use crate::Timestamp;
use crate::request::{AccessRequest, Body, ConnectionFacts, Head};
use crate::spiffe::SpiffeId;

keys! {
    address = "address"
    attributes destination encoding ext_authz headers host http method
    metadata_context = "metadataContext"
    parsed_body parsed_path parsed_query path
    port_value = "portValue"
    principal protocol
    pseudo_authority = ":authority"
    pseudo_method = ":method"
    pseudo_path = ":path"
    pseudo_scheme = ":scheme"
    request
    route_metadata_context = "routeMetadataContext"
    scheme sni
    socket_address = "socketAddress"
    source source_principal time
    tls_session = "tlsSession"
    truncated_body version
}

thread_local! {
    static KEYS: Keys = Keys::new();
}

/// What all requests of a connection share.
pub(super) struct Shared {
    source: Value,
    destination: Value,
    /// `None` for a plaintext caller.
    tls_session: Option<Value>,
    source_principal: Option<Value>,
    version: Value,
    empty: Value,
}

/// Adds the parts that are read.
pub(super) fn add(document: &mut Object, request: &AccessRequest, reads: Reads) {
    KEYS.with(|keys| {
        let connection = &request.connection;
        let shared = &connection.engine_values.rego.envoy;
        let shared = shared.get_or_init(|| Shared::of(connection, keys));
        let mut add = |key: &Value, value: Value| {
            document.insert(key.clone(), value);
        };
        if reads.has(Part::Attributes) {
            add(&keys.attributes, attributes(request, reads, shared, keys));
        }
        if reads.has(Part::ParsedPath) {
            add(&keys.parsed_path, parsed_path(request.head.path()));
        }
        if reads.has(Part::ParsedQuery) {
            add(&keys.parsed_query, of_query(&request.head));
        }
        if reads.has(Part::Body) {
            let (body, is_truncated) = match &request.body {
                Body::NotRead => (None, None), // as with `skip-request-body-parse`
                Body::Parsed(body) => (Some(Value::from(body.clone())), Some(false)),
                Body::Truncated => (Some(Value::Null), Some(true)),
            };
            body.into_iter().for_each(|body| add(&keys.parsed_body, body));
            is_truncated.into_iter().for_each(|is| add(&keys.truncated_body, Value::from(is)));
        }
        if reads.has(Part::Connection) {
            add(&keys.version, shared.version.clone());
            let principal = shared.source_principal.iter().cloned();
            principal.for_each(|principal| add(&keys.source_principal, principal));
        }
    });
}

impl Shared {
    fn of(connection: &ConnectionFacts, keys: &Keys) -> Self {
        let ConnectionFacts { source, destination, tls, .. } = connection;
        let sni = |tls: &crate::request::TlsFacts| match tls.sni.as_deref() {
            Some(sni) => object([(&keys.sni, Value::from(sni))]),
            None => Object::new().into_value(),
        };
        Self {
            source: peer(source.address, source.spiffe_id.as_ref(), keys),
            destination: peer(destination.address, destination.spiffe_id.as_ref(), keys),
            tls_session: tls.as_ref().map(sni),
            source_principal: source.spiffe_id.as_ref().map(|id| Value::from(id.as_str())),
            version: object([
                (&keys.encoding, Value::from("protojson")),
                (&keys.ext_authz, Value::from("v3")),
            ]),
            empty: Object::new().into_value(),
        }
    }
}

/// The principal of a peer with a certificate is its first URI name, which is the SPIFFE ID.
fn peer(address: SocketAddr, id: Option<&SpiffeId>, keys: &Keys) -> Value {
    let socket_address = object([
        (&keys.address, Value::from(address.ip().to_string())),
        (&keys.port_value, Value::from(u32::from(address.port()))),
    ]);
    let address = object([(&keys.socket_address, socket_address)]);
    match id {
        Some(id) => object([(&keys.address, address), (&keys.principal, Value::from(id.as_str()))]),
        None => object([(&keys.address, address)]),
    }
}

fn attributes(request: &AccessRequest, reads: Reads, shared: &Shared, keys: &Keys) -> Value {
    let asked = object([
        (&keys.http, http(&request.head, reads, keys)),
        (&keys.time, Value::from(&*protojson_time(request.time))),
    ]);
    let mut attributes: Object = super::pairs([
        (&keys.destination, shared.destination.clone()),
        (&keys.metadata_context, shared.empty.clone()),
        (&keys.request, asked),
        (&keys.route_metadata_context, shared.empty.clone()),
        (&keys.source, shared.source.clone()),
    ])
    .collect();
    if let Some(session) = &shared.tls_session {
        attributes.insert(keys.tls_session.clone(), session.clone());
    }
    attributes.into_value()
}

fn http(head: &Head, reads: Reads, keys: &Keys) -> Value {
    let mut http: Object = super::pairs([
        (&keys.host, Value::from(&*head.host)),
        (&keys.method, Value::from(head.method.as_str())),
        (&keys.path, Value::from(head.target.as_str())), // with the query
        (&keys.protocol, Value::from(head.protocol.as_str())),
        (&keys.scheme, Value::from(head.scheme.as_str())),
    ])
    .collect();
    if reads.has(Part::Headers) {
        http.insert(keys.headers.clone(), headers(head, keys));
    }
    http.into_value()
}

/// One text a name: several lines are joined, so that a value may hold what another line said. The
/// lists of `input.request.headers` keep them apart.
fn headers(head: &Head, keys: &Keys) -> Value {
    let mut headers: Object = super::pairs([
        (&keys.pseudo_authority, Value::from(&*head.host)),
        (&keys.pseudo_method, Value::from(head.method.as_str())),
        (&keys.pseudo_path, Value::from(head.target.as_str())),
        (&keys.pseudo_scheme, Value::from(head.scheme.as_str())),
    ])
    .collect();
    for name in head.headers.keys() {
        let mut lines =
            head.headers.get_all(name).iter().map(|l| String::from_utf8_lossy(l.as_bytes()));
        let first = lines.next().unwrap_or_default();
        let separator = if name == COOKIE { "; " } else { "," };
        let joined =
            lines.fold(first, |joined, line| Cow::Owned(format!("{joined}{separator}{line}")));
        headers.insert(Value::from(name.as_str()), Value::from(&*joined));
    }
    headers.into_value()
}

/// `/` is one empty segment, as the plugin has it.
fn parsed_path(path: &str) -> Value {
    let segments = path.strip_prefix('/').unwrap_or(path).split('/');
    Value::from(segments.map(|segment| Value::from(&*decoded(segment))).collect::<Vec<_>>())
}

/// A segment without percent-encodings; one that is no UTF-8 then stays as it was sent.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment;
    while let Some((plain, encoded)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let Some(byte) = encoded.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()) else {
            return Cow::Borrowed(segment);
        };
        bytes.push(byte);
        rest = encoded.get(2..).unwrap_or_default();
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_or(Cow::Borrowed(segment), Cow::Owned)
}

/// With no, three or six digits behind the point, as few as say it.
fn protojson_time(time: Timestamp) -> String {
    let text = time.to_string();
    let without = |zeros: &str| text.strip_suffix(zeros).map(|rest| format!("{rest}Z"));
    without(".000000Z").or_else(|| without("000Z")).unwrap_or(text)
}
