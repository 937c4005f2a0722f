//! The task of one connection: its handshake, then its conversation.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ::http::header::HeaderValue;
use arc_swap::ArcSwapOption;
use portreeve_core::request::{ConnectionFacts, Destination};
use portreeve_core::spiffe::SpiffeId;
use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

use super::Settings;
use crate::audit::{ClaimedIdentity, Refusal};
use crate::connections::{Order, Registration, Registry, Slot, Subject};
use crate::http::{Connection, Gate, HeadLimits, Tokens, serve};
use crate::identity::DenyListFile;
use crate::telemetry::{ConnectionState, OpenConnection};
use crate::tls::{self, Credentials, Peer, PeerError, Refused, ServerTls};

/// A peer that vanished without a word is noticed after two minutes, also where a tunnel or a stream has
/// nothing to say to it.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// What a listener needs to serve.
#[derive(Debug)]
pub struct Serving {
    pub settings: Settings,
    pub service: Arc<str>,
    pub gate: Arc<Gate>,
    pub tls: Arc<ServerTls>,
    /// Those of the newest identity; none while there is no valid one.
    pub credentials: Arc<ArcSwapOption<Credentials>>,
    /// Whom an operator has blocked.
    pub denied: DenyListFile,
    pub registry: Registry,
}

/// A connection whose two ends have proven who they are.
pub(super) struct Proven {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    /// The identity that we presented.
    local: SpiffeId,
}

/// Has the kernel ask an idle peer whether it is still there.
fn notice_death(stream: &TcpStream) -> rustix::io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)
}

/// Proves the peer, or counts and records why not.
pub(super) async fn handshake(
    serving: &Serving,
    handshakes: &Semaphore,
    stream: TcpStream,
    source: SocketAddr,
    slot: &Slot,
) -> Option<Proven> {
    let limit = serving.settings.limits.handshake_timeout;
    let shaking = async {
        // A peer that says nothing must not hold a place that another could use, nor a drain up.
        tokio::select! {
            readable = stream.readable() => readable.ok()?,
            _ = slot.ordered(None) => return None,
        }
        tokio::select! {
            shaken = shake(serving, handshakes, stream, slot) => shaken,
            // Whoever has begun may end it, and hears then what a drain has to say.
            _ = slot.ordered(Some(Order::Close)) => None,
        }
    };
    let refused = match timeout(limit, shaking).await {
        Ok(Some(Ok(proven))) => {
            serving.gate.metrics.handshake("ok", "");
            return Some(proven);
        }
        Ok(Some(Err(refused))) => refused,
        Ok(None) => return None,
        Err(_) => {
            let text = format!("the handshake took longer than {limit:?}");
            Refused::before_hello("tls.timeout", text)
        }
    };
    tracing::info!(source.address = %source, "refused a connection: {refused}");
    serving.gate.metrics.handshake("refused", refused.reason);
    serving.gate.log.refused(Refusal {
        stage: "tls",
        reason: refused.reason,
        source: source.ip(),
        claimed: refused.claimed.as_deref().map(ClaimedIdentity::from),
        id: None,
        detail: Some(refused.text),
    });
    None
}

/// The handshake itself; `None` for a connection that has ended.
async fn shake(
    serving: &Serving,
    handshakes: &Semaphore,
    stream: TcpStream,
    slot: &Slot,
) -> Option<Result<Proven, Refused>> {
    let _place = handshakes.acquire().await.ok()?;
    let Some(own) = serving.credentials.load_full() else { return Some(Err(no_identity())) };
    let _ = stream.set_nodelay(true);
    let _ = notice_death(&stream);
    let local = own.id().clone();
    let (stream, peer) = match tls::accept(stream, &serving.tls, &own).await {
        Ok(accepted) => accepted,
        Err(refused) => return Some(Err(refused)),
    };
    let subject = peer.svid.as_ref().map(|svid| {
        let chain = Arc::clone(&svid.chain);
        Subject::new(svid.id.clone(), chain, svid.certificate.not_before, svid.until)
    });
    slot.identify(subject);
    Some(still_holds(serving, slot, &own, &peer).map(|()| Proven { stream, peer, local }))
}

/// Whether a peer that was verified under `used` holds under what is in force *now*, after its slot
/// was identified: what changes from here on finds it there.
fn still_holds(
    serving: &Serving,
    slot: &Slot,
    used: &Arc<Credentials>,
    peer: &Peer,
) -> Result<(), Refused> {
    let current = || serving.credentials.load_full().ok_or_else(no_identity);
    let mut newest = current()?;
    let Some(svid) = &peer.svid else { return Ok(()) };
    let refused = |error: PeerError| Refused::after_handshake(svid, &error);
    let now = serving.gate.clock.now();
    let mut used = Arc::clone(used);
    // Again, where others came meanwhile: the end of the path must be that of the newest.
    while !Arc::ptr_eq(&newest, &used) {
        let until = newest.verify_again(&svid.chain, now);
        slot.extend(until.map_err(|error| refused(error.into()))?);
        used = newest;
        newest = current()?;
    }
    PeerError::of_denied(&serving.denied, &svid.id, now).map_err(refused)
}

fn no_identity() -> Refused {
    Refused::before_hello("identity.unavailable", "there is no valid SVID of our own")
}

/// Serves a proven peer until the connection ends.
pub(super) async fn converse(
    serving: &Serving,
    proven: Proven,
    source: SocketAddr,
    place: OwnedSemaphorePermit,
    registration: Registration,
    mut open: OpenConnection,
) {
    let Proven { stream, peer, local: local_id } = proven;
    let limits = &serving.settings.limits;
    let local = stream.get_ref().0.local_addr().unwrap_or(serving.settings.address);
    let destination = Destination {
        spiffe_id: Some(local_id),
        service: Arc::clone(&serving.service),
        address: local,
    };
    let head_limits = HeadLimits { header_bytes: limits.header_bytes, streams: limits.streams };
    let is_h2 = peer.speaks_http2();
    let caller = peer.id().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
    let facts = ConnectionFacts::new(peer.source(source), destination, Some(peer.tls.clone()));
    let connection = Connection {
        gate: Arc::clone(&serving.gate),
        facts: Arc::new(facts),
        caller,
        tokens: Tokens::default(),
        registration,
        place,
    };
    open.turn(ConnectionState::Serving);
    serving.gate.open.fetch_add(1, Ordering::Relaxed);
    let served = serve(stream, is_h2, head_limits, Arc::new(connection), &mut open).await;
    if let Err(error) = served {
        tracing::debug!(source.address = %source, %error, "a connection ended with an error");
    }
    serving.gate.open.fetch_sub(1, Ordering::Relaxed);
}
