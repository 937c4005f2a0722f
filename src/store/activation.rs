//! From a look at the source to a new active bundle, or to the reason why not.

use std::sync::Arc;
use std::time::Duration;

use portreeve_core::policy::{Bundle, Findings, Revision};
use portreeve_core::words::chain;
use tokio::sync::mpsc;

use super::directory::{Directory, Pointer};
use super::load_thread::{LoadThread, Refused};
use super::{ActiveStatus, Event, Failure, LoaderState, Shared, Stage, schedule};
use crate::clock::Clock;
use crate::loader::{
    CheckRequest, Checked, FetchRequest, Fetched, Keeper, LoaderError, Place, Source,
};

/// The store's one task; it alone changes what is active.
pub(super) struct Task {
    source: Source,
    interval: Duration,
    clock: Clock,
    directory: Arc<Directory>,
    keeper: Keeper,
    loads: LoadThread,
    shared: Arc<Shared>,
    events: mpsc::Sender<Event>,
    /// The commit (of a directory: the digest) that was rejected last.
    rejected: Option<String>,
}

/// What is being tried.
struct Candidate {
    place: Place,
    commit: String,
    digest: String,
}

/// How a look at the source ended, for the schedule.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Done,
    /// The same may go well next time.
    Failed,
}

impl Task {
    pub(super) fn new(
        source: Source,
        interval: Duration,
        clock: Clock,
        directory: Arc<Directory>,
        keeper: Keeper,
        loads: LoadThread,
        shared: Arc<Shared>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let rejected = None;
        Self { source, interval, clock, directory, keeper, loads, shared, events, rejected }
    }

    /// Works until nobody receives events any more.
    pub(super) async fn run(mut self) {
        let events = self.events.clone();
        let gone = tokio::select! {
            () = events.closed() => return,
            gone = self.work() => gone,
        };
        let text = chain(&gone);
        self.shared.update(|status| {
            status.loader.state = LoaderState::Gone;
            status.loader.process = None;
            status.loader.text = Some(text.clone());
        });
        self.send(Event::LoaderGone { text }).await;
        // What was retired is still freed, and status still answered.
        events.closed().await;
    }

