//! The canonical head: the form in which a request is decided, forwarded and recorded.

use http::uri::PathAndQuery;
use http::{HeaderMap, Method, Uri};

use super::host::{Host, host};
use super::protocol::{Protocol, Scheme};
use super::refusal::Refusal;
use super::relaxed::Relaxed;
use super::{headers, query, target};

/// A request head with one reading only. Hop-by-hop and identity headers are gone, `Host` has moved
/// into `host`, and the path is byte for byte what the upstream receives.
#[derive(Clone, Debug)]
pub struct Head {
    pub method: Method,
    pub scheme: Scheme,
    /// Lower case, without the scheme's default port.
    pub host: Host,
    /// Canonical path, and the query untouched.
    pub target: PathAndQuery,
    pub headers: HeaderMap,
    pub protocol: Protocol,
    /// The protocol that the caller wants to switch to, such as `websocket`.
    pub upgrade: Option<Box<str>>,
}

/// A head in its one form, of which it is open whether its route takes it. Routes are found by it;
/// policy sees only what [`Draft::settle`] lets through.
#[derive(Debug)]
pub struct Draft {
    head: Head,
    needed: Relaxed,
}

impl Draft {
    /// Makes the only form of a head, and notes which relaxations it needs.
    ///
    /// # Errors
    /// The head can be read in more than one way, or not at all, whatever a route would keep.
    pub fn read(parts: http::request::Parts, scheme: Scheme) -> Result<Self, Refusal> {
        let http::request::Parts { method, uri, version, mut headers, .. } = parts;
        let protocol =
            if version == http::Version::HTTP_2 { Protocol::Http2 } else { Protocol::Http1 };
        // Methods are case-sensitive; servers that fold them would read `delete` as DELETE.
        let is_folded = method.as_str().bytes().any(|b| b.is_ascii_lowercase());
        if is_folded || matches!(method.as_str(), "CONNECT" | "TRACE" | "TRACK") {
            return Err(Refusal::Method);
        }
        let stripped = headers::strip(&mut headers, protocol)?;
        // HTTP/1.0 has no upgrades (RFC 9110 §7.8): there the header is one to remove and no more.
        let upgrade = stripped.upgrade.filter(|_| version != http::Version::HTTP_10);
        let host = host(&uri, &mut headers, scheme)?;
        let (target, path_needs) = target::target(&method, uri)?;
        let needed = Relaxed {
            underscore_headers: stripped.has_underscores,
            forwarded_headers: stripped.has_claims,
            ..path_needs
        };
        Ok(Self { head: Head { method, scheme, host, target, headers, protocol, upgrade }, needed })
    }

    /// The head to find its route by.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The head as a route with these relaxations takes it.
    ///
    /// # Errors
    /// The head needs another relaxation.
    #[inline]
    pub fn settle(mut self, relaxed: Relaxed) -> Result<Head, Refusal> {
        if let Some(refusal) = relaxed.refusal(self.needed) {
            return Err(refusal);
        }
        if self.needed.forwarded_headers && !relaxed.forwarded_headers {
            headers::remove_claims(&mut self.head.headers);
        }
        Ok(self.head)
    }
}

impl Head {
    /// Makes the only form of this head, in the order that invariant 4 asks for: hop-by-hop and
    /// identity headers first, then the target and the host. No relaxation applies.
    ///
    /// # Errors
    /// The head can be read in more than one way, or not at all.
    pub fn canonical(parts: http::request::Parts, scheme: Scheme) -> Result<Self, Refusal> {
        Draft::read(parts, scheme)?.settle(Relaxed::default())
    }

    /// Why a route without relaxations refuses this head, if it does.
    #[must_use]
    pub fn strict_refusal(&self) -> Option<Refusal> {
        let uri = Uri::try_from(self.target.as_str()).ok()?;
        let (_, needed) = target::target(&self.method, uri).ok()?;
        let underscore_headers = self.headers.keys().any(|name| name.as_str().contains('_'));
        Relaxed::default().refusal(Relaxed { underscore_headers, ..needed })
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
        query::pairs(self.query().unwrap_or_default())
    }
}
