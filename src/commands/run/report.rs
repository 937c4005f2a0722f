//! What the health and admin servers tell, read from the stages at the moment of asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use portreeve_core::Timestamp;
use portreeve_core::request::Enforcement;

use crate::admin::{
    IdentitySourceStatus, IdentityStatus, JwtStatus, ListenerStatus, LogStatus, Part, PolicyStatus,
    Readiness, Report, SourceTrouble, Status,
};
use crate::audit::{self, Log, Target};
use crate::clock::Clock;
use crate::commands::callers;
use crate::connections::Registry;
use crate::evaluation::{Pool, PoolStatus};
use crate::http::Gate;
use crate::identity::jwt_bundles::JwtBundles;
use crate::identity::{DenyListFile, Health, Identity, Snapshot, SourceStatus};
use crate::store::{self, Failure, LoaderState, Store};
use crate::telemetry::Metrics;

/// The stages of a running sidecar, as its tasks and its report see them.
#[derive(Debug)]
pub(crate) struct Live {
    pub(super) service: Arc<str>,
    pub(super) started: Timestamp,
    pub(super) clock: Clock,
    pub(super) identity: Identity,
    /// The snapshot that new connections are made with.
    pub(super) serving: ArcSwapOption<Snapshot>,
    /// Its source in words.
    pub(super) identity_source: String,
    /// Where a listener takes JWT-SVIDs.
    pub(super) jwt_bundles: Option<JwtBundles>,
    pub(super) store: Store,
    pub(super) pool: Pool,
    pub(super) log: Log,
    pub(super) metrics: Metrics,
    pub(super) registry: Registry,
    pub(super) denied: DenyListFile,
    pub(super) gates: Vec<Arc<Gate>>,
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) log_settings: audit::Settings,
    pub(super) health: Option<SocketAddr>,
    pub(super) draining: AtomicBool,
    /// How many listeners accept.
    pub(super) accepting: AtomicUsize,
}

impl Report for Live {
    fn readiness(&self) -> Readiness {
        let mut parts = vec![self.identity_part(), self.policy_part(), self.log_part()];
        parts.push(self.listeners_part());
        parts.extend(self.jwt_part());
        parts.extend(self.pool_part());
        if self.draining.load(Ordering::Acquire) {
            let text = "the sidecar is ending and takes no new connections";
            parts.push(Part::not_ready("drain", "draining", text));
        }
        for gate in &self.gates {
            if gate.mode == Enforcement::Shadow {
                let text = format!("listener `{}` records denials and forwards all", gate.listener);
                parts.push(Part::degraded("mode", "mode.shadow", text));
            }
        }
        Readiness { parts }
    }

    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            service: self.service.to_string(),
            started: self.started,
            now: self.clock.now(),
            readiness: self.readiness(),
            identity: self.identity_status(),
            identity_source: self.identity_source_status(),
            jwt_bundles: self.jwt_status(),
            blocked: self.denied.current().len() as u64,
            policy: self.policy_status(),
            log: self.log_status(),
            listeners: self.listener_status(),
            health: self.health.map(|address| address.to_string()),
        }
    }

    fn metrics(&self, accept: Option<&str>) -> (&'static str, String) {
        self.metrics.encode(accept)
    }
}

impl Live {
    fn identity_part(&self) -> Part {
        match self.identity.health() {
            // A snapshot has come, and handshakes cannot be done with it yet.
            Health::Good | Health::Degraded { .. } if self.serving.load().is_none() => {
                Part::not_ready("identity", "identity.unavailable", "the SVID is being prepared")
            }
            Health::Good => Part::ready("identity"),
            Health::Degraded { reason, text } => Part::degraded("identity", reason, text),
            Health::Unavailable(error) => {
                Part::not_ready("identity", error.reason(), error.to_string())
            }
        }
    }

    /// Keys do not expire: while the source is away the last ones stand, and it is told.
    fn jwt_part(&self) -> Option<Part> {
        let state = self.jwt_bundles.as_ref()?.state();
        let text = state.failure.unwrap_or_default();
        Some(match state.received {
            None => Part::not_ready("jwt_bundles", "jwt.no_bundles", text),
            Some(_) if text.is_empty() => Part::ready("jwt_bundles"),
            Some(_) => Part::degraded("jwt_bundles", "jwt.bundles_not_updated", text),
        })
    }

