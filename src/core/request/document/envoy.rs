//! From the input of Envoy's OPA plugin, as its decision log holds it, to a request.
//!
//! The head goes the way of a head from the wire: what the sidecar would refuse is refused, and what it
//! would remove is removed. `parsed_path` and `parsed_query` follow from the path and are not read.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Uri, Version};
use serde_json::Value;

use super::DocumentError;
use super::fields::Fields;
use super::read::{UNNAMED, default_tls, socket_address};
use crate::Timestamp;
use crate::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, Head, Protocol,
    Scheme, Source,
};
use crate::spiffe::SpiffeId;

/// What the plugin derives, and what no decision here depends on.
const NOT_READ: [&str; 4] = ["parsed_path", "parsed_query", "source_principal", "version"];
/// Of Envoy's request; the query stands in the path.
const NOT_READ_OF_HTTP: [&str; 6] = ["body", "fragment", "id", "query", "rawBody", "size"];

/// Whether a document has the plugin's form: it names no part of the native one.
pub(super) fn is_plugins(document: &Value) -> bool {
    document.get("attributes").is_some()
        && ["source", "destination", "request"].iter().all(|key| document.get(key).is_none())
}

pub(super) fn read(document: &Value) -> Result<AccessRequest, DocumentError> {
    let mut input = Fields::of("", document)?;
    let mut attributes = input.object_or_empty("attributes")?;
    let body = body(&mut input)?;
    NOT_READ.iter().for_each(|key| drop(input.take(key)));
    input.finish()?;
    let (source_id, source) = peer(attributes.object_or_empty("source")?)?;
    let (destination_id, destination) = peer(attributes.object_or_empty("destination")?)?;
    let mut session = attributes.object("tlsSession")?;
    let sni = session.as_mut().map(|session| session.text("sni")).transpose()?.flatten();
    session.map_or(Ok(()), Fields::finish)?;
    let mut request = attributes.object_or_empty("request")?;
    for key in ["contextExtensions", "metadataContext", "routeMetadataContext"] {
        nothing_in(&mut attributes, key)?;
    }
    attributes.finish()?;
    let time = request.parsed("time", Timestamp::parse)?;
    let head = head(request.object_or_empty("http")?)?;
    request.finish()?;
    let source = Source { spiffe_id: source_id, address: source, certificate: None, jwt: None };
    let tls = (source.spiffe_id.is_some() || sni.is_some()).then(|| default_tls(sni));
    let destination =
        Destination { spiffe_id: destination_id, service: UNNAMED.into(), address: destination };
    Ok(AccessRequest {
        time: time.unwrap_or(Timestamp::from_unix_seconds(0)),
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source, destination, tls)),
        head,
        route: UNNAMED.into(),
        body,
    })
}

fn peer(mut fields: Fields) -> Result<(Option<SpiffeId>, std::net::SocketAddr), DocumentError> {
    let id = fields.parsed("principal", SpiffeId::parse)?;
    let mut address = fields.object_or_empty("address")?;
    let socket = socket_address(address.object_or_empty("socketAddress")?, "address", "portValue")?;
    address.finish()?;
    // The text of a certificate is not looked at: its ID is the principal.
    ["certificate", "service"].iter().for_each(|key| drop(fields.take(key)));
    nothing_in(&mut fields, "labels")?;
    fields.finish()?;
    Ok((id, socket))
}

/// What Envoy's configuration says and the sidecar has no word for: policy would miss it.
fn nothing_in(fields: &mut Fields, key: &str) -> Result<(), DocumentError> {
    match fields.take(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(object)) if object.is_empty() => Ok(()),
        Some(Value::Object(object)) if object.values().all(is_empty_object) => Ok(()),
        Some(_) => Err(fields.error(key, "holds what this sidecar has no place for")),
    }
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

fn body(input: &mut Fields) -> Result<Body, DocumentError> {
    let is_truncated = match input.take("truncated_body") {
        None => false,
        Some(Value::Bool(is_truncated)) => is_truncated,
        Some(_) => return Err(input.error("truncated_body", "must be true or false")),
    };
    Ok(match input.take("parsed_body") {
        _ if is_truncated => Body::Truncated,
        None | Some(Value::Null) => Body::NotRead,
        Some(body) => Body::Parsed(body),
    })
}

fn head(mut fields: Fields) -> Result<Head, DocumentError> {
    let method = fields.required("method")?;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| fields.error("method", format!("`{method}` is not a method")))?;
    let path = fields.required("path")?;
    let host = fields.required("host")?;
    let uri = Uri::try_from(&path).map_err(|_| fields.error("path", "is not a request target"))?;
    let schemes = [("http", Scheme::Http), ("https", Scheme::Https)];
    let scheme = fields.word("scheme", &schemes, Scheme::Https)?;
    let protocols = [("HTTP/1.1", Protocol::Http1), ("HTTP/2", Protocol::Http2)];
    let version = match fields.word("protocol", &protocols, Protocol::Http1)? {
        Protocol::Http1 => Version::HTTP_11,
        Protocol::Http2 => Version::HTTP_2,
    };
    let mut builder =
        http::Request::builder().method(method).version(version).uri(uri).header("host", &host);
    for (name, value) in headers(&mut fields)? {
        builder = builder.header(name, value);
    }
    NOT_READ_OF_HTTP.iter().for_each(|key| drop(fields.take(key)));
    let request = builder.body(()).map_err(|error| fields.error("host", error.to_string()))?;
    let head = Head::canonical(request.into_parts().0, scheme)
        .map_err(|refusal| DocumentError::new("attributes.request.http", refusal.to_string()))?;
    fields.finish()?;
    Ok(head)
}

/// Without the pseudo headers, which say again what stands beside them.
fn headers(fields: &mut Fields) -> Result<Vec<(HeaderName, HeaderValue)>, DocumentError> {
    let Some(given) = fields.take("headers") else { return Ok(Vec::new()) };
    let path = fields.path("headers");
    let error = |name: &str, message: &str| DocumentError::new(&format!("{path}.{name}"), message);
    let Value::Object(given) = given else {
        return Err(DocumentError::new(&path, "must be an object of texts"));
    };
    let mut headers = Vec::new();
    for (name, value) in given.iter().filter(|(name, _)| !name.starts_with(':')) {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| error(name, "is not a header name"))?;
        // The value may be a secret: it is not quoted.
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        let value = value.ok_or_else(|| error(name, "the value is not one of a header"))?;
        if header != http::header::HOST {
            headers.push((header, value));
        }
    }
    Ok(headers)
}
