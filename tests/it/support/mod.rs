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
mod collected;
mod records;
mod repository;
mod setup;
mod upstream;

pub(crate) use client::{
    Answer, Client, Raw, body, empty, handshake, handshake_without_svid, request, streamed,
};
pub(crate) use collected::Collected;
pub(crate) use records::{check_oracles, decisions, of_kind, read_log, text};
pub(crate) use repository::Repository;
pub(crate) use setup::{Policies, Setup, Stage};
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

/// A running sidecar and all that it needs.
pub(crate) struct Scene {
    pub(crate) sidecar: Sidecar,
    pub(crate) workload_api: WorkloadApi,
    pub(crate) repository: Repository,
    pub(crate) upstream: Upstream,
    pub(crate) dir: tempfile::TempDir,
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
