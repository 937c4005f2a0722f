//! The canonical head: the form in which a request is decided, forwarded and recorded.

use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

use super::{canonical, headers};

/// A request head with one reading only. Hop-by-hop and identity headers are gone, `Host` has moved
/// into `host`, and the path is byte for byte what the upstream receives.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: Method,
    pub scheme: Scheme,
    /// Lower case, without the scheme's default port.
    pub host: Box<str>,
    /// Canonical path, and the query untouched.
    pub target: PathAndQuery,
    pub headers: HeaderMap,
    pub protocol: Protocol,
    /// The protocol that the caller wants to switch to, such as `websocket`.
    pub upgrade: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Why a head has no canonical form: answered 400 and recorded, never decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    #[error("the request target is not a path")]
    TargetForm,
    #[error("the path has an empty segment (`//`)")]
    EmptySegment,
    #[error("the path has a dot segment")]
    DotSegment,
    #[error("the path has an encoded slash or backslash")]
    EncodedSlash,
    #[error("the path has a byte that must not stand in a path")]
    PathByte,
    #[error("the path has an invalid or doubled percent-encoding")]
    PercentEncoding,
    #[error("there is no host, or more than one")]
    Host,
    #[error("the host in the target and the Host header differ")]
    HostMismatch,
    #[error("a header that may stand once stands twice")]
    DuplicateHeader,
    #[error("a header has an invalid name or value")]
    HeaderByte,
    #[error("`Connection` names a header that may not be removed")]
    ConnectionHeader,
    #[error("the method is not allowed here")]
    Method,
    #[error("the requested protocol upgrade is not supported")]
    Upgrade,
}

impl Refusal {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TargetForm => "request.target_form",
            Self::EmptySegment => "request.empty_segment",
            Self::DotSegment => "request.dot_segment",
            Self::EncodedSlash => "request.encoded_slash",
            Self::PathByte => "request.path_byte",
            Self::PercentEncoding => "request.percent_encoding",
            Self::Host => "request.host",
            Self::HostMismatch => "request.host_mismatch",
            Self::DuplicateHeader => "request.duplicate_header",
            Self::HeaderByte => "request.header_byte",
            Self::ConnectionHeader => "request.connection_header",
            Self::Method => "request.method",
            Self::Upgrade => "request.upgrade",
        }
    }
}

impl Head {
    /// Makes the only form of this head, in the order that invariant 4 asks for: hop-by-hop and
    /// identity headers first, then the target and the host.
    ///
    /// # Errors
    /// The head can be read in more than one way, or not at all.
    pub fn canonical(parts: http::request::Parts, scheme: Scheme) -> Result<Self, Refusal> {
        let http::request::Parts { method, uri, version, mut headers, .. } = parts;
        let protocol =
            if version == http::Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
        // Methods are case-sensitive; servers that fold them would read `delete` as DELETE.
        let is_folded = method.as_str().bytes().any(|b| b.is_ascii_lowercase());
        if is_folded || matches!(method.as_str(), "CONNECT" | "TRACE" | "TRACK") {
            return Err(Refusal::Method);
        }
        // HTTP/1.0 has no upgrades (RFC 9110 §7.8): there the header is one to remove and no more.
        let upgrade =
            headers::strip(&mut headers, protocol)?.filter(|_| version != http::Version::HTTP_10);
        let host = canonical::host(&uri, &mut headers, scheme)?;
        let target = canonical::target(&method, uri)?;
        Ok(Self { method, scheme, host, target, headers, protocol, upgrade })
    }

    #[must_use]
    pub fn path(&self) -> &str {
        self.target.path()
    }

    /// The query as it was sent, without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.query()
    }

    /// The path's segments: of `/orders/17` they are `orders` and `17`; of `/` there are none.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let path = self.path();
        path.strip_prefix('/').unwrap_or(path).split('/').filter(move |_| path.len() > 1)
    }

    /// The query's pairs in order, percent-decoded as a form is; a key without `=` has an empty value.
    pub fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        canonical::query_pairs(self.query().unwrap_or_default())
    }
}

impl Scheme {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Protocol {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}
