use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ClientSessionMemoryCache, Resumption};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use self::pki::{Authority, Issued, clock, snapshot};
use super::*;
use crate::clock::Clock;
use crate::identity::Snapshot;

mod alerts;
mod chains;
mod connections;
mod outgoing;
mod pki;
mod issuers;
mod revocation;
mod settings;

const WEB: &str = "spiffe://a.test/ns/shop/sa/web";
const ORDERS: &str = "spiffe://a.test/ns/shop/sa/orders";

/// Shakes hands with a client that presents what it is given and takes any server.
#[track_caller]
fn present(tls: &Service, client: &Issued) -> (Result<Peer, Refused>, Option<&'static str>) {
    run(shake(tls, client_config(Some(client))))
}

/// Both ends of one handshake: what the server found, and the alert that the client heard.
async fn shake(
    tls: &Service,
    client: ClientConfig,
) -> (Result<Peer, Refused>, Option<&'static str>) {
    let (near, far) = duplex(1 << 16);
    let client = async {
        match dial(far, client).await {
            Ok(mut stream) => drain(&mut stream).await.err(),
            Err(error) => Some(error),
        }
    };
    let server = async { tls.accept(near).await.map(|(_, peer)| peer) };
    let (peer, error) = tokio::join!(server, client);
    (peer, error.and_then(|error| alert_received(&error)))
}

async fn dial(stream: DuplexStream, config: ClientConfig) -> io::Result<TlsStream<DuplexStream>> {
    let name = ServerName::try_from("orders.shop.test").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Reads to the end; a connection that is dropped without `close_notify` has ended too.
async fn drain(stream: &mut TlsStream<DuplexStream>) -> io::Result<()> {
    match stream.read_to_end(&mut Vec::new()).await {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A rustls client of its own, so that nothing of ours vouches for itself.
fn client_config(client: Option<&Issued>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider::crypto())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer));
    match client {
        Some(client) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client.certified())))
        }
        None => builder.with_no_client_auth(),
    }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// A server with one identity.
struct Service {
    tls: Arc<ServerTls>,
    own: Arc<Credentials>,
}

impl Service {
    fn new(snapshot: &Snapshot, clock: &Clock, settings: &Settings) -> Self {
        Self { tls: ServerTls::new(clock, settings).unwrap(), own: Credentials::new(snapshot) }
    }

    async fn accept(
        &self,
        stream: DuplexStream,
    ) -> Result<(tokio_rustls::server::TlsStream<DuplexStream>, Peer), Refused> {
        accept(stream, &self.tls, &self.own).await
    }

    fn trust(&self) -> &Trust {
        self.own.trust()
    }
}

/// The root of a.test, and the server `orders` under it.
fn orders_of(root: &Authority) -> Service {
    orders_trusting(root, &[("a.test", &[root])])
}

fn orders_trusting(root: &Authority, bundles: &[(&str, &[&Authority])]) -> Service {
    let snapshot = snapshot(&root.issue(ORDERS), bundles);
    Service::new(&snapshot, &clock(), &Settings::default())
}

#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider::signature_algorithms().supported_schemes()
    }
}
