//! All stages of one sidecar, wired together: built in one place, ended in one place.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::report::Live;
use super::trust::{self, TrustChanges};
use super::{feed, identity_steps, listeners};
use crate::admin::{BoundAdmin, BoundHealth, Report, Server};
use crate::audit::{self, Event, Log};
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::Registry;
use crate::evaluation::{self, Pool};
use crate::forward::{self, OwnIdentity, Upstreams};
use crate::identity::{self, DenyListFile, Identity};
use crate::listen::{self, Bound, Serving};
use crate::loader::SERVING_STACK_BYTES;
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::tls::ServerTls;

/// After a connection was cut, how long its task has to notice before the log is closed.
const CUT_GRACE: Duration = Duration::from_millis(500);

/// For a decision in the pool: a little more than the engines' own limit on running time, so that a
/// loop ends with the engine's message, and only what no engine can stop is given up.
const DECISION_BUDGET: Duration = Duration::from_millis(600);

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    pub(super) live: Arc<Live>,
    config: Mutex<Config>,
    upstreams: Mutex<Upstreams>,
    own: OwnIdentity,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    servers: Vec<Server>,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything in flight was finished.
    Finished,
    /// So many connections were cut at the deadline.
    Cut(usize),
}

impl Sidecar {
    /// Builds and starts every stage. Listeners have their addresses, and accept once there is an SVID
    /// and a policy.
    ///
    /// # Errors
    /// An address, the log, the store or the loader is not to be had.
    pub async fn start(config: Config, clock: Clock, program: &Path) -> anyhow::Result<Self> {
        let bound = listeners::bind(&config)?;
        let health = BoundHealth::bind(&config.health).context("failed to start `health`")?;
        let admin = BoundAdmin::bind(&config.admin).context("failed to start `admin`")?;
        let instance = audit::this_instance(Arc::clone(&config.service));
        if let audit::Target::Dir(dir) = &config.log.target
            && let Some(at) = audit::newest_time(dir)
        {
            clock.has_recorded(at);
        }
        let denied = DenyListFile::open(&config.state_dir)?;
        let log = Log::open(&config.log, instance, clock.clone())?;
        let metrics = Metrics::new();
        let (store, events) = Store::spawn(config.policy.clone(), clock.clone(), program).await?;
        let identity = identity::spawn(&config.identity, clock.clone());
        let takes_tokens = config.listeners.iter().any(|l| l.callers.proof.takes_tokens());
        let jwt_bundles =
            takes_tokens.then(|| identity::jwt_bundles::spawn(&config.identity, clock.clone()));
        let own = OwnIdentity { clock: clock.clone(), credentials: Arc::default() };
        let upstreams = forward::upstreams(&config.upstreams, &Upstreams::new(), &own)?;
        let pool = decision_pool();
        let gates = listeners::gates(
            &config,
            &upstreams,
            &store,
            &pool,
            &log,
            &clock,
            &metrics,
            jwt_bundles.as_ref(),
            &denied,
        )?;

        let addresses = bound.iter().map(|(_, bound)| bound.address()).collect();
        let live = Arc::new(Live {
            service: Arc::clone(&config.service),
            started: clock.now(),
            clock,
            identity,
            serving: ArcSwapOption::empty(),
            identity_source: config.identity.source.to_string(),
            jwt_bundles,
            store,
            pool,
            log,
            metrics,
            registry: Registry::default(),
            denied,
            gates,
            addresses,
            log_settings: config.log.clone(),
            health: health.as_ref().map(BoundHealth::address),
            draining: AtomicBool::new(false),
            accepting: AtomicUsize::new(0),
        });
        let servers = serve(health, admin, &live)?;
        live.log.event(&Event::ConfigLoaded { digest: &config.digest });

        let mut sidecar = Self {
            live,
            config: Mutex::new(config),
            upstreams: Mutex::new(upstreams),
            own,
            stop: watch::Sender::new(false),
            tasks: JoinSet::new(),
            servers,
        };
        sidecar.start_tasks(bound, events)?;
        Ok(sidecar)
    }

    fn start_tasks(
        &mut self,
        bound: Vec<(listen::Settings, Bound)>,
        events: tokio::sync::mpsc::Receiver<crate::store::Event>,
    ) -> anyhow::Result<()> {
        let live = &self.live;
        let credentials = &self.own.credentials;
        let can_shake = watch::Sender::new(false);
        let shaking = can_shake.subscribe();
        let trust = watch::Sender::new(0);
        let changed = trust.subscribe();
        let trust = TrustChanges::new(trust);
        let feeding = feed::identity(Arc::clone(live), Arc::clone(credentials), can_shake, trust);
        self.tasks.spawn(feeding);
        let verifying = trust::verify_again(Arc::clone(live), Arc::clone(credentials), changed);
        self.tasks.spawn(verifying);
        self.tasks.spawn(trust::end_lapsed(Arc::clone(live)));
        self.tasks.spawn(identity_steps::watch(Arc::clone(live)));
        self.tasks.spawn(feed::policy(Arc::clone(live), events));
        self.tasks.spawn(feed::ticks(Arc::clone(live)));
        for ((settings, bound), gate) in bound.into_iter().zip(&live.gates) {
            let tls = ServerTls::new(&live.clock, &settings.tls())?.denying(&live.denied);
            let serving = Serving {
                settings,
                service: Arc::clone(&live.service),
                gate: Arc::clone(gate),
                tls,
                credentials: Arc::clone(credentials),
                denied: live.denied.clone(),
                registry: live.registry.clone(),
            };
            let (live, stop) = (Arc::clone(live), self.stop.subscribe());
            self.tasks.spawn(feed::listener(live, bound, serving, shaking.clone(), stop));
        }
        Ok(())
    }

