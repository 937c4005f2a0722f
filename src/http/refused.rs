//! Requests that never became a decision: answered, and counted in a record of their own.

use ::http::Response;
use ::http::header::{HeaderValue, WWW_AUTHENTICATE};
use portreeve_core::policy::{Decision, Outcome};
use portreeve_core::record::DecisionId;

use super::caller::CallerError;
use super::reply::Answer;
use super::{Arrival, Connection, Gate, ReplyBody};
use crate::audit::{ClaimedIdentity, Refusal};

/// Why a request never became a decision.
#[derive(Debug)]
pub(super) struct Refused {
    answer: Answer,
    reason: &'static str,
    /// Who the caller says it is, where the connection proves nobody else.
    claimed: Option<ClaimedIdentity>,
    detail: Option<String>,
}

/// Answers and counts a request that never became a decision (invariant 7).
pub(super) fn refuse(
    connection: &Connection,
    arrival: &Arrival,
    refused: Refused,
) -> Response<ReplyBody> {
    let Refused { answer, reason, claimed, detail } = refused;
    let mut response = arrival.answer(answer, None);
    challenge(&connection.gate, answer, &mut response);
    connection.count(reason, Some(arrival.id), claimed, detail);
    connection.gate.routing.load().metrics.answered(None, response.status());
    response
}

/// Asks for a token where one is taken. What is wrong with the one that came is for the record, not for
/// who sent it.
pub(super) fn challenge(gate: &Gate, answer: Answer, response: &mut Response<ReplyBody>) {
    if answer == Answer::NotAdmitted && gate.callers.settings.proof.takes_tokens() {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

impl From<(Answer, &'static str)> for Refused {
    fn from((answer, reason): (Answer, &'static str)) -> Self {
        Self { answer, reason, claimed: None, detail: None }
    }
}

impl From<CallerError> for Refused {
    fn from(error: CallerError) -> Self {
        tracing::debug!(reason = error.reason(), "refused a request: {error}");
        let (answer, reason) = (Answer::NotAdmitted, error.reason());
        let claimed = error.claimed().map(ClaimedIdentity::of_id);
        Self { answer, reason, claimed, detail: Some(error.to_string()) }
    }
}

impl Connection {
    /// Counts what never became a request.
    pub(super) fn refused(&self, reason: &'static str, detail: Option<String>) {
        self.count(reason, None, None, detail);
    }

    /// Counts what never became a decision.
    fn count(
        &self,
        reason: &'static str,
        id: Option<DecisionId>,
        claimed: Option<ClaimedIdentity>,
        detail: Option<String>,
    ) {
        let source = &self.facts.source;
        self.gate.metrics.refused(reason);
        self.gate.log.refused(Refusal {
            stage: "http",
            reason,
            source: source.address.ip(),
            claimed: claimed.or_else(|| ClaimedIdentity::of_source(source)),
            id,
            detail,
        });
    }
}

/// The answer to a request that policy did not permit.
pub(super) fn not_permitted(decision: &Decision, arrival: &Arrival) -> Response<ReplyBody> {
    match decision.outcome {
        Outcome::Deny => arrival.answer(Answer::Denied, Some(&decision.effects)),
        Outcome::Error | Outcome::Allow => arrival.answer(Answer::Unavailable, None),
    }
}
