//! From a document to its request.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Uri, Version};
use serde_json::Value;

use super::fields::Fields;
use super::{DocumentError, envoy};
use crate::Timestamp;
use crate::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Draft, Enforcement, Head,
    JwtFacts, Protocol, Relaxed, Scheme, Source, TlsFacts,
};
use crate::spiffe::CertificateFacts;
use crate::spiffe::SpiffeId;

/// What a document that says nothing of a service or a route is about.
pub(super) const UNNAMED: &str = "default";
const UNSAID_VERSION: &str = "TLSv1.3";
const UNSAID_SUITE: &str = "TLS13_AES_256_GCM_SHA384";
const UNNAMED_HOST: &str = "localhost";

impl AccessRequest {
    /// Reads an input document, or one in the form of Envoy's OPA plugin. Only `request.method` and `request.path` must be there; the rest has
    /// defaults: no identity, a loopback address, TLS 1.3 for a caller with identity, the time 0.
    ///
    /// # Errors
    /// A key is unknown, a value is of another kind or contradicts one that it follows from, or the
    /// head is not one that could have reached policy.
    pub fn from_document(document: &Value) -> Result<Self, DocumentError> {
        if envoy::is_plugins(document) {
            return envoy::read(document);
        }
        let mut input = Fields::of("", document)?;
        let mut portreeve = input.object_or_empty("portreeve")?;
        // A document of another version has the same shape, or keys that are refused below.
        portreeve.text("version")?;
        portreeve.finish()?;
        let source = source(input.object_or_empty("source")?)?;
        let destination = destination(input.object_or_empty("destination")?)?;
        let tls = tls(&mut input, source.spiffe_id.is_some())?;
        let time = input.parsed("time", Timestamp::parse)?;
        let fields = input.object_or_empty("request")?;
        input.finish()?;
        let connection = Arc::new(ConnectionFacts::new(source, destination, tls));
        request(fields, connection, time.unwrap_or(Timestamp::from_unix_seconds(0)))
    }
}

fn source(mut fields: Fields) -> Result<Source, DocumentError> {
    let spiffe_id = fields.parsed("spiffe_id", SpiffeId::parse)?;
    let id = spiffe_id.as_ref();
    fields.derived("trust_domain", id.map(|id| id.trust_domain().as_str()))?;
    fields.derived("path", id.map(SpiffeId::path))?;
    fields.derived("segments", id.map(|id| id.segments().collect::<Vec<_>>()))?;
    let source = Source {
        spiffe_id,
        address: socket_address(fields.object_or_empty("address")?, "ip", "port")?,
        certificate: fields.object("certificate")?.map(certificate).transpose()?,
        jwt: fields.object("jwt")?.map(jwt).transpose()?,
    };
    fields.finish()?;
    Ok(source)
}

fn jwt(mut fields: Fields) -> Result<JwtFacts, DocumentError> {
    let Some(Value::Object(claims)) = fields.take("claims") else {
        return Err(fields.error("claims", "must be an object"));
    };
    fields.finish()?;
    Ok(JwtFacts { claims })
}

fn certificate(mut fields: Fields) -> Result<CertificateFacts, DocumentError> {
    let time = |fields: &mut Fields, key| {
        let time = fields.parsed(key, Timestamp::parse)?;
        time.ok_or_else(|| fields.error(key, "is missing"))
    };
    let facts = CertificateFacts {
        not_before: time(&mut fields, "not_before")?,
        not_after: time(&mut fields, "not_after")?,
        serial: fields.required("serial")?,
        sha256: fields.required("sha256")?,
        issuer: fields.required("issuer")?,
    };
    fields.finish()?;
    Ok(facts)
}

fn destination(mut fields: Fields) -> Result<Destination, DocumentError> {
    let destination = Destination {
        spiffe_id: fields.parsed("spiffe_id", SpiffeId::parse)?,
        service: fields.text_or("service", UNNAMED)?.into(),
        address: socket_address(fields.object_or_empty("address")?, "ip", "port")?,
    };
    fields.finish()?;
    Ok(destination)
}

pub(super) fn socket_address(
    mut fields: Fields,
    ip: &str,
    port: &str,
) -> Result<SocketAddr, DocumentError> {
    let address = fields.parsed(ip, str::parse::<IpAddr>)?;
    let number = match fields.take(port) {
        None | Some(Value::Null) => 0,
        Some(number) => number
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())
            .ok_or_else(|| fields.error(port, "must be a number from 0 to 65535"))?,
    };
    fields.finish()?;
    Ok(SocketAddr::new(address.unwrap_or(Ipv4Addr::LOCALHOST.into()), number))
}

