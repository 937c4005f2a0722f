//! mTLS: a connection enters, a [`Peer`] with a proven SPIFFE identity or a [`Refused`] leaves.
//!
//! Every connection has a verifier of its own over the trust of one identity snapshot. Identity
//! comes from the one URI name of the certificate whose key was proven on this connection, never
//! from a DNS name, SNI, CN or header. No session is ever resumed: a peer that comes back is
//! verified again.

mod bundle;
mod client;
mod credentials;
mod error;
mod explain;
mod peer;
mod provider;
mod refused;
mod revocation;
mod server;
#[cfg(test)]
mod tests;
mod trust;
mod verifier;

pub use client::{ClientTls, ExpectedPeer, connect};
pub use credentials::Credentials;
pub use error::{PeerError, TrustError};
pub use peer::{Peer, PeerSvid};
pub use refused::{Refused, alert_received};
pub use revocation::{CrlError, OverdueCrl, UnusableCrl};
pub use server::{ServerTls, accept};
pub use trust::{Role, SharedRoot, Trust, UnusableRoot, Verified};

/// How handshakes are done; the defaults are the safe ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Also accept TLS 1.2 (AEAD suites with forward secrecy only).
    pub tls12: bool,
    pub alpn: Alpn,
    pub client_svid: ClientSvid,
}

/// Whether a listener's callers must prove an X.509-SVID in the handshake. One that is presented is
/// verified in either case, and refused where it does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientSvid {
    #[default]
    Required,
    /// For listeners whose callers may prove themselves by a JWT-SVID.
    Optional,
}

/// The application protocols that are offered, in order of preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Alpn {
    #[default]
    Http2OrHttp1,
    Http2,
    Http1,
}

impl Alpn {
    fn protocols(self) -> Vec<Vec<u8>> {
        let names: &[&str] = match self {
            Self::Http2OrHttp1 => &["h2", "http/1.1"],
            Self::Http2 => &["h2"],
            Self::Http1 => &["http/1.1"],
        };
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }
}
