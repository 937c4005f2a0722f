//! Accepting connections: limits, handshake, one task per connection.
//!
//! A socket enters; a served connection or a counted refusal leaves. Nothing is accepted before
//! there is an identity.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::request::Enforcement;

use crate::{forward, http, tls};

mod accept;
mod connection;

pub use accept::{Bound, bind};
pub use connection::Serving;

/// One inbound HTTP listener with mTLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub name: Arc<str>,
    /// Port 0 asks the system for one; `/status` says which.
    pub address: SocketAddr,
    /// `Enforce` or `Shadow`.
    pub mode: Enforcement,
    /// In the order of the file; [`forward::RouteSettings::default_route`] comes last by itself.
    pub routes: Vec<forward::RouteSettings>,
    pub limits: Limits,
    /// How its callers prove who they are.
    pub callers: http::CallerSettings,
    /// Also accept TLS 1.2.
    pub tls12: bool,
}

impl Settings {
    /// How its handshakes are done.
    #[must_use]
    pub fn tls(&self) -> tls::Settings {
        let needs_svid = self.callers.proof.needs_certificate();
        let client_svid =
            if needs_svid { tls::ClientSvid::Required } else { tls::ClientSvid::Optional };
        tls::Settings { tls12: self.tls12, client_svid, ..tls::Settings::default() }
    }
}

/// What one listener allows at once. Each has a default and a reason in the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections; further ones wait in the backlog.
    pub connections: usize,
    /// TLS handshakes under way.
    pub handshakes: usize,
    pub handshake_timeout: Duration,
    /// From the first byte of a head to its end, and between requests.
    pub header_timeout: Duration,
    pub idle_timeout: Duration,
    /// After which a connection is asked to retire, less up to a tenth; `None`: never.
    pub max_connection_age: Option<Duration>,
    /// Bytes of one request head.
    pub header_bytes: u32,
    /// HTTP/2 streams of one connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 256,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(300),
            max_connection_age: None,
            header_bytes: 16 << 10,
            streams: 100,
        }
    }
}
