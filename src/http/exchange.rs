//! One permitted exchange from its record to the end of its response: what the `end` record says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::ongoing::{Ended, Place, Underway};
use super::{Arrival, Connection, Gate};
use crate::audit::{End, Receipt};
use crate::connections::{InFlight, Slot};

/// An exchange that lasted longer leaves an `end` record in any case (invariant 7).
const LONG: Duration = Duration::from_secs(1);

/// Ends when it is dropped; what it then knows decides whether an `end` record is due.
#[derive(Debug)]
pub(super) struct Exchange {
    connection: Arc<Connection>,
    underway: Arc<Underway>,
    place: Place,
    _in_flight: InFlight,
    started: Instant,
    status: Option<u16>,
    response_bytes: u64,
    tunnel_bytes: u64,
    tries: u32,
    /// Why the exchange did not end as it should; the stable reason code.
    failure: Option<&'static str>,
    complete: bool,
    /// A tunnel or a differing shadow decision: an `end` record is due however short it was.
    notable: bool,
}

impl Exchange {
    pub(super) fn begin(
        connection: &Arc<Connection>,
        arrival: Arrival,
        underway: Arc<Underway>,
        notable: bool,
    ) -> Self {
        let place = connection.gate.ongoing.join(Arc::clone(&underway));
        Self {
            connection: Arc::clone(connection),
            underway,
            place,
            _in_flight: arrival.in_flight,
            started: arrival.started,
            status: None,
            response_bytes: 0,
            tunnel_bytes: 0,
            tries: 0,
            failure: None,
            complete: false,
            notable,
        }
    }

    pub(super) fn gate(&self) -> &Gate {
        &self.connection.gate
    }

    pub(super) fn receipt(&self) -> &Receipt {
        self.underway.receipt()
    }

    pub(super) fn underway(&self) -> &Arc<Underway> {
        &self.underway
    }

    /// Why the exchange may not go on, where something that came later does not permit it.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.underway.ended()
    }

    pub(super) fn answered(&mut self, status: http::StatusCode, tries: u32) {
        self.status = Some(status.as_u16());
        self.tries = tries;
    }

    pub(super) fn failed(&mut self, reason: &'static str) {
        self.failure = Some(reason);
    }

    pub(super) fn is_tunnel(&mut self) {
        self.notable = true;
    }

    /// The bytes that a tunnel took from the caller and gave to it.
    pub(super) fn tunnelled(&mut self, from_caller: u64, to_caller: u64) {
        self.tunnel_bytes = from_caller;
        self.response_bytes = to_caller;
    }

    pub(super) fn slot(&self) -> &Arc<Slot> {
        self.connection.registration.slot()
    }

    pub(super) fn count_response_bytes(&mut self, bytes: usize) {
        self.response_bytes = self.response_bytes.saturating_add(bytes as u64);
    }

    pub(super) fn upstream_broke_off(&mut self) {
        self.failure = Some("upstream.broke_off");
    }

    pub(super) fn complete(&mut self) {
        self.complete = true;
    }

    /// Whether the request's body is through, so that its connection can carry another request.
    pub(super) fn request_is_sent(&self) -> bool {
        self.underway.request().is_none_or(|progress| progress.is_sent())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let gate = &self.connection.gate;
        gate.ongoing.leave(self.place);
        let (log, request) = (&gate.log, self.underway.request());
        // After a complete response the caller may still be writing: cutting it off could cost it the
        // answer. After anything else its upload has nobody who would decide on it again.
        if let Some(request) = request.filter(|request| !self.complete && !request.is_sent()) {
            request.stop();
        }
        let duration = self.started.elapsed();
        if !self.complete {
            let ended = self.underway.ended().map(|ended| ended.reason);
            let cut = self.slot().reason().unwrap_or("caller.broke_off");
            self.failure = ended.or(self.failure).or(Some(cut));
        }
        let notable = self.notable || self.underway.was_decided_again();
        let is_due = notable || self.failure.is_some() || duration > LONG || log.end_records();
        if !is_due {
            return;
        }
        let end = End {
            status: self.status,
            response_bytes: self.response_bytes,
            request_bytes: request.map_or(self.tunnel_bytes, |progress| progress.bytes()),
            tries: self.tries,
            duration,
            flags: self.failure.into_iter().collect(),
        };
        log.end(self.underway.receipt(), &end);
    }
}