    /// The addresses of the listeners, in the order of the file.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.live.addresses
    }

    /// Where `health` listens, where it does.
    #[must_use]
    pub fn health(&self) -> Option<SocketAddr> {
        self.live.health
    }

    /// The handles that a test or the demo looks at.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.live.store
    }

    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.live.identity
    }

    #[must_use]
    pub fn log(&self) -> &Log {
        &self.live.log
    }

    /// What `/status` and `/readyz` tell.
    #[must_use]
    pub fn report(&self) -> &dyn Report {
        &*self.live
    }

    /// Takes over what may change while running; nothing where anything needs a restart.
    ///
    /// # Errors
    /// The fields that need a restart, or routes that cannot be built; nothing was changed.
    pub fn reload(&self, new: Config) -> anyhow::Result<()> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let fixed = needs_restart(&current, &new);
        anyhow::ensure!(fixed.is_empty(), "restart needed to change {}", fixed.join(", "));
        let mut upstreams = self.upstreams.lock().unwrap_or_else(PoisonError::into_inner);
        let next = forward::upstreams(&new.upstreams, &upstreams, &self.own)?;
        // Everything that can fail comes before the first swap.
        let routings = new
            .listeners
            .iter()
            .map(|settings| listeners::routing(settings, &next, &self.live.metrics))
            .collect::<Result<Vec<_>, _>>()?;
        for (gate, routing) in self.live.gates.iter().zip(routings) {
            gate.routing.store(Arc::new(routing));
        }
        *upstreams = next;
        self.live.log.event(&Event::ConfigLoaded { digest: &new.digest });
        *current = new;
        Ok(())
    }

    /// Says that a reload was refused; what is in force stays.
    pub fn reload_failed(&self, cause: &str) {
        self.live.log.event(&Event::ConfigRejected { cause });
        tracing::error!("configuration not reloaded, the old one stays: {cause}");
    }

    /// Ends the sidecar: nothing new is accepted, what is in flight may finish until the deadline, the
    /// log is flushed and closed.
    pub async fn drain(mut self, deadline: Instant) -> Drained {
        self.live.draining.store(true, Ordering::Release);
        self.stop.send_replace(true);
        self.live.registry.drain();
        let drained = match self.live.registry.emptied(deadline).await {
            Ok(()) => Drained::Finished,
            Err(open) => {
                self.live.registry.cut_all();
                let _ = self.live.registry.emptied(Instant::now() + CUT_GRACE).await;
                Drained::Cut(open)
            }
        };
        self.tasks.shutdown().await;
        self.live.log.close().await;
        for server in self.servers.drain(..) {
            server.stop();
        }
        drained
    }

    /// How long a drain may take, from the configuration in force.
    #[must_use]
    pub fn drain_timeout(&self) -> Duration {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).drain_timeout
    }
}

/// Starts the servers of probes and of people.
fn serve(
    health: Option<BoundHealth>,
    admin: BoundAdmin,
    live: &Arc<Live>,
) -> anyhow::Result<Vec<Server>> {
    let mut servers = Vec::new();
    let report: Arc<dyn Report> = Arc::clone(live) as _;
    if let Some(health) = health {
        tracing::info!(address = %health.address(), "`health` serves probes and metrics");
        servers.push(health.serve(Arc::clone(&report))?);
    }
    servers.push(admin.serve(report, Arc::clone(live) as _)?);
    Ok(servers)
}

/// As many threads as serve, so that neither starves the other.
fn decision_pool() -> Pool {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    Pool::new(evaluation::Settings {
        threads,
        stack_bytes: SERVING_STACK_BYTES,
        budget: DECISION_BUDGET,
    })
}

/// The fields in which two configurations differ and which are read once only.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let listeners = |config: &Config| -> Vec<_> {
        // All but the routes, which a reload replaces.
        let fixed = |l: &listen::Settings| listen::Settings { routes: Vec::new(), ..l.clone() };
        config.listeners.iter().map(fixed).collect()
    };
    [
        ("service", old.service != new.service),
        ("state_dir", old.state_dir != new.state_dir),
        ("identity", old.identity != new.identity),
        ("listeners (all but routes)", listeners(old) != listeners(new)),
        ("policy", old.policy != new.policy),
        ("log", old.log != new.log),
        ("health", old.health != new.health),
        ("admin", old.admin != new.admin),
        ("telemetry", old.telemetry != new.telemetry),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}