/// Null is a plaintext caller. Without the key a caller with identity has TLS 1.3, since there is no
/// other way to prove one.
fn tls(input: &mut Fields, has_identity: bool) -> Result<Option<TlsFacts>, DocumentError> {
    let is_given = input.take("tls");
    let mut fields = match is_given {
        Some(Value::Null) => return Ok(None),
        None if !has_identity => return Ok(None),
        None => Fields::of("tls", &Value::Object(serde_json::Map::new()))?,
        Some(value) => Fields::of("tls", &value)?,
    };
    let facts = TlsFacts {
        version: fields.text_or("version", UNSAID_VERSION)?.into(),
        cipher_suite: fields.text_or("cipher_suite", UNSAID_SUITE)?.into(),
        alpn: fields.text("alpn")?.map(Into::into),
        sni: fields.text("sni")?.map(Into::into),
    };
    fields.finish()?;
    Ok(Some(facts))
}

/// The session of a caller of whom no more is said.
pub(super) fn default_tls(sni: Option<String>) -> TlsFacts {
    TlsFacts {
        version: UNSAID_VERSION.into(),
        cipher_suite: UNSAID_SUITE.into(),
        alpn: None,
        sni: sni.map(Into::into),
    }
}

fn request(
    mut fields: Fields,
    connection: Arc<ConnectionFacts>,
    time: Timestamp,
) -> Result<AccessRequest, DocumentError> {
    let directions = [("inbound", Direction::Inbound), ("outbound", Direction::Outbound)];
    let direction = fields.word("direction", &directions, Direction::Inbound)?;
    let route = fields.text_or("route", UNNAMED)?.into();
    let is_truncated = match fields.take("body_truncated") {
        None => false,
        Some(Value::Bool(is_truncated)) => is_truncated,
        Some(_) => return Err(fields.error("body_truncated", "must be true or false")),
    };
    let body = match (fields.take("body").unwrap_or_default(), is_truncated) {
        (Value::Null, false) => Body::NotRead,
        (Value::Null, true) => Body::Truncated,
        (body, false) => Body::Parsed(body),
        (_, true) => return Err(fields.error("body", "must be null, since it is truncated")),
    };
    let head = head(&mut fields)?;
    fields.derived("segments", head.segments().collect::<Vec<_>>())?;
    fields.finish()?;
    let enforcement = Enforcement::Enforce;
    Ok(AccessRequest { time, direction, enforcement, connection, head, route, body })
}

/// The head goes the way of a head from the wire and must come out as it went in.
fn head(fields: &mut Fields) -> Result<Head, DocumentError> {
    let schemes = [("http", Scheme::Http), ("https", Scheme::Https)];
    let scheme = fields.word("scheme", &schemes, Scheme::Https)?;
    let protocols = [("HTTP/1.1", Protocol::Http1), ("HTTP/2", Protocol::Http2)];
    let protocol = fields.word("protocol", &protocols, Protocol::Http1)?;
    let method = fields.required("method")?;
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| fields.error("method", format!("`{method}` is not a method")))?;
    let path = fields.required("path")?;
    let host = fields.text_or("host", UNNAMED_HOST)?;
    let query = query(&fields.lists("query", false)?);
    let mut builder = http::Request::builder().method(method).version(match protocol {
        Protocol::Http1 => Version::HTTP_11,
        Protocol::Http2 => Version::HTTP_2,
    });
    let target = format!("{path}{query}");
    let uri = Uri::try_from(&target).ok().filter(|_| !path.contains(['?', '#']));
    let uri = uri.ok_or_else(|| fields.error("path", format!("`{path}` is not a path")))?;
    builder = builder.uri(uri).header("host", &host);
    let mut sent = 0;
    for (name, value) in fields.lists("headers", false)? {
        let header = header(&name, &value).map_err(|message| {
            DocumentError::new(&fields.path(&format!("headers.{name}")), message)
        })?;
        sent += 1;
        builder = builder.header(header.0, header.1);
    }
    let request = builder.body(()).map_err(|error| fields.error("host", error.to_string()))?;
    // Replay does not know what the route kept, and what is not so is refused before any policy.
    let head = Draft::read(request.into_parts().0, scheme)
        .and_then(|draft| draft.settle(Relaxed::ALL))
        .map_err(|refusal| DocumentError::new("request", refusal.to_string()))?;
    if head.path() != path {
        return Err(fields.error("path", format!("is not canonical; `{}` is", head.path())));
    }
    if *head.host != host {
        return Err(fields.error("host", format!("is not canonical; `{}` is", head.host)));
    }
    if head.headers.len() != sent {
        let message = "holds a header that is removed before policy sees a request";
        return Err(fields.error("headers", message));
    }
    Ok(head)
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not a header name"))?;
    if header.as_str() != name {
        return Err("header names are in lower case".to_owned());
    }
    if header == http::header::HOST {
        return Err("stands under `request.host`".to_owned());
    }
    // The value may be a secret: it is not quoted.
    let value = HeaderValue::from_str(value).map_err(|_| "the value is not one of a header")?;
    Ok((header, value))
}

/// The pairs as a query that is read as the same pairs.
fn query(pairs: &[(String, String)]) -> String {
    let mut query = String::new();
    for (key, value) in pairs {
        query.push(if query.is_empty() { '?' } else { '&' });
        encode(key, &mut query);
        query.push('=');
        encode(value, &mut query);
    }
    query
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}
