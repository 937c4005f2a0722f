//! `AccessRequest` and the facts it is made of, in the words of the input document.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Head;
use crate::Timestamp;
use crate::policy::EngineValues;
use crate::record::RecordFragment;
use crate::spiffe::{CertificateFacts, SpiffeId};

/// One request as policy sees it, as it is forwarded and as it is recorded.
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// When the head was complete; `time.now_ns()` of every engine.
    pub time: Timestamp,
    pub direction: Direction,
    /// What the configuration says about enforcing here: a fact like any other, decided by `decide`.
    pub enforcement: Enforcement,
    pub connection: Arc<ConnectionFacts>,
    pub head: Head,
    /// The name of the route that matched, from configuration.
    pub route: Arc<str>,
    pub body: Body,
}

/// Which way a request goes, seen from the service that the sidecar stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    Inbound,
    Outbound,
}

/// Whether the decision is enforced. Everything but `Enforce` is loud: it stands in the permit's
/// ground, in the record and in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Enforcement {
    Enforce,
    /// A denial is recorded and the request is forwarded all the same.
    Shadow,
    /// A configured (method, path) pair of a `probe` listener, forwarded without identity.
    Probe,
}

/// What stays the same for all requests of one connection, made once.
#[derive(Debug)]
pub struct ConnectionFacts {
    pub source: Source,
    pub destination: Destination,
    /// `None` for a plaintext caller, where the configuration allows one.
    pub tls: Option<TlsFacts>,
    /// The source as each engine wants it, built at the first decision that needs it.
    pub engine_values: EngineValues,
    /// The same facts as the record has them, rendered for the first record.
    pub record: RecordFragment,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Source {
    /// Proven on this connection; `None` for a plaintext caller.
    pub spiffe_id: Option<SpiffeId>,
    /// An IPv4-mapped address is held as IPv4.
    pub address: SocketAddr,
    pub certificate: Option<CertificateFacts>,
    pub jwt: Option<JwtFacts>,
}

/// The claims of a verified JWT-SVID; never the token.
#[derive(Clone, Debug, PartialEq)]
pub struct JwtFacts {
    pub claims: serde_json::Map<String, serde_json::Value>,
}

/// Whom it asks.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Our own identity.
    pub spiffe_id: Option<SpiffeId>,
    /// The configured name of the service beside us.
    pub service: Arc<str>,
    pub address: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: Arc<str>,
    /// The IANA name: `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: Arc<str>,
    pub alpn: Option<Arc<str>>,
    /// Told to policy, never used to choose an identity.
    pub sni: Option<Arc<str>>,
}

/// The request body as policy sees it.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// Streamed past us: policy sees null.
    NotRead,
    /// Buffered whole and parsed once.
    Parsed(serde_json::Value),
    /// Longer than the limit that the configuration set for reading it.
    Truncated,
}

impl ConnectionFacts {
    #[must_use]
    pub fn new(source: Source, destination: Destination, tls: Option<TlsFacts>) -> Self {
        let source = Source { address: unmapped(source.address), ..source };
        let destination = Destination { address: unmapped(destination.address), ..destination };
        let (engine_values, record) = (EngineValues::default(), RecordFragment::default());
        Self { source, destination, tls, engine_values, record }
    }
}

/// `::ffff:10.1.2.3` is the IPv4 address 10.1.2.3: a CIDR rule must not miss it.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
