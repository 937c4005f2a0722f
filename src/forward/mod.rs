//! Takes a permit and a receipt and forwards: routes, upstreams, connection pool.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// A named place to forward to.
#[derive(Clone, Debug)]
pub struct UpstreamSettings {
    pub name: Arc<str>,
    pub address: UpstreamAddress,
    pub protocol: UpstreamProtocol,
    pub connect_timeout: std::time::Duration,
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
    /// HTTP/2 without TLS, by prior knowledge.
    H2c,
}

/// A route as policy and record name it.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    pub name: Arc<str>,
    /// Canonical hosts, or `*.example.org`; empty matches all.
    pub hosts: Vec<String>,
    /// A template such as `/orders/{id}` or `/static/{rest...}`; `None` matches all.
    pub path: Option<String>,
    /// Empty matches all.
    pub methods: Vec<::http::Method>,
    /// The name of an upstream.
    pub upstream: Arc<str>,
}

impl RouteSettings {
    /// The route that exists without being written.
    #[must_use]
    pub fn default_route(upstream: Arc<str>) -> Self {
        Self { name: "default".into(), hosts: vec![], path: None, methods: vec![], upstream }
    }
}
