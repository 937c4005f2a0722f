//! A full handshake, client and server in one thread, ours beside plain rustls with webpki: the same
//! certificates, cryptography and versions, and no session that could be resumed in either.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::dev::{Authority, Issued};
use portreeve::identity::Snapshot;
use portreeve::tls::{self, ClientTls, Credentials, ExpectedPeer, ServerTls};
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rcgen::SanType;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::time::Instant;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// The name that plain rustls needs; ours is known by its SPIFFE ID.
const NAME: &str = "orders.bench.test";
const TTL: Duration = Duration::from_hours(1);
/// A flight of a handshake with post-quantum keys and two certificates fits.
const PIPE_BYTES: usize = 64 << 10;

/// One trust domain with a client and a server, and others that it federates with.
pub(crate) struct Ends {
    client: Issued,
    server: Issued,
    bundles: BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
}

impl Ends {
    /// Both ends of trust domain `bench.test`, each trusting so many domains in all.
    pub(crate) fn new(domains: u32) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let ours = Authority::new(TrustDomain::parse("bench.test")?, clock.clone())?;
        let mut bundles =
            BTreeMap::from([(ours.trust_domain().clone(), vec![ours.root().clone()])]);
        for number in 1..domains {
            let name = TrustDomain::parse(&format!("partner-{number}.test"))?;
            let partner = Authority::new(name.clone(), clock.clone())?;
            bundles.insert(name, vec![partner.root().clone()]);
        }
        Ok(Self { client: issue(&ours, "client")?, server: issue(&ours, "orders")?, bundles })
    }

    fn snapshot(&self, issued: &Issued) -> anyhow::Result<Snapshot> {
        let (svid, bundles) = (issued.svid()?, self.bundles.clone());
        let received = Clock::system().now();
        Ok(Snapshot { sequence: 1, svid, bundles, crls: Vec::new(), received })
    }

    /// Shakes hands as the sidecar does, `count` times.
    pub(crate) async fn ours(&self, count: u32) -> anyhow::Result<()> {
        let (clock, settings) = (Clock::system(), tls::Settings::default());
        let server = ServerTls::new(&clock, &settings)?;
        let client = ClientTls::new(&clock, &settings)?;
        let server_own = Credentials::new(&self.snapshot(&self.server)?);
        let client_own = Credentials::new(&self.snapshot(&self.client)?);
        let expected = ExpectedPeer::Id(SpiffeId::parse("spiffe://bench.test/orders")?);
        for _ in 0..count {
            let (near, far) = duplex(PIPE_BYTES);
            let (accepted, connected) = tokio::join!(
                tls::accept(near, &server, &server_own),
                tls::connect(far, &client, &client_own, expected.clone(), name()?),
            );
            let _both = (accepted?, connected?);
        }
        Ok(())
    }

    /// Shakes hands by plain rustls with webpki's verifiers, `count` times.
    pub(crate) async fn plain(&self, count: u32) -> anyhow::Result<()> {
        let (acceptor, connector) = (self.plain_server()?, self.plain_client()?);
        for _ in 0..count {
            let (near, far) = duplex(PIPE_BYTES);
            shake(&acceptor, &connector, near, far).await?;
        }
        Ok(())
    }

    fn roots(&self) -> anyhow::Result<Arc<RootCertStore>> {
        let mut roots = RootCertStore::empty();
        for root in self.bundles.values().flatten() {
            roots.add(root.clone())?;
        }
        Ok(Arc::new(roots))
    }

    fn plain_server(&self) -> anyhow::Result<TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.roots()?, Arc::clone(&provider))
                .build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.server.chain().to_vec(), key(&self.server))?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    fn plain_client(&self) -> anyhow::Result<TlsConnector> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(self.roots()?, Arc::clone(&provider))
                .build()?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_webpki_verifier(verifier)
            .with_client_auth_cert(self.client.chain().to_vec(), key(&self.client))?;
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// How long preparing a snapshot of so many trust domains takes, in milliseconds: the median of nine.
pub(crate) fn snapshot_millis(domains: u32) -> anyhow::Result<f64> {
    let ends = Ends::new(domains)?;
    let snapshot = ends.snapshot(&ends.server)?;
    let mut times: Vec<_> = (0..9)
        .map(|_| {
            let began = Instant::now();
            let prepared = std::hint::black_box(Credentials::new(&snapshot));
            let taken = began.elapsed();
            drop(prepared);
            taken
        })
        .collect();
    times.sort();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(median.as_secs_f64() * 1_000.0)
}

async fn shake<S>(
    acceptor: &TlsAcceptor,
    connector: &TlsConnector,
    near: S,
    far: S,
) -> anyhow::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (accepted, connected) =
        tokio::join!(acceptor.accept(near), connector.connect(name()?, far));
    let _both = (accepted?, connected?);
    Ok(())
}

fn issue(authority: &Authority, path: &str) -> anyhow::Result<Issued> {
    let id = SpiffeId::parse(&format!("spiffe://bench.test/{path}"))?;
    let mut params = authority.leaf_params(&id, TTL)?;
    params.subject_alt_names.push(SanType::DnsName(NAME.try_into()?));
    Ok(authority.issue_from(params)?)
}

fn key(issued: &Issued) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key_der().to_vec()))
}

fn name() -> anyhow::Result<ServerName<'static>> {
    Ok(ServerName::try_from(NAME)?)
}
