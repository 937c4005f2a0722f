//! A permitted request: forwarded, and joined with its response until a policy or an end parts them.

use std::sync::Arc;

use ::http::Response;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use portreeve_core::policy::{Effects, Ground, Permit};
use portreeve_core::record::DecisionId;
use portreeve_core::words::chain;

use super::exchange::Exchange;
use super::ongoing::Underway;
use super::refused::challenge;
use super::reply::{self, Answer, Dialect};
use super::{Arrival, Connection, Decided, ReplyBody, again, lapse, tunnel};
use crate::audit::Receipt;
use crate::forward::{self, ForwardError, RequestBody};

/// Forwards a permitted request whose record was accepted, and joins the response to its end.
pub(super) async fn exchange(
    connection: &Arc<Connection>,
    arrival: Arrival,
    decided: Decided,
    permit: Permit,
    receipt: Receipt,
    body: Incoming,
    caller_upgrade: Option<OnUpgrade>,
) -> Response<ReplyBody> {
    let (id, dialect) = (arrival.id, arrival.dialect);
    let Decided { mut access, caller, proven, upstream, bundle, decision, .. } = decided;
    let is_shadow = matches!(permit.ground(), Ground::Shadow { .. });
    // What a denial asks for is for the denied caller: a shadowed request goes on as it came.
    let effects = if is_shadow { Effects::default() } else { decision.effects };
    let (body, progress) = RequestBody::new(body);
    // The copy is what is kept: the head as it came has room for what the upstream is told.
    let kept = access.head.clone();
    let head = reply::change_request(std::mem::replace(&mut access.head, kept), &effects);
    let underway = Underway::new(access, receipt, progress, proven, &bundle);
    let exchange = Exchange::begin(connection, arrival, underway, is_shadow);
    lapse::end_if_lapsed(&connection.gate, exchange.underway());
    again::catch_up(&connection.gate, exchange.underway(), bundle).await;
    if exchange.ended().is_some() {
        return ended_unanswered(exchange, dialect, &id);
    }
    let (receipt, caller) = (exchange.receipt(), caller.as_ref());
    let sent = tokio::select! {
        biased;
        sent = forward::forward(permit, receipt, &upstream, head, caller, body) => sent,
        _ = exchange.underway().until_ended() => return ended_unanswered(exchange, dialect, &id),
    };
    match sent {
        _ if exchange.ended().is_some() => ended_unanswered(exchange, dialect, &id),
        Ok(forwarded) => tunnel::or_stream(forwarded, exchange, caller_upgrade, &effects),
        Err(error) => upstream_failed(exchange, &error, dialect, &id),
    }
}

/// The answer to an exchange that was ended while the upstream had not answered.
fn ended_unanswered(
    mut exchange: Exchange,
    dialect: Dialect,
    id: &DecisionId,
) -> Response<ReplyBody> {
    let response = match exchange.ended() {
        Some(ended) => {
            let mut response = reply::answer(ended.answer, dialect, id, ended.effects.as_ref());
            challenge(exchange.gate(), ended.answer, &mut response);
            response
        }
        None => reply::answer(Answer::Unavailable, dialect, id, None),
    };
    exchange.answered(response.status(), 0);
    response
}

fn upstream_failed(
    mut exchange: Exchange,
    error: &ForwardError,
    dialect: Dialect,
    id: &DecisionId,
) -> Response<ReplyBody> {
    exchange.failed(error.reason());
    tracing::debug!(error = %chain(error), "a permitted request failed upstream");
    let answer = match error {
        ForwardError::ConnectTimeout { .. } => Answer::GatewayTimeout,
        ForwardError::RequestBody { .. } => Answer::BadRequest,
        _ => Answer::BadGateway,
    };
    reply::answer(answer, dialect, id, None)
}
