//! The server end of a handshake: our SVID presented, the client's SVID required.

use std::sync::Arc;

use rustls::server::{Acceptor, NoServerSessionStorage};
use rustls::sign::SingleCertAndKey;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::provider::{self, HandshakeTime};
use super::refused::Phase;
use super::verifier::PeerVerifier;
use super::{ClientSvid, Credentials, Peer, Refused, Settings};
use crate::clock::Clock;
use crate::identity::DenyListFile;

/// How a listener shakes hands, whatever SVID it has at the moment.
#[derive(Clone, Debug)]
pub struct ServerTls {
    clock: Clock,
    builder: ConfigBuilder<ServerConfig, WantsVerifier>,
    alpn: Vec<Vec<u8>>,
    client_svid: ClientSvid,
    denied: Option<DenyListFile>,
}

impl ServerTls {
    /// Prepares the settings of a listener.
    ///
    /// # Errors
    /// The cryptography does not offer what the settings ask for.
    pub fn new(clock: &Clock, settings: &Settings) -> Result<Arc<Self>, rustls::Error> {
        let time = Arc::new(HandshakeTime(clock.clone()));
        let builder = ServerConfig::builder_with_details(provider::crypto(), time)
            .with_protocol_versions(&provider::versions(settings.tls12))?;
        Ok(Arc::new(Self {
            clock: clock.clone(),
            builder,
            alpn: settings.alpn.protocols(),
            client_svid: settings.client_svid,
            denied: None,
        }))
    }

    /// The same, turning away whom the deny-list names.
    #[must_use]
    pub fn denying(self: Arc<Self>, list: &DenyListFile) -> Arc<Self> {
        let Self { clock, builder, alpn, client_svid, .. } = Arc::unwrap_or_clone(self);
        Arc::new(Self { clock, builder, alpn, client_svid, denied: Some(list.clone()) })
    }

    /// The configuration of one connection. Nothing outlives it: no tickets, no session storage, no
    /// early data, so no peer ever comes back without being verified.
    pub(super) fn config(
        &self,
        own: &Credentials,
        verifier: Arc<PeerVerifier>,
    ) -> Arc<ServerConfig> {
        let certificate: Arc<SingleCertAndKey> = Arc::clone(&own.certificate);
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

/// Shakes hands with a client and returns it once it has proven the SVID that it must have. The
/// caller sets the time limit, and boxes the future where many connections share a task's stack.
///
/// # Errors
/// There is no proven peer; the reason says why, and the client has heard the alert.
pub async fn accept<S>(
    stream: S,
    tls: &ServerTls,
    own: &Credentials,
) -> Result<(TlsStream<S>, Peer), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    own.check_own(&tls.clock)?;
    // The hello is read by itself, so that bytes that are not TLS can be told from a broken handshake.
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .map_err(|error| Refused::from_io(&error, Phase::Hello, None))?;
    let (trust, denied) = (Arc::clone(own.trust()), tls.denied.clone());
    let verifier = Arc::new(PeerVerifier::of_client(trust, tls.client_svid, denied));
    let stream = start
        .into_stream(tls.config(own, Arc::clone(&verifier)))
        .await
        .map_err(|error| Refused::from_io(&error, Phase::Handshake, Some(&verifier)))?;
    let (_, session) = stream.get_ref();
    let peer = Peer::from_handshake(session, session.server_name(), &verifier)?;
    Ok((stream, peer))
}