    fn policy_part(&self) -> Part {
        let status = self.store.status();
        let failure = status.last_error.as_ref().map(in_words);
        match (status.active, status.loader.state) {
            (None, _) => {
                let text = failure.unwrap_or_else(|| "the first bundle is being loaded".to_owned());
                Part::not_ready("policy", "policy.none", text)
            }
            (Some(_), LoaderState::Gone) => {
                let text = status.loader.text.unwrap_or_default();
                Part::degraded("policy", "loader.gone", text)
            }
            (Some(_), _) => match failure {
                Some(text) => Part::degraded("policy", "policy.not_updated", text),
                None => Part::ready("policy"),
            },
        }
    }

    fn log_part(&self) -> Part {
        let status = self.log.status();
        match (status.state, status.error) {
            (audit::State::Ok, _) => Part::ready("log"),
            (audit::State::Failing, error) => {
                Part::not_ready("log", "log.failing", error.unwrap_or_default())
            }
        }
    }

    /// Told only where there is something to tell: most bundles need no pool.
    fn pool_part(&self) -> Option<Part> {
        let status = self.pool.status();
        let PoolStatus { overrunning, overruns } = status;
        let text = format!("{overrunning} given-up evaluations still run, of {overruns} in all");
        if status.is_exhausted() {
            Some(Part::not_ready("evaluation", "evaluation.exhausted", text))
        } else if overrunning > 0 {
            Some(Part::degraded("evaluation", "evaluation.overruns", text))
        } else {
            None
        }
    }

    fn listeners_part(&self) -> Part {
        let accepting = self.accepting.load(Ordering::Acquire);
        if accepting == self.gates.len() {
            return Part::ready("listeners");
        }
        let text = format!("{accepting} of {} listeners accept connections", self.gates.len());
        Part::not_ready("listeners", "listeners.not_accepting", text)
    }

    fn identity_status(&self) -> Option<IdentityStatus> {
        let snapshot = self.serving.load_full()?;
        Some(IdentityStatus {
            spiffe_id: snapshot.svid.id.to_string(),
            not_before: snapshot.svid.not_before,
            not_after: snapshot.svid.not_after,
            updated: snapshot.received,
            trust_domains: snapshot.bundles.keys().map(ToString::to_string).collect(),
        })
    }

    fn identity_source_status(&self) -> IdentitySourceStatus {
        let SourceStatus { last_answer, trouble, unusable, served_by } = self.identity.source();
        let trouble = trouble.map(|trouble| SourceTrouble {
            reason: trouble.reason.to_owned(),
            text: trouble.text,
            since: trouble.since,
        });
        let unusable = unusable.into_iter().map(|bundle| (bundle.name, bundle.text));
        IdentitySourceStatus {
            source: self.identity_source.clone(),
            last_answer,
            trouble,
            unusable_bundles: unusable.collect(),
            served_by_uid: served_by.map(|served_by| served_by.uid),
            served_by_pid: served_by.and_then(|served_by| served_by.pid),
        }
    }

    fn jwt_status(&self) -> Option<JwtStatus> {
        let bundles = self.jwt_bundles.as_ref()?;
        let authorities = bundles.authorities().load();
        let keys = authorities.trust_domains().map(|(name, keys)| (name.to_string(), keys as u64));
        Some(JwtStatus { updated: bundles.state().received?, keys: keys.collect() })
    }

    fn policy_status(&self) -> Option<PolicyStatus> {
        let status = self.store.status();
        let active = status.active?;
        Some(PolicyStatus {
            source: status.repository,
            commit: active.commit,
            digest: active.digest,
            activated: active.since,
            last_success: status.last_success.unwrap_or(active.since),
            last_error: status.last_error.as_ref().map(in_words),
            ways: active.ways,
        })
    }

    fn log_status(&self) -> LogStatus {
        let status = self.log.status();
        LogStatus {
            target: match &self.log_settings.target {
                Target::Dir(path) => path.display().to_string(),
                Target::Stdout => "stdout".to_owned(),
            },
            durability: self.log_settings.durability.as_str().to_owned(),
            sequence: status.seq.saturating_add(1),
            queue_length: status.queue as u64,
            lost: status.lost.values().sum(),
            last_error: status.error,
        }
    }

    fn listener_status(&self) -> Vec<ListenerStatus> {
        let status = |(gate, address): (&Arc<Gate>, &SocketAddr)| ListenerStatus {
            name: gate.listener.to_string(),
            address: address.to_string(),
            mode: if gate.mode == Enforcement::Shadow { "shadow" } else { "enforce" }.to_owned(),
            callers: callers::code(gate.callers.settings.proof).to_owned(),
            audience: gate.callers.settings.audience.clone(),
            connections: gate.open.load(Ordering::Relaxed) as u64,
        };
        self.gates.iter().zip(&self.addresses).map(status).collect()
    }
}

fn in_words(failure: &Failure) -> String {
    store::with_findings(&failure.text, &failure.findings)
}
