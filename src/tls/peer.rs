//! The proven identity at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::request::{Source, TlsFacts};
use portreeve_core::spiffe::CertificateFacts;
use portreeve_core::spiffe::{Leaf, SpiffeId};
use rustls::pki_types::CertificateDer;
use rustls::{CommonState, ProtocolVersion};

use super::refused::Refused;
use super::trust::Verified;
use super::verifier::PeerVerifier;

/// Who is at the other end, as far as the handshake could tell.
#[derive(Debug)]
pub struct Peer {
    /// `None` only where the listener's settings let a caller come without one.
    pub svid: Option<PeerSvid>,
    pub tls: TlsFacts,
}

/// An X.509-SVID whose key was proven on this very connection.
#[derive(Clone, Debug)]
pub struct PeerSvid {
    pub id: SpiffeId,
    pub certificate: CertificateFacts,
    /// The chain as it was presented, leaf first: what is verified again when trust changes.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// The earliest end of the certificates that it was verified with.
    pub until: Timestamp,
}

impl Peer {
    /// The peer's identity, where it has proven one.
    #[must_use]
    pub fn id(&self) -> Option<&SpiffeId> {
        self.svid.as_ref().map(|svid| &svid.id)
    }

    /// The peer as the facts of its requests name it.
    #[must_use]
    pub fn source(&self, address: SocketAddr) -> Source {
        Source {
            spiffe_id: self.id().cloned(),
            address,
            certificate: self.svid.as_ref().map(|svid| svid.certificate.clone()),
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
        let svid = match (session.peer_certificates(), verifier.verified().cloned()) {
            (Some(chain), Some(Verified { leaf: Leaf { id, facts }, until })) => {
                Some(PeerSvid { id, certificate: facts, chain: chain.into(), until })
            }
            (None, None) if verifier.may_be_absent() => None,
            (_, _) => return Err(incomplete()),
        };
        Ok(Self { svid, tls: facts_of(session, sni).ok_or_else(incomplete)? })
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
