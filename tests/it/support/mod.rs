//! A whole sidecar in process: embedded trust domain, policies in git, an upstream that remembers.
//!
//! `Setup` says what differs from the example shop, [`Scene`] is the running whole. A scene ends with
//! [`Scene::finish`], which drains the sidecar, checks the oracles and gives the log.
#![expect(clippy::indexing_slicing, clippy::panic, reason = "a panic is how a test fails")]

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve::admin::PartState;
use portreeve::clock::Clock;
use portreeve::commands::run::{Drained, Sidecar};
use portreeve::config::{self, Config};
use portreeve::dev::{self, Entry, WorkloadApi};
use portreeve::loader::SERVING_STACK_BYTES;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

mod client;
mod records;
mod repository;
mod upstream;

pub(crate) use client::{Answer, Client, Raw, body, empty, handshake, request, streamed};
pub(crate) use records::{check_oracles, decisions, of_kind, read_log, text};
pub(crate) use repository::Repository;
pub(crate) use upstream::{
    Arrived, Broken, Frames, Reply, Respond, Seen, Upstream, answer_with, framed, respond, whole,
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");
pub(crate) const TRUST_DOMAIN: &str = "demo.test";
/// The sidecar's own identity.
pub(crate) const ORDERS: &str = "spiffe://demo.test/ns/shop/sa/orders";
pub(crate) const WEB: &str = "spiffe://demo.test/ns/shop/sa/web";
pub(crate) const PAYMENTS: &str = "spiffe://demo.test/ns/shop/sa/payments";
pub(crate) const BATCH: &str = "spiffe://demo.test/ns/shop/sa/batch";
pub(crate) const ADMIN: &str = "spiffe://demo.test/ns/shop/sa/admin";
pub(crate) const QUARANTINED: &str = "spiffe://demo.test/ns/quarantine/sa/web";

/// Nothing that a test awaits takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Allows everything, for tests of what is not policy.
pub(crate) const ALLOW_ALL: Policies =
    Policies::Files(&[("a.cedar", "permit(principal, action, resource);")]);

/// How long a drain at the end of a test waits for what its clients left open.
const FINISH: Duration = Duration::from_secs(5);
/// Between two looks at something that tells nobody when it changes.
const POLL: Duration = Duration::from_millis(10);

/// The routes that the example policies speak of, as YAML below `listeners`.
pub(crate) const SHOP_ROUTES: &str = "
      - {name: health, path: /healthz, methods: [GET]}
      - {name: orders, path: '/orders/{rest...}'}
      - {name: reports, path: '/reports/{rest...}', methods: [GET, HEAD]}";

/// Runs a test on threads like those that serve.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    run_traced(&tracing::Dispatch::none(), test)
}

/// The same with a subscriber for all of its threads.
pub(crate) fn run_traced<T>(dispatch: &tracing::Dispatch, test: impl Future<Output = T>) -> T {
    // With one subscriber alone, a call site that another test's thread meets first is off for good.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let of_threads = dispatch.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_stack_size(SERVING_STACK_BYTES)
        // The guard would end with this function, the subscriber belongs to the thread.
        .on_thread_start(move || {
            std::mem::forget(tracing::dispatcher::set_default(&of_threads));
        })
        .build()
        .unwrap();
    let result = tracing::dispatcher::with_default(dispatch, || runtime.block_on(test));
    // A test that leaves a blocking thread behind must not hang the whole run.
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

pub(crate) fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

pub(crate) fn trust_domain() -> TrustDomain {
    TrustDomain::parse(TRUST_DOMAIN).unwrap()
}

/// Which policies the repository holds.
#[derive(Clone, Copy)]
pub(crate) enum Policies {
    /// `policies/cedar`.
    Cedar,
    /// `policies/rego`.
    Rego,
    Files(&'static [(&'static str, &'static str)]),
}

/// What differs from the example shop; every text is YAML, indented as its place needs.
pub(crate) struct Setup {
    pub(crate) policies: Policies,
    /// `h1` or `h2c`.
    pub(crate) upstream_protocol: &'static str,
    /// How the upstream answers.
    pub(crate) respond: Respond,
    /// `enforce` or `shadow`.
    pub(crate) mode: &'static str,
    /// Items below `listeners[0].routes`.
    pub(crate) routes: String,
    /// Further members of `listeners[0]`, six spaces less two deep, such as `\n    limits: {…}`.
    pub(crate) listener: String,
    /// Members of `log` beside `dir`.
    pub(crate) log: String,
    /// Members of `policy` beside `source` and `interval`.
    pub(crate) policy: String,
    /// Further upstreams, as list items.
    pub(crate) upstreams: String,
    /// Further top-level members.
    pub(crate) more: String,
    pub(crate) clock: Clock,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policies: Policies::Cedar,
            upstream_protocol: "h1",
            respond: answer_with("seen"),
            mode: "enforce",
            routes: SHOP_ROUTES.to_owned(),
            listener: String::new(),
            log: String::new(),
            policy: String::new(),
            upstreams: String::new(),
            more: String::new(),
            clock: Clock::system(),
        }
    }
}

/// A running sidecar and all that it needs.
pub(crate) struct Scene {
    pub(crate) sidecar: Sidecar,
    pub(crate) workload_api: WorkloadApi,
    pub(crate) repository: Repository,
    pub(crate) upstream: Upstream,
    pub(crate) dir: tempfile::TempDir,
}

