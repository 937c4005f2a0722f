//! What the source has said, as the [`State`] and the [`SourceStatus`] that everybody sees.
//!
//! Only a denial, or an update without the SVID that is picked, takes a snapshot back; no other
//! failure does.

use std::sync::Arc;
use std::time::Duration;

use portreeve_core::spiffe::TrustDomain;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::source::{ServedBy, Trouble};
use super::update::{Update, UpdateError};
use super::{Failure, Identity, MAX_WITHDRAWAL_GRACE, Settings, Snapshot, SourceStatus, State};
use crate::clock::Clock;

pub(super) struct Published {
    clock: Clock,
    state: watch::Sender<State>,
    source: watch::Sender<SourceStatus>,
    sequence: u64,
    /// That of the first SVID: another one needs a restart.
    trust_domain: Option<TrustDomain>,
    grace: Duration,
    /// The end of a grace, while one runs.
    withdrawal: JoinSet<()>,
}

impl Published {
    /// Nothing yet, for the reason that is given; and the handle that sees what will come.
    pub(super) fn new(settings: &Settings, clock: Clock, reason: String) -> (Self, Identity) {
        let (state, states) = watch::channel(State::Waiting { reason });
        let (source, sources) = watch::channel(SourceStatus::default());
        let published = Self {
            clock: clock.clone(),
            state,
            source,
            sequence: 0,
            trust_domain: None,
            grace: settings.withdrawal_grace.min(MAX_WITHDRAWAL_GRACE),
            withdrawal: JoinSet::new(),
        };
        (published, Identity::new(states, sources, clock))
    }

    /// Ends when nobody looks any more.
    pub(super) fn unwatched(&self) -> impl Future<Output = ()> + use<> {
        let state = self.state.clone();
        async move { state.closed().await }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.withdrawal.is_empty() && matches!(*self.state.borrow(), State::Ready(_))
    }

    /// Publishes an update as the next snapshot.
    ///
    /// # Errors
    /// It is of another trust domain than the first; all is as before.
    pub(super) fn publish(&mut self, update: Update) -> Result<(), UpdateError> {
        let Update { svid, bundles, crls, unusable } = update;
        let ours = self.trust_domain.get_or_insert_with(|| svid.id.trust_domain().clone());
        if ours != svid.id.trust_domain() {
            return Err(UpdateError::OtherTrustDomain { first: ours.clone(), id: svid.id });
        }
        self.withdrawal = JoinSet::new();
        self.sequence += 1;
        tracing::info!(
            spiffe_id = %svid.id,
            not_after = %svid.not_after,
            trust_domains = bundles.len(),
            update = self.sequence,
            "SVID received"
        );
        let received = self.clock.now();
        let snapshot = Snapshot { sequence: self.sequence, svid, bundles, crls, received };
        self.state.send_replace(State::Ready(Arc::new(snapshot)));
        self.source.send_modify(|source| source.unusable = unusable);
        self.answered();
        Ok(())
    }

    /// The source has said the same as before, or something new that was published.
    pub(super) fn answered(&mut self) {
        let now = self.clock.now();
        self.source.send_if_modified(|source| {
            source.last_answer = Some(now);
            source.trouble.take().is_some()
        });
    }

    /// Tells who serves the source, and whether that is another user than before.
    pub(super) fn served_by(&mut self, now: ServedBy) {
        let before = self.source.borrow().served_by;
        if before == Some(now) {
            return;
        }
        match before {
            Some(before) if before.uid != now.uid => tracing::warn!(
                before.uid = before.uid,
                uid = now.uid,
                pid = now.pid,
                "another user than before serves the Workload API's socket"
            ),
            _ => tracing::info!(uid = now.uid, pid = now.pid, "connected to the Workload API"),
        }
        self.source.send_modify(|source| source.served_by = Some(now));
    }

    /// A try failed: only a denial changes more than the reason to wait.
    pub(super) fn note(&mut self, failure: &Failure, words: String) {
        self.trouble(failure.reason(), words.clone());
        if matches!(failure, Failure::Denied { .. }) {
            return self.withdraw(words);
        }
        self.state.send_if_modified(|state| match state {
            State::Waiting { reason } if *reason != words => {
                *reason = words;
                true
            }
            State::Waiting { .. } | State::Ready(_) | State::Withdrawn { .. } => false,
        });
    }

    fn trouble(&self, reason: &'static str, text: String) {
        let now = self.clock.now();
        self.source.send_if_modified(|source| {
            let before = source.trouble.as_ref();
            if before.is_some_and(|before| before.reason == reason && before.text == text) {
                return false;
            }
            // How long it lasts is of interest, and not when its words last changed.
            let same = before.filter(|before| before.reason == reason);
            let since = same.map_or(now, |before| before.since);
            source.trouble = Some(Trouble { reason, text, since });
            true
        });
    }

    /// The source says that we have no identity: one that we had is gone at once, or after the grace.
    pub(super) fn withdraw(&mut self, words: String) {
        let state = Arc::new(self.state.clone());
        let is_ready = matches!(*state.borrow(), State::Ready(_));
        if self.grace.is_zero() || !is_ready {
            return withdraw_now(&state, words, self.sequence);
        }
        self.trouble(Trouble::WITHDRAWING, words.clone());
        if self.withdrawal.is_empty() {
            let (grace, sequence) = (self.grace, self.sequence);
            tracing::warn!(reason = words, ?grace, "our SVID was withdrawn, the grace begins");
            self.withdrawal.spawn(async move {
                tokio::time::sleep(grace).await;
                withdraw_now(&state, words, sequence);
            });
        }
    }
}

/// Takes back the snapshot of this number; a newer one stays.
fn withdraw_now(state: &watch::Sender<State>, words: String, sequence: u64) {
    state.send_if_modified(|state| {
        let (changed, new) = match state {
            State::Ready(snapshot) if snapshot.sequence != sequence => return false,
            State::Ready(_) => {
                tracing::error!(reason = words, "our SVID was withdrawn");
                (true, State::Withdrawn { reason: words })
            }
            State::Withdrawn { reason } => (*reason != words, State::Withdrawn { reason: words }),
            State::Waiting { reason } => (*reason != words, State::Waiting { reason: words }),
        };
        *state = new;
        changed
    });
}
