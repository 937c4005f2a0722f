//! Takes a permit and a receipt and forwards: routes, upstreams, connection pool.
//!
//! A canonical head enters with the proof that it was permitted and that its record was accepted;
//! the upstream's response leaves. Nothing reaches an upstream by another way.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::body::Body as _;
use portreeve_core::policy::Permit;
use portreeve_core::request::{DECISION_ID_HEADER, Head, Relaxed};

use crate::audit::Receipt;
use crate::tls::ExpectedPeer;

mod body;
mod connect;
mod routes;
mod template;
mod upstream;

pub use body::{Progress, RequestBody, RequestBodyError};
pub use connect::OwnIdentity;
pub use routes::{Route, Routes, RoutesError, Upstreams, upstreams};
pub use template::{PathTemplate, TemplateError};
pub use upstream::{ForwardError, Forwarded, Lease, Upstream};

/// A named place to forward to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    pub name: Arc<str>,
    pub address: UpstreamAddress,
    pub protocol: UpstreamProtocol,
    /// Whom to accept at the other end of mTLS; `None` for plaintext to the service beside us.
    pub mtls: Option<ExpectedPeer>,
    pub connect_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamAddress {
    /// Recommended: it cannot be reached round the sidecar.
    Unix(PathBuf),
    Tcp(SocketAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamProtocol {
    H1,
    /// By prior knowledge in plaintext, by ALPN in mTLS.
    H2,
}

/// A route as policy and record name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    pub name: Arc<str>,
    /// Canonical hosts, or `*.example.org`; empty matches all.
    pub hosts: Vec<String>,
    /// A template such as `/orders/{id}` or `/static/{rest...}`; `None` matches all.
    pub path: Option<String>,
    /// Empty matches all.
    pub methods: Vec<http::Method>,
    /// The name of an upstream.
    pub upstream: Arc<str>,
    /// What its requests may have that is refused or removed otherwise.
    pub relaxed: Relaxed,
}

impl RouteSettings {
    /// The route that exists without being written.
    #[must_use]
    pub fn default_route(upstream: Arc<str>) -> Self {
        let relaxed = Relaxed::default();
        Self {
            name: "default".into(),
            hosts: vec![],
            path: None,
            methods: vec![],
            upstream,
            relaxed,
        }
    }
}

/// Forwards one request. The permit is used up; the receipt shows that its record was accepted.
///
/// # Errors
/// The upstream could not be reached or gave no response.
pub async fn forward(
    permit: Permit,
    receipt: &Receipt,
    upstream: &Arc<Upstream>,
    head: Head,
    caller: Option<&HeaderValue>,
    body: RequestBody,
) -> Result<Forwarded, ForwardError> {
    let Permit { .. } = permit;
    let asked = head.upgrade.clone();
    let request = upstream_request(receipt, upstream.settings(), head, caller, body);
    let request = request.ok_or_else(|| {
        let upstream = Arc::clone(&upstream.settings().name);
        ForwardError::NotExpressible { upstream }
    })?;
    let forwarded = upstream.send(request).await?;
    if switches_unasked(&forwarded.response, asked.as_deref()) {
        let upstream = Arc::clone(&upstream.settings().name);
        return Err(ForwardError::UnaskedUpgrade { upstream });
    }
    if !has_one_framing(forwarded.response.headers()) {
        let upstream = Arc::clone(&upstream.settings().name);
        return Err(ForwardError::Framing { upstream });
    }
    Ok(forwarded)
}

/// Whether an upstream switches although nobody asked, or to another protocol than was decided on.
fn switches_unasked<B>(response: &http::Response<B>, asked: Option<&str>) -> bool {
    let to = response.headers().get(UPGRADE).map(HeaderValue::as_bytes);
    let is_asked = |asked: &str| to.is_some_and(|to| to.eq_ignore_ascii_case(asked.as_bytes()));
    response.status() == http::StatusCode::SWITCHING_PROTOCOLS && !asked.is_some_and(is_asked)
}

/// Whether a response has one length at most, and no coding but the one that is undone here: the
/// caller's parser could take the other length, and the rest for the next response.
fn has_one_framing(headers: &http::HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            let is_chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked");
            is_chunked && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

/// The head as it was decided, in the upstream's protocol, with our own headers set once; `None`
/// where that protocol cannot say it (an upgrade over HTTP/2), so that nothing else is sent instead.
fn upstream_request(
    receipt: &Receipt,
    settings: &UpstreamSettings,
    head: Head,
    caller: Option<&HeaderValue>,
    body: RequestBody,
) -> Option<http::Request<RequestBody>> {
    let Head { method, scheme: _, host, target, mut headers, protocol: _, upgrade } = head;
    headers.insert(DECISION_ID_HEADER, HeaderValue::from_bytes(receipt.id().as_bytes()).ok()?);
    if let Some(caller) = caller {
        headers.insert(SPIFFE_ID_HEADER, caller.clone());
    }
    let mut uri = http::uri::Parts::default();
    match settings.protocol {
        UpstreamProtocol::H1 => {
            headers.insert(HOST, HeaderValue::from_str(&host).ok()?);
            // Said for it, because hyper drops the body of a GET whose length it does not know.
            if body.size_hint().exact().is_none() {
                headers.remove(CONTENT_LENGTH);
                headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
            }
            if let Some(upgrade) = upgrade {
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_str(&upgrade).ok()?);
            }
        }
        UpstreamProtocol::H2 => {
            if upgrade.is_some() {
                return None;
            }
            uri.scheme = Some(match settings.mtls {
                Some(_) => http::uri::Scheme::HTTPS,
                None => http::uri::Scheme::HTTP,
            });
            uri.authority = Some(http::uri::Authority::try_from(&*host).ok()?);
        }
    }
    uri.path_and_query = Some(target);
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = http::Uri::from_parts(uri).ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

/// The proven identity of the caller, for the service; a caller's own is removed before policy.
const SPIFFE_ID_HEADER: http::HeaderName = http::HeaderName::from_static("x-spiffe-id");
