//! The handle that serving threads hold: accept a record, or say why not.

use std::cell::RefCell;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use portreeve_core::Timestamp;
use portreeve_core::policy::{Decision, Revision};
use portreeve_core::record::{
    Decided, DecisionId, End, Event, Instance, InstanceFragment, Line, MAX_LINE_BYTES, Scratch,
};
use portreeve_core::request::AccessRequest;
use tokio::sync::oneshot;

use super::appender::Appender;
use super::health::{Health, State, Status};
use super::queue::{Entry, Owner, QUEUE_LINES, Queue};
use super::refusals::{Refusal, Refusals};
use super::thread::LogThread;
use super::{Durability, OnFailure, Settings};
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

/// Proof that the log has accepted the record of a decision; forwarding asks for it.
#[derive(Debug)]
#[must_use = "forwarding asks for the receipt"]
pub struct Receipt {
    seq: Option<u64>,
    id: DecisionId,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open log directory `{path}`")]
    Directory { path: PathBuf, source: io::Error },
    #[error("log directory `{path}` is in use by another process")]
    Locked { path: PathBuf },
    #[error("failed to go on with log file `{path}`")]
    File { path: PathBuf, source: io::Error },
    #[error("failed to open standard output for the log")]
    Stdout { source: io::Error },
    #[error("failed to start the log thread")]
    Thread { source: io::Error },
    #[error("failed to write the first record")]
    FirstRecord { source: NotAccepted },
}

/// Why a record was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAccepted {
    #[error("the log cannot be written")]
    Write { source: Arc<io::Error> },
    #[error("the log cannot be synced")]
    Sync { source: Arc<io::Error> },
    #[error("the log's queue of {QUEUE_LINES} lines is full")]
    QueueFull,
    #[error("the record is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    #[error("the log is closed")]
    Closed,
}

/// What the serving threads and the log thread share. Locks are taken one at a time.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    pub(super) instance: InstanceFragment,
    /// Moved by whoever holds the lock under which numbers are taken: the queue's for `queued`,
    /// the appender's otherwise.
    pub(super) next_seq: AtomicU64,
    pub(super) appender: Mutex<Appender>,
    pub(super) queue: Mutex<Queue>,
    pub(super) wake: Condvar,
    pub(super) refusals: Mutex<Refusals>,
    pub(super) health: Mutex<Health>,
    /// Lets a success skip the lock of `health`.
    pub(super) is_failing: AtomicBool,
}

pub(super) enum Submitted {
    Done(Result<u64, NotAccepted>),
    Waiting(oneshot::Receiver<Result<u64, NotAccepted>>),
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
        self.accept(id, request, decision.into(), revision).await
    }

    pub(super) async fn accept(
        &self,
        id: &DecisionId,
        request: &AccessRequest,
        decided: Decided<'_>,
        revision: &Revision,
    ) -> Result<Receipt, NotAccepted> {
        let submitted = SCRATCH.with_borrow_mut(|scratch| {
            let line = scratch.decision(&self.inner.instance, id, request, decided, revision);
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
        self.inner
            .submit_or_lose(|scratch, instance| scratch.end(instance, &receipt.id, time, of, end));
    }

    /// Records something other than a request. Never waits; a loss is counted.
    pub fn event(&self, event: &Event<'_>) {
        let time = self.inner.clock.now();
        let id = decision_id(time);
        self.inner.submit_or_lose(|scratch, instance| scratch.event(instance, &id, time, event));
    }

    /// Counts what never became a decision; recorded with its like about once a second.
    pub fn refused(&self, refusal: Refusal) {
        let now = self.inner.clock.now();
        lock(&self.inner.refusals).count(refusal, now);
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

impl Receipt {
    /// The record's number; `None` where it was lost and `on_failure` is `drop`.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        self.seq
    }

    #[must_use]
    pub const fn id(&self) -> &DecisionId {
        &self.id
    }
}

impl NotAccepted {
    /// The stable reason code that metrics and the `gap` record use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Write { .. } => "log.write",
            Self::Sync { .. } => "log.sync",
            Self::QueueFull => "log.queue_full",
            Self::TooLong => "log.too_long",
            Self::Closed => "log.closed",
        }
    }
}

