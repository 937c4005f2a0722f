//! Threads for decisions that may overrun: an evaluation cannot be cancelled, so its thread is given
//! up, counted and replaced, and its request is denied as an error.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_core::policy::{Bundle, Decision, decide, overrun};
use portreeve_core::request::AccessRequest;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests that wait for a thread.
const MAX_QUEUED: usize = 1_024;
/// Given-up threads that still run. With so many the processors do nothing else: the pool takes no
/// more, and the sidecar is not ready.
pub(super) const MAX_OVERRUNNING: usize = 8;

const QUEUED: u8 = 0;
const RUNNING: u8 = 1;
const DONE: u8 = 2;
const GIVEN_UP: u8 = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Started when they are first needed.
    pub threads: usize,
    /// That of the serving threads: a policy was tried on it.
    pub stack_bytes: usize,
    /// What a thread may spend on a decision, and what a request waits for its turn.
    pub budget: Duration,
}

/// The pool of a sidecar; clones share it, and its threads end with the last.
#[derive(Clone, Debug)]
pub struct Pool(Arc<Owner>);

/// How the pool fares, for status and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Given-up threads that still run.
    pub overrunning: usize,
    /// Decisions that were given up since the start.
    pub overruns: u64,
}

impl PoolStatus {
    /// Whether so many evaluations overrun that the pool takes no more.
    #[must_use]
    pub const fn is_exhausted(self) -> bool {
        self.overrunning >= MAX_OVERRUNNING
    }
}

/// Held by the handles and not by the threads, so that it is dropped when nobody can ask any more.
#[derive(Debug)]
struct Owner(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    work: Mutex<Work>,
    wake: Condvar,
    overrunning: AtomicUsize,
    overruns: AtomicU64,
}

#[derive(Debug, Default)]
struct Work {
    queue: VecDeque<Job>,
    running: Vec<Running>,
    /// Threads that work or wait, without those that were given up.
    threads: usize,
    is_closed: bool,
}

#[derive(Debug)]
struct Job {
    bundle: Arc<Bundle>,
    access: AccessRequest,
    state: Arc<AtomicU8>,
    answer: oneshot::Sender<Decision>,
}

#[derive(Debug)]
struct Running {
    since: Instant,
    state: Arc<AtomicU8>,
}

impl Pool {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Owner(Arc::new(Shared {
            settings,
            work: Mutex::default(),
            wake: Condvar::new(),
            overrunning: AtomicUsize::new(0),
            overruns: AtomicU64::new(0),
        }))))
    }

    #[must_use]
    pub fn status(&self) -> PoolStatus {
        self.0.0.status()
    }

    /// Decides on a thread of the pool; what overruns, or finds no place, is an error.
    pub(super) async fn decide_elsewhere(
        &self,
        bundle: &Arc<Bundle>,
        access: &AccessRequest,
    ) -> Decision {
        let shared = &self.0.0;
        let (answer, decided) = oneshot::channel();
        let state = Arc::new(AtomicU8::new(QUEUED));
        let job = Job {
            bundle: Arc::clone(bundle),
            access: access.clone(),
            state: Arc::clone(&state),
            answer,
        };
        if shared.submit(job)
            && let Some(decision) = wait(decided, &state, shared.settings.budget).await
        {
            return decision;
        }
        shared.give_up_overrunning(&mut shared.lock());
        shared.overruns.fetch_add(1, Ordering::Relaxed);
        overrun(access)
    }
}

/// Waits for the budget, and once more if the evaluation began meanwhile; what has not begun by then
/// never shall.
async fn wait(
    mut decided: oneshot::Receiver<Decision>,
    state: &AtomicU8,
    budget: Duration,
) -> Option<Decision> {
    for _ in 0..2 {
        if let Ok(decision) = tokio::time::timeout(budget, &mut decided).await {
            return decision.ok();
        }
        if state.compare_exchange(QUEUED, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return None;
        }
    }
    None
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> PoolStatus {
        PoolStatus {
            overrunning: self.overrunning.load(Ordering::Relaxed),
            overruns: self.overruns.load(Ordering::Relaxed),
        }
    }

    /// Whether a thread will look at the job.
    fn submit(self: &Arc<Self>, job: Job) -> bool {
        let mut work = self.lock();
        self.give_up_overrunning(&mut work);
        if work.queue.len() >= MAX_QUEUED || self.status().is_exhausted() {
            return false;
        }
        work.queue.push_back(job);
        let is_short = work.running.len() + work.queue.len() > work.threads;
        if is_short && work.threads < self.settings.threads {
            match self.start_thread() {
                Ok(()) => work.threads += 1,
                Err(error) => tracing::error!(%error, "failed to start a decision thread"),
            }
        }
        self.wake.notify_one();
        work.threads > 0
    }

    /// The one place where threads are given up: called whenever a request comes or has waited long
    /// enough, so that no thread is missed because its caller has gone away.
    fn give_up_overrunning(&self, work: &mut Work) {
        let budget = self.settings.budget;
        let before = work.running.len();
        work.running.retain(|running| {
            running.since.elapsed() < budget
                || running
                    .state
                    .compare_exchange(RUNNING, GIVEN_UP, Ordering::AcqRel, Ordering::Acquire)
                    .is_err()
        });
        let given_up = before - work.running.len();
        work.threads -= given_up;
        self.overrunning.fetch_add(given_up, Ordering::Relaxed);
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let shared = Arc::clone(self);
        std::thread::Builder::new()
            .name("decide".to_owned())
            .stack_size(self.settings.stack_bytes)
            .spawn(move || shared.work())
            .map(drop)
    }

    /// The life of one thread: it ends with the pool, or when it was given up.
    fn work(&self) {
        while let Some(job) = self.next() {
            let Job { bundle, access, state, answer } = job;
            let decision = decide(&bundle, &access);
            if self.finish(&state) {
                // A caller that has gone away needs no answer.
                let _ = answer.send(decision);
            } else {
                self.overrunning.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut work = self.lock();
        loop {
            if work.is_closed {
                return None;
            }
            let Some(job) = work.queue.pop_front() else {
                work = self.wake.wait(work).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let begun =
                job.state.compare_exchange(QUEUED, RUNNING, Ordering::AcqRel, Ordering::Acquire);
            if begun.is_ok() {
                let state = Arc::clone(&job.state);
                work.running.push(Running { since: Instant::now(), state });
                return Some(job);
            }
        }
    }

    /// Whether the thread was still wanted when it was done.
    fn finish(&self, state: &Arc<AtomicU8>) -> bool {
        let mut work = self.lock();
        let done = state.compare_exchange(RUNNING, DONE, Ordering::AcqRel, Ordering::Acquire);
        work.running.retain(|running| !Arc::ptr_eq(&running.state, state));
        done.is_ok()
    }
}
