//! What the handles and the log thread share: formatting is outside, here lines are accepted.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use portreeve_core::record::{InstanceFragment, Line, MAX_LINE_BYTES};
use tokio::sync::oneshot;

use super::appender::Appender;
use super::health::Health;
use super::queue::{Entry, Owner, Queue, Waiter};
use super::refusals::Refusals;
use super::{Durability, NotAccepted, OnFailure, Settings};
use crate::clock::Clock;

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

impl Inner {
    /// Accepts a line as the durability asks.
    pub(super) fn submit(&self, line: &mut Line, waits: bool) -> Submitted {
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
        waiter: Option<Waiter>,
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