    /// Returns only when the keeper is gone.
    async fn work(&mut self) -> LoaderError {
        if let Err(gone) = self.restore().await {
            return gone;
        }
        let mut failures = 0_u32;
        loop {
            failures = match self.look().await {
                Ok(Look::Done) => 0,
                Ok(Look::Failed) => failures.saturating_add(1),
                Err(gone) => return gone,
            };
            let has_bundle = self.shared.active.load().is_some();
            let wait = schedule::delay(self.interval, failures, has_bundle, fastrand::f64());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.shared.refresh.notified() => {
                    failures = 0;
                    self.rejected = None;
                }
                gone = self.keeper.ended() => return gone,
            }
        }
    }

    /// Activates the last good bundle before the source is looked at, which may be away.
    async fn restore(&mut self) -> Result<(), LoaderError> {
        let pointer = match self.directory.pointer() {
            Ok(Some(pointer)) if pointer.is_of(&self.source) => pointer,
            Ok(_) => return Ok(()),
            Err(error) => {
                let text = format!("failed to read which bundle was active: {error}");
                self.reject("", "", Stage::Restore, text, Findings::default()).await;
                return Ok(());
            }
        };
        let Pointer { commit, digest, .. } = pointer;
        self.consider(Candidate { place: Place::Bundles, commit, digest }).await.map(|_| ())
    }

    async fn look(&mut self) -> Result<Look, LoaderError> {
        let active = self.shared.active.load_full();
        let active = active.as_deref().map(key);
        let known = active.iter().chain(&self.rejected).cloned().collect();
        let now = self.clock.now();
        self.shared.update(|status| status.last_fetch = Some(now));
        match self.keeper.fetch(FetchRequest { known }).await? {
            Fetched::Unchanged { known } => {
                self.shared.update(|status| {
                    status.last_success = Some(now);
                    if active == Some(known) {
                        status.last_error = None;
                    }
                });
                Ok(Look::Done)
            }
            Fetched::Candidate { commit, digest, .. } => {
                self.shared.update(|status| status.last_success = Some(now));
                self.consider(Candidate { place: Place::Candidates, commit, digest }).await
            }
            Fetched::Refused { commit, text } => {
                self.shared.update(|status| status.last_success = Some(now));
                self.reject(&commit, "", Stage::Read, text, Findings::default()).await;
                Ok(Look::Done)
            }
            Fetched::Failed { text } => {
                self.fail(Stage::Fetch, "", &text, &Findings::default());
                self.send(Event::FetchFailed { text }).await;
                Ok(Look::Failed)
            }
        }
    }

    /// Check, load, keep, swap: in this order, and a failure anywhere leaves what is active.
    async fn consider(&mut self, candidate: Candidate) -> Result<Look, LoaderError> {
        let Candidate { place, commit, digest } = candidate;
        let is_restore = place == Place::Bundles;
        let stage = |stage| if is_restore { Stage::Restore } else { stage };
        let request = CheckRequest { place, commit: commit.clone(), digest: digest.clone() };
        let findings = match self.keeper.check(request).await? {
            Checked::Ok { digest: checked, findings, .. } if checked == digest => findings,
            Checked::Ok { .. } => {
                let text = "the check answered for another digest".to_owned();
                self.reject(&commit, &digest, stage(Stage::Check), text, Findings::default()).await;
                return Ok(Look::Done);
            }
            Checked::Rejected { text, findings } => {
                self.reject(&commit, &digest, stage(Stage::Check), text, findings).await;
                return Ok(Look::Done);
            }
        };
        let revision = Revision {
            repository: self.source.repository().into(),
            reference: self.source.reference().into(),
            commit: commit.as_str().into(),
            digest: digest.as_str().into(),
            signer: None,
        };
        let pointer = Pointer {
            digest: digest.clone(),
            commit: commit.clone(),
            repository: self.source.repository(),
            reference: self.source.reference().to_owned(),
            subdir: self.source.subdir().to_owned(),
        };
        match self.loads.load(place, revision, pointer).await {
            Ok(bundle) => {
                self.activate(bundle, findings, is_restore).await;
                Ok(Look::Done)
            }
            Err(Refused { stage: at, text, findings }) => {
                self.reject(&commit, &digest, stage(at), text, findings).await;
                if at == Stage::Store {
                    self.rejected = None; // the disk is at fault, not the commit
                    return Ok(Look::Failed);
                }
                Ok(Look::Done)
            }
        }
    }

    async fn activate(&mut self, bundle: Arc<Bundle>, findings: Findings, restored: bool) {
        let to = bundle.revision.clone();
        let languages = bundle.languages();
        let active = ActiveStatus::new(&bundle, self.clock.now());
        let old = self.shared.active.swap(Some(bundle));
        self.shared.activated.notify_waiters();
        self.shared.update(|status| {
            status.active = Some(active);
            status.last_error = None;
        });
        let from = old.as_ref().map(|old| old.revision.clone());
        let previous = from.as_ref().map_or(&*to.digest, |from| &*from.digest);
        // What cannot be removed now is removed after the next activation.
        let _ = self.directory.prune(&[&to.digest, previous]);
        if let Some(old) = old {
            self.loads.retire(old);
        }
        self.rejected = None;
        self.send(Event::Activated { from, to, languages, findings, restored }).await;
    }

    /// Reports a candidate once, and remembers not to try it again until the source moves on.
    async fn reject(
        &mut self,
        commit: &str,
        digest: &str,
        stage: Stage,
        text: String,
        findings: Findings,
    ) {
        self.directory.discard(digest);
        if stage != Stage::Restore {
            let key = if commit.is_empty() { digest } else { commit };
            self.rejected = Some(key.to_owned()).filter(|key| !key.is_empty());
        }
        if self.fail(stage, commit, &text, &findings) {
            let (commit, digest) = (commit.to_owned(), digest.to_owned());
            self.send(Event::Rejected { commit, digest, stage, text, findings }).await;
        }
    }

    /// Sets the last error; says whether it is another than before.
    fn fail(&self, stage: Stage, commit: &str, text: &str, findings: &Findings) -> bool {
        let failure = Failure {
            at: self.clock.now(),
            stage,
            commit: commit.to_owned(),
            text: text.to_owned(),
            findings: findings.0.clone(),
        };
        let mut is_new = true;
        self.shared.update(|status| {
            let last = status.last_error.replace(failure.clone());
            is_new = last.is_none_or(|last| Failure { at: failure.at, ..last } != failure);
        });
        is_new
    }

    async fn send(&self, event: Event) {
        let _ = self.events.send(event).await; // a closed receiver ends the task
    }
}

/// What the source knows a bundle by.
fn key(bundle: &Bundle) -> String {
    let Revision { commit, digest, .. } = &bundle.revision;
    if commit.is_empty() { digest.to_string() } else { commit.to_string() }
}
