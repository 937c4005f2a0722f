//! Decides exchanges in flight again, by the policy that has become the active one.
//!
//! The facts are those of the first decision, the time is now. Each decision leaves its record; an
//! exchange that is no longer permitted, or whose record is refused, ends alone.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use portreeve_core::policy::{Bundle, Decision, Outcome};
use portreeve_core::request::AccessRequest;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Gate;
use super::ongoing::{Ended, Underway};
use super::reply::Answer;
use crate::audit::{self, NotAccepted};

/// How long a pass may keep a serving thread from requests.
const SLICE: Duration = Duration::from_millis(1);
/// Decisions of a pass that wait at once, for the pool or the log: so many that neither idles, and a
/// small part of what their queues hold.
const MAX_WAITING: usize = 64;

/// What a pass over the exchanges in flight came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Exchanges that were decided again.
    pub decided: usize,
    /// Those of them that were ended.
    pub ended: usize,
    pub took: Duration,
}

/// Decides again whatever is in flight on these listeners and was decided under another policy.
pub async fn decide_again(gates: &[Arc<Gate>]) -> Again {
    let began = Instant::now();
    let mut slice = began;
    let mut again = Again::default();
    let mut waiting = JoinSet::new();
    for gate in gates {
        for underway in gate.ongoing.all() {
            if slice.elapsed() > SLICE {
                tokio::task::yield_now().await;
                slice = Instant::now();
            }
            let Some(bundle) = to_decide(gate, &underway) else { continue };
            again.decided += 1;
            let gate = Arc::clone(gate);
            let mut deciding = Box::pin(async move { decide(&gate, &underway, &bundle).await });
            match once(deciding.as_mut()).await {
                Poll::Ready(has_ended) => again.ended += usize::from(has_ended),
                Poll::Pending => {
                    waiting.spawn(deciding);
                    if waiting.len() >= MAX_WAITING {
                        again.ended += usize::from(joined(&mut waiting).await);
                        slice = Instant::now();
                    }
                }
            }
        }
    }
    while !waiting.is_empty() {
        again.ended += usize::from(joined(&mut waiting).await);
    }
    Again { took: began.elapsed(), ..again }
}

/// Decides again an exchange that has just joined, where the policy changed since it was decided.
pub(super) async fn catch_up(gate: &Gate, underway: &Underway, bundle: Arc<Bundle>) {
    let is_current = gate.policy.active().is_some_and(|active| Arc::ptr_eq(&active, &bundle));
    drop(bundle);
    if is_current {
        return;
    }
    if let Some(active) = to_decide(gate, underway) {
        decide(gate, underway, &active).await;
    }
}

/// The active policy, where this exchange was decided under another.
fn to_decide(gate: &Gate, underway: &Underway) -> Option<Arc<Bundle>> {
    gate.policy.active().filter(|active| underway.is_to_be_decided_by(active))
}

/// Decides and records; says whether the exchange was ended.
async fn decide(gate: &Gate, underway: &Underway, bundle: &Arc<Bundle>) -> bool {
    let undecided = Undecided(Some(underway));
    let access = AccessRequest { time: gate.clock.now(), ..underway.access().clone() };
    let began = Instant::now();
    let decision = gate.pool.decide(bundle, &access).await;
    let metrics = &gate.routing.load_full().metrics;
    metrics.decided(decision.outcome, decision.reason, began.elapsed());
    let (id, first) = (audit::decision_id(access.time), underway.receipt());
    let recorded = gate.log.decision_again(&id, first, &access, &decision, &bundle.revision).await;
    undecided.settle();
    let Some(ended) = verdict(decision, recorded) else { return false };
    let reason = ended.reason;
    let has_ended = underway.end(ended);
    if has_ended {
        gate.metrics.exchange_ended(reason);
        tracing::debug!(id = %first.id(), reason, "an exchange in flight was ended");
    }
    has_ended
}

/// Why the exchange may not go on; `None` where it may.
fn verdict(decision: Decision, recorded: Result<(), NotAccepted>) -> Option<Ended> {
    if let Err(cause) = recorded {
        return Some(unavailable(cause.reason()));
    }
    match (decision.ground(), decision.outcome) {
        (Some(_), _) => None,
        (None, Outcome::Deny) => {
            let (reason, effects) = ("policy.revoked", Some(decision.effects));
            Some(Ended { reason, answer: Answer::Denied, effects })
        }
        (None, Outcome::Error | Outcome::Allow) => Some(unavailable("policy.error")),
    }
}

/// A failure, which is no denial.
const fn unavailable(reason: &'static str) -> Ended {
    Ended { reason, answer: Answer::Unavailable, effects: None }
}

/// An exchange that is being decided: a panic on the way ends it.
struct Undecided<'a>(Option<&'a Underway>);

impl Undecided<'_> {
    fn settle(mut self) {
        self.0 = None;
    }
}

impl Drop for Undecided<'_> {
    fn drop(&mut self) {
        if let Some(underway) = self.0.filter(|_| std::thread::panicking()) {
            underway.end(unavailable("policy.error"));
        }
    }
}

/// Looks once whether a decision is there; one that panics has ended its exchange, and no other.
async fn once<F: Future<Output = bool>>(mut future: Pin<&mut F>) -> Poll<bool> {
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        Poll::Ready(polled.unwrap_or(Poll::Ready(true)))
    })
    .await
}

async fn joined(waiting: &mut JoinSet<bool>) -> bool {
    waiting.join_next().await.is_some_and(|joined| joined.unwrap_or(true))
}
