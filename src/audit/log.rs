//! The handle that serving threads hold: accept a record, or say why not.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use portreeve_core::policy::{Decision, Revision};
use portreeve_core::record::{
    Decided, DecisionId, End, Event, FirstDecision, Instance, InstanceFragment, Line, Scratch,
};
use portreeve_core::request::AccessRequest;

use super::appender::Appender;
use super::health::{State, Status};
use super::inner::{Inner, Submitted, lock};
use super::origin::decision_id;
use super::refusals::{Refusal, Refusals};
use super::thread::LogThread;
use super::{NotAccepted, OnFailure, OpenError, Receipt, Settings};
use crate::clock::Clock;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// The decision log. Clones write to the same one; it is closed with [`Log::close`], or when the
/// last clone is gone.
#[derive(Clone, Debug)]
pub struct Log {
    pub(super) inner: Arc<Inner>,
    thread: Arc<LogThread>,
}

impl Log {
    /// Opens the target, recovers what a dead process left, and starts the log thread.
    ///
    /// # Errors
    /// The target cannot be opened, is locked, or cannot take the first record.
    pub fn open(settings: &Settings, instance: Instance, clock: Clock) -> Result<Self, OpenError> {
        let (appender, next_seq) = Appender::open(settings, clock.clone())?;
        let inner = Arc::new(Inner {
            settings: settings.clone(),
            clock,
            instance: instance.fragment(),
            next_seq: AtomicU64::new(next_seq),
            appender: Mutex::new(appender),
            queue: Mutex::default(),
            wake: Condvar::new(),
            refusals: Mutex::new(Refusals::new()),
            health: Mutex::default(),
            is_failing: AtomicBool::new(false),
        });
        inner.begin().map_err(|source| OpenError::FirstRecord { source })?;
        let thread = LogThread::start(Arc::clone(&inner));
        let thread = Arc::new(thread.map_err(|source| OpenError::Thread { source })?);
        Ok(Self { inner, thread })
    }

    /// Records a decision. The request may be forwarded only with the receipt.
    ///
    /// # Errors
    /// The record was not accepted and `on_failure` is `deny`: the request is answered 503.
    pub async fn decision(
        &self,
        id: &DecisionId,
        request: &AccessRequest,
        decision: &Decision,
        revision: &Revision,
    ) -> Result<Receipt, NotAccepted> {
        self.accept(id, None, request, decision.into(), revision).await
    }

    /// Records that a request in flight was decided again; `first` is the receipt of its first
    /// decision. It may go on only if this succeeds.
    ///
    /// # Errors
    /// The record was not accepted and `on_failure` is `deny`: the exchange is ended.
    pub async fn decision_again(
        &self,
        id: &DecisionId,
        first: &Receipt,
        request: &AccessRequest,
        decision: &Decision,
        revision: &Revision,
    ) -> Result<(), NotAccepted> {
        let of = Some(FirstDecision(first.seq));
        self.accept(id, of, request, decision.into(), revision).await.map(drop)
    }

    pub(super) async fn accept(
        &self,
        id: &DecisionId,
        of: Option<FirstDecision>,
        request: &AccessRequest,
        decided: Decided<'_>,
        revision: &Revision,
    ) -> Result<Receipt, NotAccepted> {
        let submitted = SCRATCH.with_borrow_mut(|scratch| {
            let line = scratch.decision(&self.inner.instance, id, of, request, decided, revision);
            self.inner.submit(line, true)
        });
        let accepted = match submitted {
            Submitted::Done(accepted) => accepted,
            Submitted::Waiting(answer) => answer.await.unwrap_or(Err(NotAccepted::Closed)),
        };
        match accepted {
            Ok(seq) => Ok(Receipt { seq: Some(seq), id: *id }),
            Err(cause) => {
                self.inner.lose(&cause);
                match self.inner.settings.on_failure {
                    OnFailure::Deny => Err(cause),
                    OnFailure::Drop => Ok(Receipt { seq: None, id: *id }),
                }
            }
        }
    }

    /// Records how an exchange ended. Never waits; a loss is counted. A decision that was itself
    /// lost has no end.
    pub fn end(&self, receipt: &Receipt, end: &End) {
        let Some(of) = receipt.seq else { return };
        let time = self.inner.clock.now();
        self.submit_or_lose(|scratch, instance| scratch.end(instance, &receipt.id, time, of, end));
    }

    /// Records something other than a request. Never waits; a loss is counted.
    pub fn event(&self, event: &Event<'_>) {
        let time = self.inner.clock.now();
        let id = decision_id(time);
        self.submit_or_lose(|scratch, instance| scratch.event(instance, &id, time, event));
    }

    /// Counts what never became a decision; recorded with its like about once a second.
    pub fn refused(&self, refusal: Refusal) {
        let now = self.inner.clock.now();
        lock(&self.inner.refusals).count(refusal, now);
    }

    fn submit_or_lose(
        &self,
        format: impl for<'s> FnOnce(&'s mut Scratch, &InstanceFragment) -> &'s mut Line,
    ) {
        let submitted = SCRATCH.with_borrow_mut(|scratch| {
            let line = format(scratch, &self.inner.instance);
            self.inner.submit(line, false)
        });
        if let Submitted::Done(Err(cause)) = submitted {
            self.inner.lose(&cause);
        }
    }

    /// Whether every request gets an `end` record.
    #[must_use]
    pub fn end_records(&self) -> bool {
        self.inner.settings.end_records
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let queue = lock(&self.inner.queue).entries.len();
        let warning = lock(&self.inner.appender).warning.clone();
        let health = lock(&self.inner.health);
        let (state, since, error) = match &health.failing {
            Some((since, error)) => (State::Failing, Some(since.to_string()), Some(error.clone())),
            None => (State::Ok, None, warning),
        };
        let seq = self.inner.next_seq.load(Ordering::Relaxed).saturating_sub(1);
        Status { state, since, error, seq, queue, lost: health.lost.clone() }
    }

    /// Writes what is queued and counted, records the stop, and ends the log thread. Nothing is
    /// accepted afterwards.
    pub async fn close(&self) -> Status {
        self.thread.close(&self.inner).await;
        self.status()
    }
}
