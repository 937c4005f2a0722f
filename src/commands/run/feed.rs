//! The tasks between the stages: what one stage finds out becomes what another serves, logs and counts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwapOption;
use portreeve_core::Timestamp;
use portreeve_core::policy::Revision;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::faults::Faults;
use super::report::Live;
use super::trust::{self, TrustChanges};
use crate::audit::{self, Log};
use crate::connections::TICK;
use crate::http;
use crate::identity::{Snapshot, State};
use crate::listen::{Bound, Serving};
use crate::store;
use crate::tls::Credentials;

/// New SVIDs and bundles become the credentials of new connections.
/// `can_shake` becomes true with the first of them.
pub(super) async fn identity(
    live: Arc<Live>,
    credentials: Arc<ArcSwapOption<Credentials>>,
    can_shake: watch::Sender<bool>,
    mut trust: TrustChanges,
) {
    let mut updates = live.identity.updates();
    let mut faults = Faults::default();
    loop {
        let state = updates.borrow_and_update().clone();
        match &state {
            State::Waiting { .. } => {}
            State::Ready(snapshot) => {
                let next = prepared(snapshot).await;
                if let Some(next) = &next {
                    faults.tell(next.trust(), snapshot.received);
                }
                // Published first, told after: see the page of `connections`.
                let has_some = next.is_some();
                credentials.store(next);
                live.serving.store(has_some.then(|| Arc::clone(snapshot)));
                if has_some {
                    trust.published(snapshot);
                } else {
                    trust.withdrawn();
                }
                can_shake.send_replace(true);
                let not_after = snapshot.svid.not_after;
                live.metrics.identity_updated(snapshot.received, not_after);
                live.log.event(&audit::Event::IdentityUpdated {
                    spiffe_id: &snapshot.svid.id,
                    not_after,
                    sequence: snapshot.sequence,
                });
                tracing::info!(spiffe_id = %snapshot.svid.id, %not_after, "serving with an SVID");
            }
            State::Withdrawn { reason } => {
                credentials.store(None);
                live.serving.store(None);
                trust.withdrawn();
                live.log.event(&audit::Event::IdentityLost {
                    reason: "identity.withdrawn",
                    cause: reason,
                });
                tracing::error!(%reason, "our SVID was withdrawn: no new connections");
            }
        }
        if updates.changed().await.is_err() {
            return;
        }
    }
}

/// Makes credentials on a thread of its own: a thousand trust domains take milliseconds, which a
/// serving thread has better use for. `None`, and so no new connection, where that panicked.
async fn prepared(snapshot: &Arc<Snapshot>) -> Option<Arc<Credentials>> {
    let snapshot = Arc::clone(snapshot);
    let preparing = tokio::task::spawn_blocking(move || Credentials::new(&snapshot));
    let next = preparing.await;
    if next.is_err() {
        tracing::error!("the newest SVID and bundles cannot be used: no new connections");
    }
    next.ok()
}

/// What the store did becomes records, metrics and log lines; a new policy decides again what is in
/// flight.
pub(super) async fn policy(live: Arc<Live>, mut events: mpsc::Receiver<store::Event>) {
    let changed = Arc::new(Notify::new());
    let mut passes = JoinSet::new();
    passes.spawn(decide_again(Arc::clone(&live), Arc::clone(&changed)));
    while let Some(event) = events.recv().await {
        match event {
            store::Event::Activated { from, to, restored, .. } => {
                live.metrics.policy_activated(&to.commit);
                live.metrics.activation("activated", "swap");
                live.log.event(&audit::Event::PolicyActivated { revision: &to });
                tracing::info!(commit = %to.commit, digest = %to.digest, restored, "policy activated");
                // Nothing is in flight before the first policy.
                if from.is_some() {
                    changed.notify_one();
                }
            }
            store::Event::Rejected { commit, digest, stage, text, findings } => {
                live.metrics.activation("rejected", stage.as_str());
                rejected(&live.log, &commit, &digest, &store::with_findings(&text, &findings.0));
                tracing::error!(%commit, stage = stage.as_str(), "policy rejected: {text}");
                for finding in &findings.0 {
                    tracing::error!(%commit, "{finding}");
                }
            }
            store::Event::FetchFailed { text } => {
                live.metrics.activation("failed", "fetch");
                tracing::warn!("the policy source could not be read: {text}");
            }
            store::Event::LoaderGone { text } => {
                live.metrics.activation("failed", "loader");
                tracing::error!("the policy loader has ended, the active policy stays: {text}");
            }
        }
    }
}

/// One pass for each change of policy, or for several that came while one was under way.
async fn decide_again(live: Arc<Live>, changed: Arc<Notify>) {
    loop {
        changed.notified().await;
        let http::Again { decided, ended, took } = http::decide_again(&live.gates).await;
        tracing::info!(decided, ended, ?took, "decided again what is in flight");
    }
}

fn rejected(log: &Log, commit: &str, digest: &str, cause: &str) {
    let revision = Revision { commit: commit.into(), digest: digest.into(), ..Revision::default() };
    log.event(&audit::Event::PolicyRejected { revision: &revision, cause });
}

/// One coarse tick for idle limits and for the metrics that nobody pushes.
pub(super) async fn ticks(live: Arc<Live>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut counted = std::collections::BTreeMap::new();
    loop {
        ticks.tick().await;
        let now = live.clock.now();
        // What has been is not again: a clock set back is noticed while we run, too.
        if live.clock.check().is_ok() {
            live.clock.has_recorded(now);
        }
        trust::told(&live, &live.registry.sweep(now).await);
        lift_blocks(&live, now);
        let log = live.log.status();
        live.metrics.log_queue().set(i64::try_from(log.queue).unwrap_or(i64::MAX));
        for (cause, lost) in log.lost {
            let before = counted.insert(cause, lost).unwrap_or(0);
            if lost > before {
                live.metrics.log_lost(cause, lost - before);
            }
        }
        if let Some(at) = live.store.status().last_success {
            live.metrics.policy_read(at);
        }
    }
}

/// Takes off the deny-list what has come to its end; it was no longer in force.
fn lift_blocks(live: &Live, now: Timestamp) {
    match live.denied.remove_expired(now) {
        Ok(gone) => {
            for denial in gone {
                let spiffe_id = &denial.spiffe_id;
                live.log.event(&audit::Event::BlockExpired { spiffe_id });
                tracing::info!(%spiffe_id, "no longer blocked: the time is over");
            }
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "an entry that is over stays in the deny-list's file");
        }
    }
}

/// Accepts once there is an identity and a policy.
pub(super) async fn listener(
    live: Arc<Live>,
    bound: Bound,
    serving: Serving,
    mut can_shake: watch::Receiver<bool>,
    mut stop: watch::Receiver<bool>,
) {
    let name = Arc::clone(&serving.settings.name);
    let address = bound.address();
    tokio::select! {
        () = async {
            let _ = can_shake.wait_for(|can_shake| *can_shake).await;
            live.store.ready().await;
        } => {}
        _ = stop.wait_for(|stop| *stop) => return,
    }
    tracing::info!(listener = %name, %address, "accepting connections");
    live.accepting.fetch_add(1, Ordering::Release);
    if let Err(error) = bound.serve(serving, stop).await {
        tracing::error!(listener = %name, %error, "the listener ended");
        live.accepting.fetch_sub(1, Ordering::Release);
    }
}
