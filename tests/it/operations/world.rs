//! Everything around a sidecar: a trust domain, a policy repository, a service, a configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::commands::run::Sidecar;
use portreeve::config;
use portreeve::dev::{Entry, Settings, WorkloadApi};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

use super::process::Process;
use super::upstream;
use crate::support::{
    ORDERS, PROGRAM, Repository, Upstream, WEB, check_oracles, id, read_log, trust_domain,
};

/// Allows what begins with `/a`.
pub(super) const ONLY_A: &str = r#"
@id("only-a")
permit(principal, action in Action::"http", resource) when { context.path like "/a*" };
"#;
pub(super) const ALL: &str = "permit(principal, action, resource);\n";

/// How long anything that is waited for may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct World {
    pub(super) dir: TempDir,
    pub(super) repo: Repository,
    pub(super) api: Option<Arc<WorkloadApi>>,
    pub(super) upstream: Upstream,
    /// `/slow` is answered once this is true.
    pub(super) released: watch::Sender<bool>,
}

impl World {
    /// A service that answers, and a repository that allows everything.
    pub(super) fn new() -> Self {
        Self::with(&[("p.cedar", ALL)])
    }

    /// For a test that is not itself async: its servers run where the sidecar does.
    pub(super) fn in_runtime(runtime: &tokio::runtime::Runtime) -> Self {
        let _inside = runtime.enter();
        Self::new()
    }

    pub(super) fn with(policies: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let released = watch::Sender::new(false);
        let upstream = upstream::start(dir.path(), &released);
        let api = Some(start_api(dir.path()));
        let world = Self { repo: Repository::with(policies), api, upstream, released, dir };
        world.configure("");
        world
    }

    pub(super) fn api(&self) -> &Arc<WorkloadApi> {
        self.api.as_ref().unwrap()
    }

    pub(super) fn restart_api(&mut self) {
        self.api = None;
        self.api = Some(start_api(self.dir.path()));
    }

    /// Lets what is slow end.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration with some more top-level fields.
    pub(super) fn configure(&self, more: &str) {
        self.configure_routes("", more);
    }

    pub(super) fn configure_routes(&self, routes: &str, more: &str) {
        fs::write(self.path("portreeve.yaml"), self.text(routes, more)).unwrap();
    }

    fn text(&self, routes: &str, more: &str) -> String {
        let repo = self.repo.url();
        format!(
            "version: 1
service: orders
state_dir: state
identity: {{ socket: api.sock, pick: {{ spiffe_id: {ORDERS} }} }}
listeners:
  - name: public
    address: 127.0.0.1:0
    routes: [{routes}]
upstreams: [{{ name: app, address: unix:app.sock }}]
policy: {{ source: {{ git: {repo} }}, interval: 1h }}
{more}
"
        )
    }

    /// Starts the real binary, without waiting for it to be ready.
    pub(super) fn spawn(&self) -> Process {
        Process::spawn(self.dir.path(), &[])
    }

    /// Starts the real binary and waits until it serves.
    pub(super) async fn run(&self) -> Process {
        let mut process = self.spawn();
        process.ready().await;
        process
    }

    /// Starts a sidecar in this process, without waiting for it to be ready.
    pub(super) async fn start(&self) -> Sidecar {
        let text = fs::read_to_string(self.path("portreeve.yaml")).unwrap();
        let text = format!("{text}\nhealth: {{ address: 127.0.0.1:0 }}\n");
        let config = config::parse(&text, self.dir.path(), &|_| None).unwrap();
        Sidecar::start(config, Clock::system(), Path::new(PROGRAM)).await.unwrap()
    }

    /// Starts a sidecar in this process and waits until it serves.
    pub(super) async fn start_ready(&self) -> Sidecar {
        let sidecar = self.start().await;
        until("the sidecar to be ready", async || sidecar.report().readiness().is_ready()).await;
        sidecar
    }

    /// Every record, in the order of the log.
    pub(super) fn records(&self) -> Vec<Value> {
        read_log(&self.path("state/log"))
    }

    /// Every record, after the oracles were held against it and what the service saw.
    #[track_caller]
    pub(super) fn checked_records(&self) -> Vec<Value> {
        let records = self.records();
        check_oracles(&records, &self.upstream.seen());
        records
    }
}

/// The records of a kind and, where it matters, of an event.
pub(super) fn of_kind<'a>(records: &'a [Value], kind: &str, event: &str) -> Vec<&'a Value> {
    let is_it =
        |record: &&Value| record["kind"] == kind && (event.is_empty() || record["event"] == event);
    records.iter().filter(is_it).collect()
}

/// Looks again and again; what it waits for has no event that a test could await.
#[track_caller]
pub(super) fn until(what: &str, look: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let looking = async {
            while !look().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, looking).await;
        assert!(seen.is_ok(), "waited in vain for {what} at {place}");
    }
}

fn start_api(dir: &Path) -> Arc<WorkloadApi> {
    let mut settings = Settings::new(trust_domain(), dir.join("api.sock"));
    settings.entries = [ORDERS, WEB].into_iter().map(|name| Entry::any(id(name))).collect();
    Arc::new(WorkloadApi::start(settings).unwrap())
}
