//! The proven identity at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use portreeve_core::request::{Source, TlsFacts};
use portreeve_core::spiffe::CertificateFacts;
use portreeve_core::spiffe::{Leaf, SpiffeId};
use rustls::pki_types::CertificateDer;
use rustls::{CommonState, ProtocolVersion};

use super::refused::Refused;
use super::verifier::PeerVerifier;

/// A peer that has proven its SVID's key on this very connection.
#[derive(Debug)]
pub struct Peer {
    pub id: SpiffeId,
    pub certificate: CertificateFacts,
    pub tls: TlsFacts,
    /// The chain as it was presented, leaf first: what is verified again when trust changes.
    pub chain: Vec<CertificateDer<'static>>,
}

impl Peer {
    /// The peer as the facts of its requests name it.
    #[must_use]
    pub fn source(&self, address: SocketAddr) -> Source {
        Source {
            spiffe_id: Some(self.id.clone()),
            address,
            certificate: Some(self.certificate.clone()),
            jwt: None,
        }
    }

    /// Whether the peers agreed to speak HTTP/2; without ALPN it is HTTP/1.1.
    #[must_use]
    pub fn speaks_http2(&self) -> bool {
        self.tls.alpn.as_deref() == Some("h2")
    }

    /// Reads the peer from a complete handshake; anything missing refuses it.
    pub(super) fn from_handshake(
        session: &CommonState,
        sni: Option<&str>,
        verifier: &PeerVerifier,
    ) -> Result<Self, Refused> {
        let incomplete = || Refused::new("tls.protocol", "the handshake left no verified peer");
        let Leaf { id, facts } = verifier.leaf().cloned().ok_or_else(incomplete)?;
        let chain = session.peer_certificates().ok_or_else(incomplete)?.to_vec();
        Ok(Self {
            id,
            certificate: facts,
            tls: facts_of(session, sni).ok_or_else(incomplete)?,
            chain,
        })
    }
}

fn facts_of(session: &CommonState, sni: Option<&str>) -> Option<TlsFacts> {
    let version = match session.protocol_version()? {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => return None,
    };
    let suite = session.negotiated_cipher_suite()?.suite();
    let alpn = session.alpn_protocol().map(String::from_utf8_lossy);
    Some(TlsFacts {
        version: version.into(),
        cipher_suite: suite.as_str().map_or_else(|| format!("{suite:?}").into(), Arc::from),
        alpn: alpn.map(|name| Arc::from(&*name)),
        sni: sni.map(Arc::from),
    })
}
