//! The client end of a handshake: our SVID presented, the server known by its SPIFFE ID.

use std::fmt;
use std::sync::Arc;

use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ConfigBuilder, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::provider::{self, HandshakeTime};
use super::refused::Phase;
use super::verifier::PeerVerifier;
use super::{Credentials, Peer, Refused, Settings};
use crate::clock::Clock;

/// Whom a client accepts at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExpectedPeer {
    Id(SpiffeId),
    TrustDomain(TrustDomain),
}

impl ExpectedPeer {
    #[must_use]
    pub fn accepts(&self, id: &SpiffeId) -> bool {
        match self {
            Self::Id(expected) => expected == id,
            Self::TrustDomain(expected) => expected == id.trust_domain(),
        }
    }
}

impl fmt::Display for ExpectedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "`{id}`"),
            Self::TrustDomain(name) => write!(f, "a workload of trust domain `{name}`"),
        }
    }
}

/// How an outgoing connection shakes hands, whatever SVID we have at the moment.
#[derive(Debug)]
pub struct ClientTls {
    clock: Clock,
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    alpn: Vec<Vec<u8>>,
    presents_svid: bool,
}

impl ClientTls {
    /// Prepares the settings of outgoing connections.
    ///
    /// # Errors
    /// The cryptography does not offer what the settings ask for.
    pub fn new(clock: &Clock, settings: &Settings) -> Result<Arc<Self>, rustls::Error> {
        Self::build(clock, settings, true)
    }

    /// The same for connections on which our SVID is not presented: the server learns who we are by
    /// other means, such as a JWT-SVID.
    ///
    /// # Errors
    /// The cryptography does not offer what the settings ask for.
    pub fn without_svid(clock: &Clock, settings: &Settings) -> Result<Arc<Self>, rustls::Error> {
        Self::build(clock, settings, false)
    }

    fn build(
        clock: &Clock,
        settings: &Settings,
        presents_svid: bool,
    ) -> Result<Arc<Self>, rustls::Error> {
        let time = Arc::new(HandshakeTime(clock.clone()));
        let builder = ClientConfig::builder_with_details(provider::crypto(), time)
            .with_protocol_versions(&provider::versions(settings.tls12))?;
        let (clock, alpn) = (clock.clone(), settings.alpn.protocols());
        Ok(Arc::new(Self { clock, builder, alpn, presents_svid }))
    }

    /// The configuration of one connection; it resumes nothing and is never resumed.
    fn config(&self, own: &Credentials, verifier: Arc<PeerVerifier>) -> Arc<ClientConfig> {
        let builder = self
            .builder
            .clone()
            .dangerous() // rustls's word for a verifier of one's own
            .with_custom_certificate_verifier(verifier);
        let mut config = if self.presents_svid {
            let certificate: Arc<SingleCertAndKey> = Arc::clone(&own.certificate);
            builder.with_client_cert_resolver(certificate)
        } else {
            builder.with_no_client_auth()
        };
        config.resumption = Resumption::disabled();
        config.enable_early_data = false;
        config.require_ems = true;
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }
}

/// Shakes hands with a server and returns it once it has proven that it is the expected peer.
/// `name` is sent as SNI where it is a DNS name and decides nothing. In TLS 1.3 the server may still
/// refuse *us* after this: the first read then fails with its alert ([`super::alert_received`]).
///
/// # Errors
/// The server is not the expected peer, or there was no handshake.
pub async fn connect<S>(
    stream: S,
    tls: &ClientTls,
    own: &Credentials,
    expected: ExpectedPeer,
    name: ServerName<'static>,
) -> Result<(TlsStream<S>, Peer), Refused>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    own.check_own(&tls.clock)?;
    let verifier = Arc::new(PeerVerifier::of_server(Arc::clone(own.trust()), expected));
    let sni = match &name {
        ServerName::DnsName(name) => Some(name.as_ref().to_owned()),
        _ => None,
    };
    // The hello goes out first, so a first answer that is not TLS is seen in that phase.
    let stream = TlsConnector::from(tls.config(own, Arc::clone(&verifier)))
        .connect(name, stream)
        .await
        .map_err(|error| Refused::from_io(&error, Phase::Hello, Some(&verifier)))?;
    let (_, session) = stream.get_ref();
    let peer = Peer::from_handshake(session, sni.as_deref(), &verifier)?;
    Ok((stream, peer))
}
