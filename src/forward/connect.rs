//! Connecting to an upstream: a Unix socket or TCP, in plaintext or with mTLS to the peer expected.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use portreeve_core::Timestamp;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::{ForwardError, UpstreamAddress, UpstreamProtocol, UpstreamSettings};
use crate::clock::Clock;
use crate::tls::{self, Alpn, ClientTls, Credentials, ExpectedPeer, Refused};

/// What we present to upstreams that are reached by mTLS; clones share it.
#[derive(Clone, Debug)]
pub struct OwnIdentity {
    pub clock: Clock,
    /// Those of the newest identity; none while there is no valid one.
    pub credentials: Arc<ArcSwapOption<Credentials>>,
}

/// How one upstream is connected to.
pub(super) struct Connector {
    own: OwnIdentity,
    /// `None` where the connection is plaintext.
    mtls: Option<(Arc<ClientTls>, ExpectedPeer)>,
}

/// A connection and on what its peer was trusted; `None` where the connection is plaintext.
pub(super) struct Connected {
    pub(super) stream: Box<dyn Stream>,
    pub(super) trusted: Option<Trusted>,
}

/// On what a connection's peer was trusted.
#[derive(Clone, Debug)]
pub(super) struct Trusted {
    credentials: Arc<Credentials>,
    until: Timestamp,
}

/// What every kind of connection gives.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// # Errors
    /// The cryptography does not offer what mTLS asks for.
    pub(super) fn new(
        settings: &UpstreamSettings,
        own: OwnIdentity,
    ) -> Result<Self, rustls::Error> {
        let alpn = match settings.protocol {
            UpstreamProtocol::H1 => Alpn::Http1,
            UpstreamProtocol::H2 => Alpn::Http2,
        };
        let mtls = settings.mtls.clone().map(|expected| {
            let settings = tls::Settings { alpn, ..tls::Settings::default() };
            Ok::<_, rustls::Error>((ClientTls::new(&own.clock, &settings)?, expected))
        });
        Ok(Self { mtls: mtls.transpose()?, own })
    }

    /// Whether a connection may carry another request: under a newer identity, or after the end of
    /// its peer's SVID, a new handshake has to decide.
    pub(super) fn still_holds(&self, trusted: Option<&Trusted>) -> bool {
        let Some(trusted) = trusted else { return self.mtls.is_none() };
        let current = self.own.credentials.load();
        current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &trusted.credentials))
            && trusted.until > self.own.clock.now()
    }

    /// Connects within the upstream's time limit.
    ///
    /// # Errors
    /// The upstream cannot be reached in time, or is not the peer that is expected.
    pub(super) async fn connect(
        &self,
        settings: &UpstreamSettings,
    ) -> Result<Connected, ForwardError> {
        let limit = settings.connect_timeout;
        let upstream = || Arc::clone(&settings.name);
        let connecting = async {
            let stream = open(&settings.address)
                .await
                .map_err(|source| ForwardError::Connect { upstream: upstream(), source })?;
            let Some((tls, expected)) = &self.mtls else {
                return Ok(Connected { stream, trusted: None });
            };
            // The handshake's future is large; most requests find a connection that is made already.
            Box::pin(self.shake(stream, tls, expected, server_name(&settings.address)))
                .await
                .map_err(|source| ForwardError::Peer { upstream: upstream(), source })
        };
        timeout(limit, connecting)
            .await
            .unwrap_or_else(|_| Err(ForwardError::ConnectTimeout { upstream: upstream(), limit }))
    }

    async fn shake(
        &self,
        stream: Box<dyn Stream>,
        tls: &ClientTls,
        expected: &ExpectedPeer,
        name: ServerName<'static>,
    ) -> Result<Connected, Refused> {
        let Some(own) = self.own.credentials.load_full() else {
            let text = "there is no valid SVID of our own";
            return Err(Refused::before_hello("identity.unavailable", text));
        };
        let (stream, peer) = tls::connect(stream, tls, &own, expected.clone(), name).await?;
        let until = peer.svid.map_or(Timestamp::from_unix_micros(0), |svid| svid.until);
        Ok(Connected {
            stream: Box::new(stream),
            trusted: Some(Trusted { credentials: own, until }),
        })
    }
}

async fn open(address: &UpstreamAddress) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        UpstreamAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
        UpstreamAddress::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Box::new(stream)
        }
    })
}

/// An address is never sent as SNI, and a name would decide nothing: only the SPIFFE ID does.
fn server_name(address: &UpstreamAddress) -> ServerName<'static> {
    let ip = match address {
        UpstreamAddress::Tcp(address) => address.ip(),
        UpstreamAddress::Unix(_) => SocketAddr::from(([127, 0, 0, 1], 0)).ip(),
    };
    ServerName::IpAddress(ip.into())
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connector").field(&self.mtls.as_ref().map(|(_, expected)| expected)).finish()
    }
}