impl Inner {
    /// Accepts a line as the durability asks.
    fn submit(&self, line: &mut Line, waits: bool) -> Submitted {
        match self.settings.durability {
            Durability::Written => Submitted::Done(self.write(line)),
            Durability::Queued => Submitted::Done(
                self.enqueue(line, Owner::Traffic, None).map(|seq| seq.unwrap_or(0)),
            ),
            Durability::Synced => {
                let (waiter, answer) = oneshot::channel();
                match self.enqueue(line, Owner::Traffic, waits.then_some(waiter)) {
                    Ok(_) => Submitted::Waiting(answer),
                    Err(cause) => Submitted::Done(Err(cause)),
                }
            }
        }
    }

    fn submit_or_lose(
        &self,
        format: impl for<'s> FnOnce(&'s mut Scratch, &InstanceFragment) -> &'s mut Line,
    ) {
        let submitted = SCRATCH.with_borrow_mut(|scratch| {
            let line = format(scratch, &self.instance);
            self.submit(line, false)
        });
        if let Submitted::Done(Err(cause)) = submitted {
            self.lose(&cause);
        }
    }

    /// Appends one line now, and takes the number only if it stands in the file.
    pub(super) fn write(&self, line: &mut Line) -> Result<u64, NotAccepted> {
        if line.max_len() > MAX_LINE_BYTES {
            return Err(NotAccepted::TooLong);
        }
        let appended = {
            let mut appender = lock(&self.appender);
            if appender.is_closed {
                return Err(NotAccepted::Closed);
            }
            let seq = self.next_seq.load(Ordering::Relaxed);
            let appended = appender.append(line.stamp(seq), seq);
            if appended.is_ok() {
                self.next_seq.store(seq + 1, Ordering::Relaxed);
            }
            appended.map(|()| seq)
        };
        appended.inspect(|_| self.note_success()).map_err(|source| {
            self.note_failure(&source);
            NotAccepted::Write { source: Arc::new(source) }
        })
    }

    /// Queues one line; `queued` takes its number here.
    pub(super) fn enqueue(
        &self,
        line: &Line,
        owner: Owner,
        waiter: Option<super::queue::Waiter>,
    ) -> Result<Option<u64>, NotAccepted> {
        if line.max_len() > MAX_LINE_BYTES {
            return Err(NotAccepted::TooLong);
        }
        let line = line.clone();
        let (is_first, seq) = {
            let mut queue = lock(&self.queue);
            queue.check_room(owner, line.max_len())?;
            let seq = (self.settings.durability == Durability::Queued)
                .then(|| self.next_seq.fetch_add(1, Ordering::Relaxed));
            (queue.push(Entry { line, seq, waiter }), seq)
        };
        // One wake-up a batch: the thread sleeps only while the queue is empty.
        if is_first {
            self.wake.notify_one();
        }
        Ok(seq)
    }

    pub(super) fn note_success(&self) {
        if self.is_failing.swap(false, Ordering::Relaxed) {
            lock(&self.health).failing = None;
        }
    }

    pub(super) fn note_failure(&self, error: &io::Error) {
        let now = self.clock.now();
        let mut health = lock(&self.health);
        let since = health.failing.as_ref().map_or(now, |(since, _)| *since);
        health.failing = Some((since, error.to_string()));
        self.is_failing.store(true, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, cause: &NotAccepted) {
        let forwarded = self.settings.on_failure == OnFailure::Drop;
        lock(&self.health).lose(cause.reason(), self.clock.now(), forwarded);
    }
}

/// What is guarded is whole after every step, so a panic elsewhere does not poison the log.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A fresh id of this moment, from the thread's own generator.
#[must_use]
pub fn decision_id(time: Timestamp) -> DecisionId {
    let mut random = [0; 10];
    fastrand::fill(&mut random);
    DecisionId::new(time, random)
}

/// This process, as its records name it.
#[must_use]
pub fn this_instance(service: Arc<str>) -> Instance {
    let read = |path| std::fs::read_to_string(path).ok().map(|text| Arc::from(text.trim()));
    Instance {
        service,
        host: read("/proc/sys/kernel/hostname").unwrap_or_else(|| "unknown".into()),
        pid: std::process::id(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}
