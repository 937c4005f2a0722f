//! The log thread: writes what is queued, syncs, and records what happened to the log itself.
//!
//! It sleeps until there is a line, or for a second. Serving threads wake it once a batch, and never
//! at `written`.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use portreeve_core::record::{Event, Gap, InstanceFragment, Line, Scratch};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::appender::{Appender, Notice};
use super::inner::{Inner, lock};
use super::origin::decision_id;
use super::queue::{Entry, Owner};
use super::{Durability, NotAccepted, Target};

/// How long lines gather at `queued`: a power loss or a kill loses no more than this.
const QUEUE_TICK: Duration = Duration::from_millis(5);
/// How often a full disk is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// How often refusals, gaps and rotations are recorded and the file's place is looked at.
const TICK: Duration = Duration::from_secs(1);

/// The running thread; dropping it closes the log without waiting.
#[derive(Debug)]
pub(super) struct LogThread {
    inner: Arc<Inner>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

impl LogThread {
    pub(super) fn start(inner: Arc<Inner>) -> io::Result<Self> {
        let (end, ended) = oneshot::channel();
        let shared = Arc::clone(&inner);
        let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || {
            shared.run();
            let _ = end.send(()); // nobody may be waiting
        })?;
        Ok(Self { inner, running: Mutex::new(Some(Running { thread, ended })) })
    }

    pub(super) async fn close(&self, inner: &Inner) {
        inner.begin_closing();
        let running = lock(&self.running).take();
        if let Some(Running { thread, ended }) = running {
            let _ = ended.await; // an error means that it has ended too
            let _ = thread.join();
        }
    }
}

impl Drop for LogThread {
    fn drop(&mut self) {
        self.inner.begin_closing();
    }
}

impl Inner {
    fn begin_closing(&self) {
        lock(&self.queue).is_closing = true;
        self.wake.notify_one();
    }

    /// Writes the first record, before anyone else can, and what the start found and changed: a kill
    /// within the first second may not hide it.
    pub(super) fn begin(&self) -> Result<(), NotAccepted> {
        let settings = &self.settings;
        let mut scratch = Scratch::default();
        let started = self.record(
            &mut scratch,
            &Event::LogStarted {
                durability: settings.durability.as_str(),
                on_failure: settings.on_failure.as_str(),
                end_records: settings.end_records,
            },
        );
        let notices = std::mem::take(&mut lock(&self.appender).notices);
        self.record_notices(&mut scratch, notices);
        // At `queued` it is still in the queue: whether it can be written must be known now.
        self.drain();
        let failing = lock(&self.health).failing.take();
        match failing {
            Some((_, error)) => {
                Err(NotAccepted::Write { source: Arc::new(io::Error::other(error)) })
            }
            None => started,
        }
    }

    fn run(&self) {
        let mut scratch = Scratch::default();
        let mut last_tick = Instant::now();
        loop {
            let is_closing = self.wait(TICK.saturating_sub(last_tick.elapsed()));
            self.drain();
            if is_closing || last_tick.elapsed() >= TICK {
                self.tick(&mut scratch);
                last_tick = Instant::now();
            }
            if is_closing {
                return self.stop(&mut scratch);
            }
        }
    }

    /// Sleeps until there is something to write or the time is over; says whether to close.
    fn wait(&self, timeout: Duration) -> bool {
        let queue = lock(&self.queue);
        let is_idle =
            |queue: &mut super::queue::Queue| queue.entries.is_empty() && !queue.is_closing;
        let (queue, _) = self
            .wake
            .wait_timeout_while(queue, timeout, is_idle)
            .unwrap_or_else(PoisonError::into_inner);
        if queue.entries.is_empty() || self.settings.durability != Durability::Queued {
            return queue.is_closing;
        }
        let gather = if self.is_failing.load(Ordering::Relaxed) { RETRY } else { QUEUE_TICK };
        let (queue, _) = self
            .wake
            .wait_timeout_while(queue, gather, |queue| !queue.is_closing)
            .unwrap_or_else(PoisonError::into_inner);
        queue.is_closing
    }

    /// Writes the queue.
    fn drain(&self) {
        match self.settings.durability {
            Durability::Written => {}
            Durability::Queued => self.drain_queued(),
            Durability::Synced => self.drain_synced(),
        }
    }

    /// What has a number is written, now or later: nothing is left out.
    fn drain_queued(&self) {
        let mut entries = lock(&self.queue).take();
        while let Some(mut entry) = entries.pop_front() {
            let seq = entry.seq.unwrap_or_default();
            let appended = lock(&self.appender).append(entry.line.stamp(seq), seq);
            if let Err(error) = appended {
                self.note_failure(&error);
                entries.push_front(entry);
                return lock(&self.queue).put_back(entries);
            }
            self.note_success();
        }
    }

    /// Writes all that wait, syncs once, answers all.
    fn drain_synced(&self) {
        let entries = lock(&self.queue).take();
        if entries.is_empty() {
            return;
        }
        let mut waiting = Vec::new();
        for Entry { mut line, waiter, .. } in entries {
            match (self.write(&mut line), waiter) {
                (Ok(seq), Some(waiter)) => waiting.push((waiter, seq)),
                (Err(cause), Some(waiter)) => {
                    let _ = waiter.send(Err(cause)); // who no longer waits was not forwarded
                }
                (Ok(_), None) => {}
                (Err(cause), None) => self.lose(&cause),
            }
        }
        let synced = self.sync();
        for (waiter, seq) in waiting {
            let _ = waiter.send(synced.clone().map(|()| seq));
        }
    }

