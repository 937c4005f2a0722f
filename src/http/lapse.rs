//! Ends exchanges in flight whose caller came with a JWT-SVID that holds no more.
//!
//! An exchange keeps no token, only what was proven by it: whose it was, the key that verified it and
//! until when. That is asked again when JWT bundles or the deny-list change and when its time is over;
//! exchanges of others on the same connection go on.

use std::sync::Arc;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{JwtKeyName, SpiffeId};
use tokio::time::Instant;

use super::Gate;
use super::caller::Callers;
use super::ongoing::{Ended, Underway};
use super::reply::Answer;

/// How long a pass may keep a serving thread from requests: an exchange takes about a microsecond.
const SLICE: Duration = Duration::from_millis(1);

/// What was proven by a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proven {
    pub(super) id: SpiffeId,
    pub(super) key: JwtKeyName,
    /// Its expiry, without leeway.
    pub(super) not_after: Timestamp,
}

/// Why a pass is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Time went by: only what has expired is looked at.
    Time,
    /// JWT bundles or the deny-list changed: everything is.
    Trust,
}

impl Proven {
    /// Whether its token would be taken now.
    fn check(&self, callers: &Callers, now: Timestamp) -> Result<(), &'static str> {
        if callers.denied.current().denies(&self.id, now).is_some() {
            return Err("peer.blocked");
        }
        let (domain, leeway) = (self.id.trust_domain(), callers.settings.leeway);
        let authorities = callers.authorities.load();
        let holds = authorities.still_holds(domain, &self.key, self.not_after, now, leeway);
        holds.map_err(|error| error.reason())
    }
}

/// Ends what is in flight on these listeners by tokens that hold no more, and says how much that was.
/// What made them so was published before.
pub async fn end_lapsed(gates: &[Arc<Gate>], lapse: Lapse) -> usize {
    let mut slice = Instant::now();
    let mut ended = 0;
    for gate in gates.iter().filter(|gate| gate.callers.settings.proof.takes_tokens()) {
        let now = gate.clock.now();
        let is_due = |underway: &Underway| {
            let not_after = underway.proven().map(|proven| proven.not_after);
            not_after.is_some_and(|at| lapse == Lapse::Trust || at <= now)
        };
        for underway in gate.ongoing.which(is_due) {
            if slice.elapsed() > SLICE {
                tokio::task::yield_now().await;
                slice = Instant::now();
            }
            ended += usize::from(end_if_lapsed(gate, &underway));
        }
    }
    ended
}

/// Ends an exchange whose token holds no more. Whoever joins the list asks this after: a pass that ran
/// before does not know of it.
pub(super) fn end_if_lapsed(gate: &Gate, underway: &Underway) -> bool {
    let Some(proven) = underway.proven() else { return false };
    let Err(reason) = proven.check(&gate.callers, gate.clock.now()) else { return false };
    let ended = Ended { reason, answer: Answer::NotAdmitted, effects: None };
    let has_ended = underway.end(ended);
    if has_ended {
        gate.metrics.exchange_ended(reason);
        let id = underway.receipt().id();
        tracing::debug!(%id, spiffe_id = %proven.id, reason, "an exchange of a token was ended");
    }
    has_ended
}
