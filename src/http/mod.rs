//! One HTTP request: canonical head, route, caller, decision, record, forward, reply.
//!
//! [`handle`] calls one function a phase. What enters is what hyper parsed; what leaves is the
//! upstream's response or our own answer. No phase is skipped on any path to the upstream: the
//! permit comes from `decide`, the receipt from the log, and forwarding demands both.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use ::http::header::HeaderValue;
use ::http::request::Parts;
use ::http::{Request, Response};
use arc_swap::ArcSwap;
use hyper::body::Incoming;
use portreeve_core::policy::{Bundle, Decision, Effects};
use portreeve_core::record::DecisionId;
use portreeve_core::request::{
    AccessRequest, Body, ConnectionFacts, Direction, Draft, Enforcement, Head,
    Refusal as HeadRefusal, Scheme,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::audit::{Log, Receipt};
use crate::clock::{Clock, ClockSuspect};
use crate::connections::{InFlight, Registration};
use crate::evaluation::Pool;
use crate::forward::{Routes, Upstream};
use crate::store::Store;
use crate::telemetry::{ListenerMetrics, Metrics};

mod body;
mod caller;
mod refused;
mod permitted;
mod ongoing;
mod again;
mod lapse;
mod exchange;
mod goaway;
mod reply;
mod serve;
mod tokens;
mod tunnel;
#[cfg(test)]
mod tests;

pub use again::{Again, decide_again};
pub use body::{ReplyBody, ReplyError};
pub use caller::{CallerSettings, Callers, Proof};
pub use lapse::{Lapse, end_lapsed};
pub use ongoing::Ongoing;
pub use serve::{HeadLimits, serve};
pub(crate) use serve::{h1_builder, h2_builder};
pub use tokens::Tokens;

use caller::Caller;
use lapse::Proven;
use permitted::exchange;
use refused::{Refused, not_permitted, refuse};
use reply::{Answer, Dialect};

/// What all connections of a listener share.
#[derive(Debug)]
pub struct Gate {
    pub listener: Arc<str>,
    pub mode: Enforcement,
    /// How its callers prove who they are.
    pub callers: Callers,
    /// Swapped whole by a reload.
    pub routing: ArcSwap<Routing>,
    pub policy: Store,
    /// For the bundles that may not be decided on a serving thread.
    pub pool: Pool,
    pub log: Log,
    pub clock: Clock,
    pub metrics: Metrics,
    /// Connections that are being served.
    pub open: AtomicUsize,
    /// The exchanges in flight: decided again when the policy changes, ended with their tokens.
    pub ongoing: Ongoing,
}

/// The routes of a listener with the metrics that are counted by them.
#[derive(Debug)]
pub struct Routing {
    pub routes: Routes,
    pub metrics: ListenerMetrics,
}

/// One connection whose peer is proven, or must prove itself at every request.
#[derive(Debug)]
pub struct Connection {
    pub gate: Arc<Gate>,
    /// Of the peer as its handshake left it.
    pub facts: Arc<ConnectionFacts>,
    /// The peer's SPIFFE ID as the upstream is told it.
    pub caller: Option<HeaderValue>,
    /// The JWT-SVIDs that were verified on it.
    pub tokens: Tokens,
    pub registration: Registration,
    /// Its place among the listener's connections, which a tunnel keeps after serving has ended.
    pub place: OwnedSemaphorePermit,
}

/// A request that policy was asked about, with what it decided and the revision that did.
struct Decided {
    access: AccessRequest,
    /// The caller's SPIFFE ID as the upstream is told it.
    caller: Option<HeaderValue>,
    /// By its JWT-SVID, where it came with one.
    proven: Option<Arc<Proven>>,
    routing: Arc<Routing>,
    /// Of the route, for its metrics.
    route: usize,
    upstream: Arc<Upstream>,
    bundle: Arc<Bundle>,
    decision: Decision,
}

/// A head that its route takes, with the routes it was found in.
struct Taken {
    head: Head,
    routing: Arc<Routing>,
    /// The route's name, index and upstream; `None` where none matches.
    route: Option<(Arc<str>, usize, Arc<Upstream>)>,
}

/// What is known of a request before anything was decided.
struct Arrival {
    id: DecisionId,
    dialect: Dialect,
    started: Instant,
    in_flight: InFlight,
}

/// Answers one request.
pub(crate) async fn handle(
    connection: &Arc<Connection>,
    mut request: Request<Incoming>,
) -> Response<ReplyBody> {
    let arrival = Arrival::new(connection, &request);
    let caller_upgrade = tunnel::caller_side(&mut request);
    let (parts, body) = request.into_parts();

    let taken = still_proven(connection)
        .and_then(|()| take_head(connection, parts))
        .and_then(|taken| authenticate(connection, taken));
    let asked = match taken {
        Ok((taken, caller)) => ask_policy(connection, taken, caller).await,
        Err(refused) => Err(refused),
    };
    let mut decided = match asked {
        Ok(decided) => decided,
        Err(refused) => return refuse(connection, &arrival, refused),
    };
    let Some(receipt) = record(connection, &arrival.id, &decided).await else {
        return decided.counted(arrival.answer(Answer::Unavailable, None));
    };
    let Some(permit) = decided.decision.take_permit() else {
        return decided.counted(not_permitted(&decided.decision, &arrival));
    };

    let (routing, route) = (Arc::clone(&decided.routing), decided.route);
    let response = exchange(connection, arrival, decided, permit, receipt, body, caller_upgrade);
    let response = response.await;
    routing.metrics.answered(Some(route), response.status());
    response
}

impl Decided {
    fn counted(&self, response: Response<ReplyBody>) -> Response<ReplyBody> {
        self.routing.metrics.answered(Some(self.route), response.status());
        response
    }
}

impl Arrival {
    fn new(connection: &Connection, request: &Request<Incoming>) -> Self {
        let mut random = [0; 10];
        fastrand::fill(&mut random);
        Self {
            id: DecisionId::new(connection.gate.clock.now(), random),
            dialect: Dialect::of(request.headers()),
            started: Instant::now(),
            in_flight: connection.registration.slot().begin(),
        }
    }

    fn answer(&self, answer: Answer, effects: Option<&Effects>) -> Response<ReplyBody> {
        reply::answer(answer, self.dialect, &self.id, effects)
    }
}

/// Nothing is decided for a peer whose SVID has ended or that is being cut; the sweep or the order
/// that ends its connection may come a moment later than its request. Tokens are judged by the clock
/// at every request, so there it must be one that can be right.
fn still_proven(connection: &Connection) -> Result<(), Refused> {
    let gate = &connection.gate;
    if gate.callers.settings.proof.takes_tokens() && gate.clock.check().is_err() {
        return Err((Answer::Unavailable, ClockSuspect::REASON).into());
    }
    let now = gate.clock.now();
    match connection.registration.slot().refusal(now) {
        None => Ok(()),
        Some(reason) => Err((Answer::NotAdmitted, reason).into()),
    }
}

/// The canonical head, as the route takes it that is found by it.
fn take_head(connection: &Connection, parts: Parts) -> Result<Taken, Refused> {
    let refused = |refusal: HeadRefusal| (Answer::BadRequest, refusal.reason());
    let draft = Draft::read(parts, Scheme::Https).map_err(refused)?;
    let routing = connection.gate.routing.load_full();
    let route = routing.routes.find(draft.head());
    let relaxed = route.map(|route| route.relaxed).unwrap_or_default();
    let route = route.map(|r| (Arc::clone(&r.name), r.index, Arc::clone(&r.upstream)));
    let head = draft.settle(relaxed).map_err(refused)?;
    Ok(Taken { head, routing, route })
}

/// Proves who asks, and leaves a head without the token that did.
fn authenticate(connection: &Connection, mut taken: Taken) -> Result<(Taken, Caller), Refused> {
    let caller = caller::authenticate(connection, &mut taken.head.headers)?;
    Ok((taken, caller))
}

/// Takes the facts and decides, under one revision from beginning to end.
async fn ask_policy(
    connection: &Connection,
    taken: Taken,
    caller: Caller,
) -> Result<Decided, Refused> {
    let gate = &connection.gate;
    let Taken { head, routing, route } = taken;
    let Caller { facts, name: caller, proven } = caller;
    let bundle = gate.policy.active().ok_or((Answer::Unavailable, "policy.none"))?;
    let (name, route, upstream) = route.ok_or((Answer::NoRoute, "request.no_route"))?;
    let access = AccessRequest {
        time: gate.clock.now(),
        direction: Direction::Inbound,
        enforcement: gate.mode,
        connection: facts,
        head,
        route: name,
        body: Body::NotRead,
    };
    let began = Instant::now();
    let decision = gate.pool.decide(&bundle, &access).await;
    routing.metrics.decided(decision.outcome, decision.reason, began.elapsed());
    Ok(Decided { access, caller, proven, routing, route, upstream, bundle, decision })
}

/// Has the log accept the decision; `None` where it would not, and nothing may be forwarded.
async fn record(connection: &Connection, id: &DecisionId, decided: &Decided) -> Option<Receipt> {
    let Decided { access, bundle, decision, .. } = decided;
    let log = &connection.gate.log;
    match log.decision(id, access, decision, &bundle.revision).await {
        Ok(receipt) => Some(receipt),
        Err(error) => {
            tracing::debug!(%error, "a decision was not accepted by the log");
            None
        }
    }
}
