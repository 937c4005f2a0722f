//! Both ends of the Workload API against each other, and each against an independent crate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use tokio::time::timeout;

use super::{Entry, Settings, WorkloadApi};
use crate::clock::Clock;
use crate::identity::{self, Identity, Pick, Snapshot, Source, State};

mod authority;
mod failures;
mod follows;
mod independent;
mod sources;
mod files;
mod agent;

/// Nothing that a test awaits takes this long.
const PATIENCE: Duration = Duration::from_secs(20);

fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}

fn domain(text: &str) -> TrustDomain {
    TrustDomain::parse(text).unwrap()
}

fn settings(dir: &tempfile::TempDir) -> Settings {
    let mut settings = Settings::new(domain("a.test"), dir.path().join("api.sock"));
    settings.entries = vec![Entry::any(id("spiffe://a.test/web"))];
    settings
}

fn follow(socket: &Path, pick: Option<Pick>) -> Identity {
    let source = Source::WorkloadApi { socket: socket.to_owned() };
    identity::spawn(
        &identity::Settings { pick, ..identity::Settings::new(source) },
        Clock::system(),
    )
}

async fn until(identity: &Identity, what: &str, wanted: impl Fn(&State) -> bool) -> State {
    let mut updates = identity.updates();
    let waited = timeout(PATIENCE, updates.wait_for(&wanted)).await;
    let state = waited.map(|state| state.unwrap().clone());
    state.unwrap_or_else(|_| panic!("not {what}: {:?}", identity.updates().borrow()))
}

async fn snapshot(
    identity: &Identity,
    what: &str,
    wanted: impl Fn(&Snapshot) -> bool,
) -> Arc<Snapshot> {
    let fits = |state: &State| matches!(state, State::Ready(snapshot) if wanted(snapshot));
    match until(identity, what, fits).await {
        State::Ready(snapshot) => snapshot,
        other => panic!("not {what}: {other:?}"),
    }
}

/// A server with one entry for everybody, and our client with its first snapshot.
async fn started(dir: &tempfile::TempDir) -> (WorkloadApi, Identity, Arc<Snapshot>) {
    let api = WorkloadApi::start(settings(dir)).unwrap();
    let identity = follow(api.socket(), None);
    let first = snapshot(&identity, "ready", |_| true).await;
    (api, identity, first)
}
