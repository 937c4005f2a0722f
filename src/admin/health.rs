//! Probes and metrics over plain HTTP: for kubelet and Prometheus, which come to the pod's address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use http::header::ACCEPT;
use http::{Method, Request, StatusCode};

use super::serve::{self, Reply, ServeError, Server};
use super::{HealthSettings, PartState, Report};

/// Open connections: a probe and two scrapers need three.
const MAX_CONNECTIONS: usize = 128;
/// Of one address, so that no other pod can keep kubelet out.
const MAX_CONNECTIONS_PER_IP: usize = 16;

/// A socket that listens but is not served yet: bind first, lock the process down, then serve.
#[derive(Debug)]
pub struct BoundHealth {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundHealth {
    /// Listens where the settings say; `None` where they name no address.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn bind(settings: &HealthSettings) -> Result<Option<Self>, ServeError> {
        let Some(address) = settings.address else { return Ok(None) };
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener, address })
        };
        let failed = |source| ServeError::Listen { address: address.to_string(), source };
        listen().map(Some).map_err(failed)
    }

    /// With the port that the system gave.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers from a thread of its own until the [`Server`] is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn serve(self, report: Arc<dyn Report>) -> Result<Server, ServeError> {
        serve::on_own_thread("health", move || {
            let listener = tokio::net::TcpListener::from_std(self.listener)?;
            Ok(accept(listener, report))
        })
    }
}

async fn accept(listener: tokio::net::TcpListener, report: Arc<dyn Report>) -> Infallible {
    let slots = Arc::new(Slots::default());
    let was_ready = Arc::new(AtomicBool::new(false));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "failed to accept a probe");
                tokio::time::sleep(serve::ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Without a slot the connection is closed at once: waiting would block those that have one.
        let Some(slot) = Slots::take(&slots, peer.ip()) else { continue };
        let (report, was_ready) = (Arc::clone(&report), Arc::clone(&was_ready));
        tokio::spawn(async move {
            serve::connection(stream, |request| answer(&*report, &was_ready, request)).await;
            drop(slot);
        });
    }
}

/// Answers one request. The query is looked at for `verbose` only; there is nothing else to say.
fn answer<B>(report: &dyn Report, was_ready: &AtomicBool, request: &Request<B>) -> Reply {
    let is_known = matches!(request.uri().path(), "/livez" | "/readyz" | "/startupz" | "/metrics");
    if !is_known {
        return serve::not_found();
    }
    if request.method() != Method::GET {
        return serve::only("GET");
    }
    match request.uri().path() {
        // Neither store nor log is asked: a restart would mend neither.
        "/livez" => serve::text(StatusCode::OK, "live\n"),
        "/startupz" => startup(report, was_ready),
        "/metrics" => {
            let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let (content_type, body) = report.metrics(accept);
            serve::reply(StatusCode::OK, content_type, body)
        }
        _ => {
            let verbose = request.uri().query().is_some_and(is_verbose);
            readiness(report, verbose)
        }
    }
}

fn is_verbose(query: &str) -> bool {
    query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose="))
}

/// Once ready, started for good: what happens later is readiness' business.
fn startup(report: &dyn Report, was_ready: &AtomicBool) -> Reply {
    if was_ready.load(Ordering::Relaxed) || report.readiness().is_ready() {
        was_ready.store(true, Ordering::Relaxed);
        return serve::text(StatusCode::OK, "started\n");
    }
    serve::text(StatusCode::SERVICE_UNAVAILABLE, "starting\n")
}

/// Names of parts and codes of reasons only: their texts may name identities.
fn readiness(report: &dyn Report, verbose: bool) -> Reply {
    let readiness = report.readiness();
    let (status, mut body) = match readiness.state() {
        PartState::Ready => (StatusCode::OK, "ready\n".to_owned()),
        PartState::Degraded => (StatusCode::OK, "ready, degraded\n".to_owned()),
        PartState::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
    };
    for part in readiness.parts.iter().filter(|p| verbose || p.state != PartState::Ready) {
        let line = format!("{} {} {}", part.name, part.state.as_str(), part.reason);
        body.push_str(line.trim_end());
        body.push('\n');
    }
    serve::text(status, body)
}

/// Who is connected: at most so many, and of one address at most so many.
#[derive(Debug, Default)]
struct Slots(Mutex<HashMap<IpAddr, usize>>);

#[derive(Debug)]
struct Slot {
    of: Arc<Slots>,
    ip: IpAddr,
}

impl Slots {
    fn take(slots: &Arc<Self>, ip: IpAddr) -> Option<Slot> {
        let mut taken = slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = taken.values().sum();
        let of_ip = taken.get(&ip).copied().unwrap_or_default();
        if total >= MAX_CONNECTIONS || of_ip >= MAX_CONNECTIONS_PER_IP {
            return None;
        }
        taken.insert(ip, of_ip + 1);
        Some(Slot { of: Arc::clone(slots), ip })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.ip) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.ip)),
        }
    }
}
