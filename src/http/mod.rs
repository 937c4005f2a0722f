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
use hyper::upgrade::OnUpgrade;
use portreeve_core::policy::{Bundle, Decision, Effects, Ground, Outcome, Permit};
use portreeve_core::record::DecisionId;
use portreeve_core::request::{
    AccessRequest, Body, ConnectionFacts, Direction, Draft, Enforcement, Head,
    Refusal as HeadRefusal, Scheme,
};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::audit::{ClaimedIdentity, Log, Receipt, Refusal};
use crate::clock::Clock;
use crate::connections::{InFlight, Registration};
use crate::evaluation::Pool;
use crate::forward::{self, ForwardError, RequestBody, Routes, Upstream};
use crate::store::Store;
use crate::telemetry::{ListenerMetrics, Metrics};

mod body;
mod caller;
mod exchange;
mod goaway;
mod reply;
mod serve;
mod tokens;
mod tunnel;

pub use body::ReplyBody;
pub use caller::{CallerSettings, Callers, Proof};
pub use serve::{HeadLimits, serve};
pub(crate) use serve::{h1_builder, h2_builder};
pub use tokens::Tokens;

use caller::{Caller, CallerError};
use exchange::Exchange;
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

/// Why a request never became a decision.
struct Refused {
    answer: Answer,
    reason: &'static str,
    /// Who the caller says it is, where the connection proves nobody else.
    claimed: Option<ClaimedIdentity>,
    detail: Option<String>,
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

/// Forwards a permitted request whose record was accepted, and joins the response to its end.
async fn exchange(
    connection: &Arc<Connection>,
    arrival: Arrival,
    decided: Decided,
    permit: Permit,
    receipt: Receipt,
    body: Incoming,
    caller_upgrade: Option<OnUpgrade>,
) -> Response<ReplyBody> {
    let (id, dialect) = (arrival.id, arrival.dialect);
    let Decided { access, caller, upstream, decision, .. } = decided;
    let is_shadow = matches!(permit.ground(), Ground::Shadow { .. });
    // What a denial asks for is for the denied caller: a shadowed request goes on as it came.
    let effects = if is_shadow { Effects::default() } else { decision.effects };
    let (body, progress) = RequestBody::new(body);
    let exchange = Exchange::begin(connection, arrival, receipt, progress, is_shadow);
    let head = reply::change_request(access.head, &effects);
    let (receipt, caller) = (exchange.receipt(), caller.as_ref());
    let sent = forward::forward(permit, receipt, &upstream, head, caller, body).await;
    match sent {
        Ok(forwarded) => tunnel::or_stream(forwarded, exchange, caller_upgrade, &effects),
        Err(error) => upstream_failed(exchange, &error, dialect, &id),
    }
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
/// that ends its connection may come a moment later than its request.
fn still_proven(connection: &Connection) -> Result<(), Refused> {
    let now = connection.gate.clock.now();
    match connection.registration.slot().refusal(now) {
        None => Ok(()),
        Some(reason) => Err((Answer::Unproven, reason).into()),
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
    let bundle = gate.policy.active().ok_or((Answer::Unavailable, "policy.none"))?;
    let (name, route, upstream) = route.ok_or((Answer::NoRoute, "request.no_route"))?;
    let access = AccessRequest {
        time: gate.clock.now(),
        direction: Direction::Inbound,
        enforcement: gate.mode,
        connection: caller.facts,
        head,
        route: name,
        body: Body::NotRead,
    };
    let began = Instant::now();
    let decision = gate.pool.decide(&bundle, &access).await;
    routing.metrics.decided(decision.outcome, decision.reason, began.elapsed());
    Ok(Decided { access, caller: caller.name, routing, route, upstream, bundle, decision })
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

/// Answers and counts a request that never became a decision (invariant 7).
fn refuse(connection: &Connection, arrival: &Arrival, refused: Refused) -> Response<ReplyBody> {
    let Refused { answer, reason, claimed, detail } = refused;
    let response = arrival.answer(answer, None);
    connection.count(reason, Some(arrival.id), claimed, detail);
    connection.gate.routing.load().metrics.answered(None, response.status());
    response
}

impl From<(Answer, &'static str)> for Refused {
    fn from((answer, reason): (Answer, &'static str)) -> Self {
        Self { answer, reason, claimed: None, detail: None }
    }
}

impl From<CallerError> for Refused {
    fn from(error: CallerError) -> Self {
        tracing::debug!(reason = error.reason(), "refused a request: {error}");
        let (answer, reason) = (Answer::Unauthenticated, error.reason());
        let claimed = error.claimed().map(ClaimedIdentity::of_id);
        Self { answer, reason, claimed, detail: Some(error.to_string()) }
    }
}

impl Connection {
    /// Counts what never became a request.
    fn refused(&self, reason: &'static str, detail: Option<String>) {
        self.count(reason, None, None, detail);
    }

    /// Counts what never became a decision.
    fn count(
        &self,
        reason: &'static str,
        id: Option<DecisionId>,
        claimed: Option<ClaimedIdentity>,
        detail: Option<String>,
    ) {
        let source = &self.facts.source;
        self.gate.metrics.refused(reason);
        self.gate.log.refused(Refusal {
            stage: "http",
            reason,
            source: source.address.ip(),
            claimed: claimed.or_else(|| ClaimedIdentity::of_source(source)),
            id,
            detail,
        });
    }
}

/// The answer to a request that policy did not permit.
fn not_permitted(decision: &Decision, arrival: &Arrival) -> Response<ReplyBody> {
    match decision.outcome {
        Outcome::Deny => arrival.answer(Answer::Denied, Some(&decision.effects)),
        Outcome::Error | Outcome::Allow => arrival.answer(Answer::Unavailable, None),
    }
}

fn upstream_failed(
    mut exchange: Exchange,
    error: &ForwardError,
    dialect: Dialect,
    id: &DecisionId,
) -> Response<ReplyBody> {
    exchange.failed(error.reason());
    tracing::debug!(error = %chain(error), "a permitted request failed upstream");
    let answer = match error {
        ForwardError::ConnectTimeout { .. } => Answer::GatewayTimeout,
        ForwardError::RequestBody { .. } => Answer::BadRequest,
        _ => Answer::BadGateway,
    };
    reply::answer(answer, dialect, id, None)
}

/// An error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