    fn sync(&self) -> Result<(), NotAccepted> {
        let file = lock(&self.appender).file_to_sync();
        file.and_then(|file| file.map_or(Ok(()), |file| file.sync_data())).map_err(|source| {
            self.note_failure(&source);
            NotAccepted::Sync { source: Arc::new(source) }
        })
    }

    /// Looks at the file's place, and records what has gathered since the last time.
    fn tick(&self, scratch: &mut Scratch) {
        let queued = self.next_queued();
        let (placed, notices) = {
            let mut appender = lock(&self.appender);
            let next_seq = queued.unwrap_or_else(|| self.next_seq.load(Ordering::Relaxed));
            let placed = appender.check_place(next_seq);
            (placed, std::mem::take(&mut appender.notices))
        };
        let placed = placed.inspect_err(|error| self.note_failure(error)).is_ok();
        let has_rotated = notices.iter().any(|it| matches!(it, Notice::Rotated { .. }));
        self.record_notices(scratch, notices);
        if has_rotated {
            self.prune(scratch);
        }
        let gaps = lock(&self.health).take_gaps();
        if placed && gaps.is_empty() && lock(&self.queue).entries.is_empty() {
            self.note_success(); // what failed is over, and nothing waits to show it
        }
        for gap in gaps {
            if self.record(scratch, &Event::LogGap(&gap)).is_err() {
                lock(&self.health).add_gap(gap);
            }
        }
        let refusals = lock(&self.refusals).flush();
        for refused in refusals {
            let id = decision_id(refused.last);
            let line = scratch.refused(&self.instance, &id, &refused);
            if self.submit_own(line).is_err() {
                lock(&self.refusals).put_back(&refused);
            }
        }
        self.drain();
    }

    /// At `queued`, the number of the line that will be written next: only this thread takes lines.
    fn next_queued(&self) -> Option<u64> {
        let queue = lock(&self.queue);
        let first = queue.entries.front().and_then(|entry| entry.seq);
        (self.settings.durability == Durability::Queued)
            .then(|| first.unwrap_or_else(|| self.next_seq.load(Ordering::Relaxed)))
    }

    fn record_notices(&self, scratch: &mut Scratch, notices: Vec<Notice>) {
        for notice in notices {
            let recorded = match &notice {
                Notice::Rotated { closed, opened } => {
                    self.record(scratch, &Event::LogRotated { closed, opened })
                }
                Notice::Recovered { file, quarantine, bytes } => {
                    let bytes = *bytes;
                    self.record(scratch, &Event::LogRecovered { file, quarantine, bytes })
                }
                Notice::Pruned { file, first_seq } => {
                    self.record(scratch, &Event::LogPruned { file, from_seq: *first_seq })
                }
                Notice::Removed { first_seq, last_seq, time } => {
                    let count = last_seq.saturating_sub(*first_seq).saturating_add(1);
                    let (first, last, seqs) = (*time, *time, Some((*first_seq, *last_seq)));
                    let cause = "log.file_removed";
                    let gap = Gap { cause, count, forwarded: true, first, last, seqs };
                    lock(&self.health).add_gap(gap);
                    Ok(())
                }
            };
            if recorded.is_err() {
                lock(&self.appender).notices.push(notice);
            }
        }
    }

    fn prune(&self, scratch: &mut Scratch) {
        let (Some(keep), Target::Dir(dir)) = (self.settings.keep_files, &self.settings.target)
        else {
            return;
        };
        match Appender::prune(dir, keep) {
            Ok(pruned) => self.record_notices(scratch, pruned),
            Err(error) => lock(&self.appender).warning = Some(error.to_string()),
        }
    }

    /// Writes the last record; a disk that is still full keeps it out, and status says so.
    fn stop(&self, scratch: &mut Scratch) {
        let _ = self.record(scratch, &Event::LogStopped);
        self.drain();
        let _ = self.sync();
        lock(&self.appender).close();
        let left = lock(&self.queue).take();
        for entry in left {
            self.lose(&NotAccepted::Closed);
            if let Some(waiter) = entry.waiter {
                let _ = waiter.send(Err(NotAccepted::Closed));
            }
        }
    }

    fn record(&self, scratch: &mut Scratch, event: &Event<'_>) -> Result<(), NotAccepted> {
        let time = self.clock.now();
        let instance: &InstanceFragment = &self.instance;
        let line = scratch.event(instance, &decision_id(time), time, event);
        self.submit_own(line)
    }

    /// A line of the log's own: queued lines keep their order, all others are written at once.
    fn submit_own(&self, line: &mut Line) -> Result<(), NotAccepted> {
        match self.settings.durability {
            Durability::Queued => self.enqueue(line, Owner::Log, None).map(|_| ()),
            Durability::Written | Durability::Synced => self.write(line).map(|_| ()),
        }
    }
}
