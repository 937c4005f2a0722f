//! What differs from the example shop, and the stage that a sidecar is started on.

use std::path::Path;

use portreeve::clock::Clock;
use portreeve::dev::WorkloadApi;

use super::{Repository, Respond, Scene, Upstream, answer_with, start_sidecar, workload_api};

/// The routes that the example policies speak of, as YAML below `listeners`.
pub(crate) const SHOP_ROUTES: &str = "
      - {name: health, path: /healthz, methods: [GET]}
      - {name: orders, path: '/orders/{rest...}'}
      - {name: reports, path: '/reports/{rest...}', methods: [GET, HEAD]}";

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
