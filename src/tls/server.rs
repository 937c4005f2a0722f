//! The server end of a handshake: our SVID presented, the client's SVID required.

use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::SpiffeId;
use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::provider::{self, HandshakeTime};
use super::refused::Phase;
use super::verifier::PeerVerifier;
use super::{Peer, Refused, Settings, Trust};
use crate::clock::Clock;
use crate::identity::Snapshot;

/// What every handshake of one snapshot shares. A new snapshot makes a new one; connections keep the
/// one that they began with.
#[derive(Debug)]
pub struct ServerTls {
    id: SpiffeId,
    not_after: Timestamp,
    clock: Clock,
    trust: Arc<Trust>,
    certificate: Arc<SingleCertAndKey>,
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    alpn: Vec<Vec<u8>>,
}

impl ServerTls {
    /// Prepares the snapshot for handshakes; off the serving path, once per update.
    ///
    /// # Errors
    /// The cryptography does not offer what the settings ask for.
    pub fn new(
        snapshot: &Snapshot,
        clock: &Clock,
        settings: &Settings,
    ) -> Result<Arc<Self>, rustls::Error> {
        let time = Arc::new(HandshakeTime(clock.clone()));
        let builder = ServerConfig::builder_with_details(provider::crypto(), time)
            .with_protocol_versions(&provider::versions(settings.tls12))?;
        Ok(Arc::new(Self {
            id: snapshot.svid.id.clone(),
            not_after: snapshot.svid.not_after,
            clock: clock.clone(),
            trust: Arc::new(Trust::new(&snapshot.bundles)),
            certificate: Arc::new(Arc::clone(&snapshot.svid.certified_key).into()),
            builder,
            alpn: settings.alpn.protocols(),
        }))
    }

    /// Our own identity.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// The trust of this snapshot, for verifying a live connection's chain again.
    #[must_use]
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// The configuration of one connection. Nothing outlives it: no tickets, no session storage, no
    /// early data, so no peer ever comes back without being verified.
    pub(super) fn config(&self, verifier: Arc<PeerVerifier>) -> Arc<ServerConfig> {
        let certificate: Arc<SingleCertAndKey> = Arc::clone(&self.certificate);
        let mut config = self
            .builder
            .clone()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(certificate);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        config.require_ems = true;
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }
}

/// Shakes hands with a client and returns it once it has proven its SVID. The caller sets the time
/// limit, and boxes the future where many connections share a task's stack.
///
/// # Errors
/// There is no proven peer; the reason says why, and the client has heard the alert.
pub async fn accept<S>(stream: S, tls: &ServerTls) -> Result<(TlsStream<S>, Peer), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if tls.not_after <= tls.clock.now() {
        return Err(Refused::own_svid_expired(tls.not_after));
    }
    // The hello is read by itself, so that bytes that are not TLS can be told from a broken handshake.
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(|error| Refused::from_io(&error, Phase::Hello, None))?;
    let verifier = Arc::new(PeerVerifier::new(Arc::clone(&tls.trust), None));
    let stream = start
        .into_stream(tls.config(Arc::clone(&verifier)))
        .await
        .map_err(|error| Refused::from_io(&error, Phase::Handshake, Some(&verifier)))?;
    let (_, session) = stream.get_ref();
    let peer = Peer::from_handshake(session, session.server_name(), &verifier)?;
    Ok((stream, peer))
}