/// All of a scene but the sidecar: what there is before it starts.
pub(crate) struct Stage {
    pub(crate) workload_api: WorkloadApi,
    pub(crate) repository: Repository,
    pub(crate) upstream: Upstream,
    pub(crate) config: String,
    pub(crate) clock: Clock,
    pub(crate) dir: tempfile::TempDir,
}

impl Setup {
    /// Starts everything and waits until the sidecar is ready.
    pub(crate) async fn start(self) -> Scene {
        let scene = self.stage().start().await;
        scene.until_ready().await;
        scene
    }

    /// Everything but the sidecar.
    pub(crate) fn stage(self) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let workload_api = workload_api(&dir.path().join("api.sock"), &self.clock);
        let repository = Repository::of(self.policies);
        let upstream = Upstream::start(
            &dir.path().join("app.sock"),
            self.upstream_protocol,
            self.respond.clone(),
            Some(dir.path().join("state/log")),
        );
        let config = self.config(&workload_api, &repository, dir.path());
        Stage { workload_api, repository, upstream, config, clock: self.clock, dir }
    }

    fn config(&self, api: &WorkloadApi, repository: &Repository, dir: &Path) -> String {
        let Self { upstream_protocol, mode, routes, listener, log, policy, .. } = self;
        let (upstreams, more) = (&self.upstreams, &self.more);
        let (socket, git) = (api.endpoint(), repository.url());
        let base = dir.display();
        format!(
            "version: 1
service: orders
state_dir: {base}/state
identity:
  socket: {socket}
listeners:
  - name: public
    address: 127.0.0.1:0
    mode: {mode}
    upstream: app
    routes:{routes}{listener}
upstreams:
  - name: app
    address: unix:{base}/app.sock
    protocol: {upstream_protocol}{upstreams}
policy:
  source:
    git: {git}
  interval: 1h{policy}
log:
  dir: {base}/state/log{log}
{more}
"
        )
    }
}

impl Stage {
    /// Starts a sidecar, which need not become ready.
    pub(crate) async fn start(self) -> Scene {
        let Self { workload_api, repository, upstream, config, clock, dir } = self;
        let sidecar = start_sidecar(&config, dir.path(), &clock).await;
        Scene { sidecar, workload_api, repository, upstream, dir }
    }
}

/// Reads a configuration as `run` does, without an environment.
pub(crate) fn parse_config(text: &str, base: &Path) -> Config {
    match config::parse(text, base, &|_| None) {
        Ok(config) => config,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

pub(crate) async fn start_sidecar(text: &str, base: &Path, clock: &Clock) -> Sidecar {
    let config = parse_config(text, base);
    Sidecar::start(config, clock.clone(), Path::new(PROGRAM)).await.unwrap()
}

/// The embedded Workload API; every caller is the service.
pub(crate) fn workload_api(socket: &Path, clock: &Clock) -> WorkloadApi {
    let mut settings = dev::Settings::new(trust_domain(), socket.to_owned());
    settings.entries = vec![Entry::any(id(ORDERS))];
    settings.clock = clock.clone();
    WorkloadApi::start(settings).unwrap()
}

impl Scene {
    /// The example shop under Cedar.
    pub(crate) async fn start() -> Self {
        Setup::default().start().await
    }

    pub(crate) fn address(&self) -> SocketAddr {
        *self.sidecar.addresses().first().unwrap()
    }

    pub(crate) fn log_dir(&self) -> PathBuf {
        self.dir.path().join("state/log")
    }

    pub(crate) async fn until_ready(&self) {
        let is_ready = || {
            let readiness = self.sidecar.report().readiness();
            readiness.parts.iter().all(|part| part.state != PartState::NotReady)
        };
        self.until("ready", is_ready).await;
    }

    /// Waits until something holds, looking again and again.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let waited = timeout(PATIENCE, async {
            while !holds() {
                sleep(POLL).await;
            }
        });
        let waited = waited.await;
        assert!(waited.is_ok(), "not {what}: {:?}", self.sidecar.report().readiness());
    }

    /// Waits for a record.
    pub(crate) async fn until_record(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = || read_log(&self.log_dir()).into_iter().find(|record| wanted(record));
        self.until("recorded", || find().is_some()).await;
        find().unwrap()
    }

    /// A connection over mTLS with this identity; `alpn` is `h1` or `h2`.
    pub(crate) async fn client(&self, spiffe_id: &str, alpn: &str) -> Client {
        Client::connect(self.address(), &self.workload_api, &id(spiffe_id), alpn).await
    }

    /// An mTLS connection on which a test writes the bytes itself.
    pub(crate) async fn raw(&self, spiffe_id: &str) -> Raw {
        Raw::connect(self.address(), &self.workload_api, &id(spiffe_id)).await
    }

    /// The records so far.
    pub(crate) fn records(&self) -> Vec<Value> {
        read_log(&self.log_dir())
    }

    /// Drains the sidecar, holds the oracles against its log, and returns all records.
    pub(crate) async fn finish(self) -> Vec<Value> {
        self.finish_with().await.0
    }

    /// The same with how the drain ended and what the upstream saw.
    pub(crate) async fn finish_with(self) -> (Vec<Value>, Drained, Vec<Seen>) {
        let log_dir = self.log_dir();
        let drained = self.sidecar.drain(Instant::now() + FINISH).await;
        let records = read_log(&log_dir);
        let seen = self.upstream.seen();
        check_oracles(&records, &seen);
        (records, drained, seen)
    }
}
