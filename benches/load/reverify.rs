//! Open connections of many SVIDs while one of two trust domains is no longer trusted.

use std::io::BufRead as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use portreeve::clock::Clock;
use portreeve::dev::{Authority, Entry, Issued, Settings, WorkloadApi};
use portreeve::identity::Snapshot;
use portreeve::tls::{self, ClientTls, Credentials, ExpectedPeer};
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::client::TlsStream;

use crate::{SERVICE_ID, TRUST_DOMAIN, say};

const PARTNER: &str = "partner.test";
const HOUR: Duration = Duration::from_secs(3_600);
/// Handshakes under way.
const SHAKING: usize = 32;
/// How long a connection may take to be cut before it counts as one that was not.
const PATIENCE: Duration = Duration::from_secs(10);
const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: bench.test\r\n\r\n";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    folder: PathBuf,
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Half of them of the trust domain that goes.
    #[arg(long, default_value_t = 100)]
    svids: usize,
}

/// Serves the Workload API, is told the sidecar's address on standard input, opens its connections,
/// ends the federation, and prints when each connection that should end has ended.
pub(crate) async fn measure(args: Args) -> anyhow::Result<()> {
    let mut settings =
        Settings::new(TrustDomain::parse(TRUST_DOMAIN)?, args.folder.join("agent.sock"));
    settings.entries = vec![Entry::any(SpiffeId::parse(SERVICE_ID)?)];
    let api = WorkloadApi::start(settings)?;
    let partner = TrustDomain::parse(PARTNER)?;
    let authority = Authority::new(partner.clone(), Clock::system())?;
    api.federate(&partner, authority.root().to_vec());
    say(&serde_json::json!({ "socket": api.socket() }))?;
    let line = tokio::task::spawn_blocking(|| std::io::stdin().lock().lines().next()).await?;
    let address: SocketAddr = line.context("no address")??.parse()?;

    let own: Vec<_> =
        (0..args.svids).map(|n| credentials(&api, &authority, n)).collect::<Result<_, _>>()?;
    let (gone, kept) = open(&own, address, args.connections).await?;
    say(&serde_json::json!({ "open": gone.len() + kept.len() }))?;
    sleep(Duration::from_secs(1)).await;

    let before =
        slowest(connect(own.get(1).context("one SVID")?, address).await?, Duration::from_secs(2))
            .await?;
    let probe = connect(own.get(1).context("one SVID")?, address).await?;
    let probing = tokio::spawn(slowest(probe, Duration::from_secs(2)));
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    api.defederate(&partner);
    let (expected, mut cut, mut last) = (gone.len(), 0, Duration::ZERO);
    let mut ending: JoinSet<_> = gone.into_iter().map(|stream| ended(stream, began)).collect();
    while let Some(took) = ending.join_next().await {
        if let Some(took) = took? {
            (cut, last) = (cut + 1, last.max(took));
        }
    }
    let during = probing.await??;
    let mut usable = 0;
    for mut stream in kept {
        usable += usize::from(ask(&mut stream).await.is_ok());
    }
    say(&serde_json::json!({
        "connections": args.connections, "svids": args.svids, "to_cut": expected, "cut": cut,
        "last_cut_ms": last.as_secs_f64() * 1e3, "still_usable": usable,
        "slowest_request_before_ms": before.as_secs_f64() * 1e3,
        "slowest_request_during_ms": during.as_secs_f64() * 1e3,
    }))
}

/// Every other one of the trust domain that goes.
fn credentials(
    api: &WorkloadApi,
    authority: &Authority,
    n: usize,
) -> anyhow::Result<Arc<Credentials>> {
    let of = |name: &str| SpiffeId::parse(&format!("spiffe://{name}/workload/{n}"));
    let issued: Issued = match n % 2 {
        0 => authority.issue(&of(PARTNER)?, HOUR)?,
        _ => api.issue(&of(TRUST_DOMAIN)?)?,
    };
    let snapshot = Snapshot {
        sequence: 1,
        svid: issued.svid()?,
        bundles: [(TrustDomain::parse(TRUST_DOMAIN)?, api.bundle())].into(),
        crls: Vec::new(),
        received: Clock::system().now(),
    };
    Ok(Credentials::new(&snapshot))
}

type Stream = TlsStream<TcpStream>;

async fn open(
    own: &[Arc<Credentials>],
    address: SocketAddr,
    connections: usize,
) -> anyhow::Result<(Vec<Stream>, Vec<Stream>)> {
    let places = Arc::new(Semaphore::new(SHAKING));
    let mut opening = JoinSet::new();
    for (n, own) in own.iter().enumerate().cycle().take(connections) {
        let place = Arc::clone(&places).acquire_owned().await?;
        let own = Arc::clone(own);
        opening.spawn(async move {
            let stream = connect(&own, address).await;
            drop(place);
            stream.map(|stream| (n % 2 == 0, stream))
        });
    }
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    while let Some(opened) = opening.join_next().await {
        let (goes, stream) = opened??;
        if goes { gone.push(stream) } else { kept.push(stream) }
    }
    Ok((gone, kept))
}

async fn connect(own: &Arc<Credentials>, address: SocketAddr) -> anyhow::Result<Stream> {
    let settings = tls::Settings { alpn: tls::Alpn::Http1, ..tls::Settings::default() };
    let tls = ClientTls::new(&Clock::system(), &settings)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let expected = ExpectedPeer::Id(SpiffeId::parse(SERVICE_ID)?);
    let name = ServerName::IpAddress(address.ip().into());
    let connected = tls::connect(stream, &tls, own, expected, name).await;
    let mut stream = connected.map_err(|refused| anyhow!("{refused}"))?.0;
    ask(&mut stream).await?;
    Ok(stream)
}

/// Asks once and reads the head and the kibibyte behind it.
async fn ask(stream: &mut Stream) -> anyhow::Result<()> {
    stream.write_all(ASK).await?;
    stream.flush().await?;
    let mut buffer = vec![0; 4 << 10];
    let mut read = 0;
    loop {
        let rest =
            buffer.get_mut(read..).filter(|rest| !rest.is_empty()).context("a long answer")?;
        let count = stream.read(rest).await?;
        anyhow::ensure!(count > 0, "closed");
        read += count;
        let text = String::from_utf8_lossy(buffer.get(..read).unwrap_or_default());
        if let Some((_, body)) = text.split_once("\r\n\r\n")
            && body.len() >= 1 << 10
        {
            return Ok(());
        }
    }
}

/// The slowest of the requests that one connection asks one after the other.
async fn slowest(mut stream: Stream, time: Duration) -> anyhow::Result<Duration> {
    let (end, mut slowest) = (Instant::now() + time, Duration::ZERO);
    while Instant::now() < end {
        let began = Instant::now();
        ask(&mut stream).await?;
        slowest = slowest.max(began.elapsed());
        sleep(Duration::from_millis(1)).await;
    }
    Ok(slowest)
}

async fn ended(mut stream: Stream, began: Instant) -> Option<Duration> {
    let mut rest = [0; 64];
    let reading = async { while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    timeout(PATIENCE, reading).await.ok()?;
    Some(began.elapsed())
}
