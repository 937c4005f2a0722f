//! Every metric of the sidecar. What a request touches is resolved when its listener starts.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::policy::{Outcome, Reason};
use portreeve_core::request::Enforcement;
use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::duration::DurationHistogram;
use super::exposition;

const OUTCOMES: [Outcome; 3] = [Outcome::Allow, Outcome::Deny, Outcome::Error];
const REASONS: [Reason; 9] = [
    Reason::Allowed,
    Reason::Forbidden,
    Reason::NotAllowed,
    Reason::Undefined,
    Reason::BadResult,
    Reason::PolicyError,
    Reason::EnginePanic,
    Reason::Overrun,
    Reason::Probe,
];
const CODE_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

type Labels1 = [(&'static str, String); 1];
type Labels2 = [(&'static str, String); 2];
type Labels3 = [(&'static str, String); 3];
type Closed1 = [(&'static str, &'static str); 1];
type Closed2 = [(&'static str, &'static str); 2];

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    Handshaking,
    Serving,
    /// It is asked to end, and may finish what it has begun.
    Draining,
}

/// One connection, counted in the state that it is in until this is dropped.
#[derive(Debug)]
pub struct OpenConnection {
    gauges: [Gauge; 3],
    state: ConnectionState,
}

/// All metrics; a clone is the same metrics.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    decisions: Family<Labels3, Counter>,
    requests: Family<Labels3, Counter>,
    mode: Family<Labels2, Gauge>,
    refusals: Family<Closed1, Counter>,
    exchanges_ended: Family<Closed1, Counter>,
    handshakes: Family<Closed2, Counter>,
    connections: [Gauge; 3],
    cuts: Family<Closed1, Counter>,
    blocked: Gauge,
    decision_duration: DurationHistogram,
    svid_not_after: Gauge,
    identity_updated: Gauge,
    identity_steps: Family<Closed1, Counter>,
    jwt_bundles_updated_at: Gauge,
    policy_info: Family<Labels1, Gauge>,
    policy_success: Gauge,
    activations: Family<Closed2, Counter>,
    log_queue: Gauge<i64, AtomicI64>,
    log_lost: Family<Closed1, Counter>,
}

impl Metrics {
    /// Every metric of the process, registered once.
    #[must_use]
    pub fn new() -> Self {
        let connections = Family::<Closed1, Gauge>::default();
        let gauge = |state| connections.get_or_create_owned(&[("state", state)]);
        let mut metrics = Self {
            registry: Arc::default(),
            decisions: Family::default(),
            requests: Family::default(),
            mode: Family::default(),
            refusals: Family::default(),
            exchanges_ended: Family::default(),
            handshakes: Family::default(),
            connections: [gauge("handshaking"), gauge("serving"), gauge("draining")],
            cuts: Family::default(),
            blocked: Gauge::default(),
            decision_duration: DurationHistogram::default(),
            svid_not_after: Gauge::default(),
            identity_updated: Gauge::default(),
            identity_steps: Family::default(),
            jwt_bundles_updated_at: Gauge::default(),
            policy_info: Family::default(),
            policy_success: Gauge::default(),
            activations: Family::default(),
            log_queue: Gauge::default(),
            log_lost: Family::default(),
        };
        metrics.registry = Arc::new(metrics.registry(connections));
        metrics
    }

    #[rustfmt::skip]
    fn registry(&self, connections: Family<Closed1, Gauge>) -> Registry {
        let build = Family::<Closed1, Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        let mut registry = Registry::with_prefix("portreeve");
        registry.register("decisions", "Decisions by outcome and reason", self.decisions.clone());
        registry.register("decision_duration_seconds", "Time that decide took", self.decision_duration.clone());
        registry.register("requests", "Answered requests by route and class of status", self.requests.clone());
        registry.register("request_refusals", "Requests answered without a decision", self.refusals.clone());
        registry.register("exchanges_ended", "Exchanges in flight that were ended, by reason", self.exchanges_ended.clone());
        registry.register("handshakes", "TLS handshakes by result and reason", self.handshakes.clone());
        registry.register("connections", "Open connections by state", connections);
        registry.register("connections_cut", "Open connections that were ended because their peer holds no more, by reason", self.cuts.clone());
        registry.register("deny_list_entries", "SPIFFE IDs and trust domains that are blocked here", self.blocked.clone());
        registry.register("mode", "1 for the mode that a listener is in", self.mode.clone());
        registry.register("svid_not_after_timestamp_seconds", "When our SVID expires", self.svid_not_after.clone());
        registry.register("identity_last_update_timestamp_seconds", "When the identity source last answered", self.identity_updated.clone());
        registry.register("identity_steps", "Times that our identity became good, degraded or unavailable, by reason", self.identity_steps.clone());
        registry.register("jwt_bundles_last_update_timestamp_seconds", "When the identity source last gave the keys of JWT-SVIDs; 0 while there are none", self.jwt_bundles_updated_at.clone());
        registry.register("policy_info", "1 for the revision that is active", self.policy_info.clone());
        registry.register("policy_last_success_timestamp_seconds", "When the policy source was last read without error", self.policy_success.clone());
        registry.register("policy_activations", "Tried activations by result and last stage", self.activations.clone());
        registry.register("log_queue_length", "Records that wait to be written", self.log_queue.clone());
        registry.register("log_lost", "Records that were lost, by cause", self.log_lost.clone());
        registry.register("build_info", "1 for the version that runs", build);
        registry
    }

    /// What one listener counts; `routes` in the order of its settings. Call it once per listener.
    #[must_use]
    pub fn listener<'a>(
        &self,
        name: &str,
        mode: Enforcement,
        routes: impl IntoIterator<Item = &'a str>,
    ) -> ListenerMetrics {
        let mode = match mode {
            Enforcement::Enforce => "enforce",
            Enforcement::Shadow => "shadow",
            Enforcement::Probe => "probe",
        };
        self.mode.get_or_create(&[("listener", name.into()), ("mode", mode.into())]).set(1);
        let decisions = OUTCOMES.map(|outcome| {
            REASONS.map(|reason| {
                self.decisions.get_or_create_owned(&[
                    ("listener", name.to_owned()),
                    ("outcome", outcome.as_str().to_owned()),
                    ("reason", reason.as_str().to_owned()),
                ])
            })
        });
        let classes = |route: &str| {
            CODE_CLASSES.map(|class| {
                self.requests.get_or_create_owned(&[
                    ("listener", name.to_owned()),
                    ("route", route.to_owned()),
                    ("code_class", class.to_owned()),
                ])
            })
        };
        ListenerMetrics(Arc::new(Handles {
            decisions,
            requests: routes.into_iter().map(classes).collect(),
            unrouted: classes("none"),
            duration: self.decision_duration.clone(),
        }))
    }

    /// A request was answered without a decision; `reason` is a stable code.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&[("reason", reason)]).inc();
    }

    /// An exchange in flight was ended because a later policy does not permit it, or its decision could
    /// not be recorded; `reason` is a stable code.
    pub fn exchange_ended(&self, reason: &'static str) {
        self.exchanges_ended.get_or_create(&[("reason", reason)]).inc();
    }

    /// A handshake ended: `ok`, `refused` or `failed`, with a stable code that is empty for `ok`.
    pub fn handshake(&self, result: &'static str, reason: &'static str) {
        self.handshakes.get_or_create(&[("result", result), ("reason", reason)]).inc();
    }

    /// A connection was accepted, and its handshake begins.
    #[must_use]
    pub fn connection(&self) -> OpenConnection {
        let state = ConnectionState::Handshaking;
        let open = OpenConnection { gauges: self.connections.clone(), state };
        open.gauge().inc();
        open
    }

    /// Our identity became another than before: good, where the reason is empty.
    pub fn identity_step(&self, reason: &'static str) {
        self.identity_steps.get_or_create(&[("reason", reason)]).inc();
    }

    /// Open connections were ended because their peer holds no more.
    pub fn cut(&self, reason: &'static str, connections: u64) {
        self.cuts.get_or_create(&[("reason", reason)]).inc_by(connections);
    }

    /// How many entries the deny-list has.
    pub fn blocked(&self, entries: usize) {
        self.blocked.set(i64::try_from(entries).unwrap_or(i64::MAX));
    }

    /// The identity source gave an SVID.
    pub fn identity_updated(&self, at: Timestamp, not_after: Timestamp) {
        self.identity_updated.set(at.unix_seconds());
        self.svid_not_after.set(not_after.unix_seconds());
    }

    /// The identity source gave the keys of JWT-SVIDs; `None` where there are none.
    pub fn jwt_bundles_updated(&self, at: Option<Timestamp>) {
        self.jwt_bundles_updated_at.set(at.map_or(0, |at| at.unix_seconds()));
    }

    /// A revision became the active one; the one before is no longer told.
    pub fn policy_activated(&self, revision: &str) {
        self.policy_info.clear();
        self.policy_info.get_or_create(&[("revision", revision.to_owned())]).set(1);
    }

    /// The policy source was read without error, whether or not there was anything new.
    pub fn policy_read(&self, at: Timestamp) {
        self.policy_success.set(at.unix_seconds());
    }

    /// An activation ended at a stage: `ok` or `refused`.
    pub fn activation(&self, result: &'static str, stage: &'static str) {
        self.activations.get_or_create(&[("result", result), ("stage", stage)]).inc();
    }

    /// The length of the log's queue, to be set by whoever fills it.
    #[must_use]
    pub fn log_queue(&self) -> &Gauge {
        &self.log_queue
    }

    /// Records were lost.
    pub fn log_lost(&self, cause: &'static str, records: u64) {
        self.log_lost.get_or_create(&[("cause", cause)]).inc_by(records);
    }

    /// Content type and body of a scrape, in the format that the `Accept` header asks for.
    #[must_use]
    pub fn encode(&self, accept: Option<&str>) -> (&'static str, String) {
        let mut body = String::new();
        if text::encode(&mut body, &self.registry).is_err() {
            // Writing into a String does not fail; a metric that does is left out with the rest.
            body.clear();
        }
        if exposition::wants_open_metrics(accept) {
            (exposition::OPEN_METRICS, body)
        } else {
            (exposition::PROMETHEUS, exposition::to_prometheus(&body))
        }
    }
}

impl OpenConnection {
    /// From now on it is in this state.
    pub fn turn(&mut self, state: ConnectionState) {
        self.gauge().dec();
        self.state = state;
        self.gauge().inc();
    }

    fn gauge(&self) -> &Gauge {
        let [handshaking, serving, draining] = &self.gauges;
        match self.state {
            ConnectionState::Handshaking => handshaking,
            ConnectionState::Serving => serving,
            ConnectionState::Draining => draining,
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.gauge().dec();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// What one listener counts; a clone counts into the same. Nothing here looks a label up.
#[derive(Clone, Debug)]
pub struct ListenerMetrics(Arc<Handles>);

#[derive(Debug)]
struct Handles {
    decisions: [[Counter; REASONS.len()]; OUTCOMES.len()],
    /// By the index of the route and the class of the status.
    requests: Vec<[Counter; CODE_CLASSES.len()]>,
    /// Requests that were refused before they had a route.
    unrouted: [Counter; CODE_CLASSES.len()],
    duration: DurationHistogram,
}

impl ListenerMetrics {
    /// A decision was made.
    pub fn decided(&self, outcome: Outcome, reason: Reason, took: Duration) {
        let [allow, deny, error] = &self.0.decisions;
        let of_outcome = match outcome {
            Outcome::Allow => allow,
            Outcome::Deny => deny,
            Outcome::Error => error,
        };
        for (known, counter) in REASONS.iter().zip(of_outcome) {
            if *known == reason {
                counter.inc();
            }
        }
        self.0.duration.observe(took);
    }

    /// A request was answered; without a route it was refused before it had one.
    pub fn answered(&self, route: Option<usize>, status: http::StatusCode) {
        let route = route.and_then(|index| self.0.requests.get(index));
        let [informational, success, redirection, client_error, server_error] =
            route.unwrap_or(&self.0.unrouted);
        let counter = match status.as_u16() / 100 {
            1 => informational,
            2 => success,
            3 => redirection,
            4 => client_error,
            _ => server_error,
        };
        counter.inc();
    }
}
