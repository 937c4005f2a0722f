//! The permitted exchanges that are still in flight, with what deciding them again needs.
//!
//! An exchange joins before anything of it is forwarded and leaves when it is over. Whoever finds
//! that it is no longer permitted ends it here; the task that drives it notices at its next poll.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use atomic_waker::AtomicWaker;
use portreeve_core::policy::{Bundle, Effects};
use portreeve_core::request::AccessRequest;

use super::lapse::Proven;
use super::reply::Answer;
use crate::audit::Receipt;
use crate::forward::Progress;

/// Joining and leaving take one of these locks, that of the thread: more than serving threads of
/// most machines, so that hardly two share one.
const SHARDS: usize = 32;

static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);
thread_local! {
    static SHARD: usize = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS;
}

/// The exchanges of one listener that are in flight.
#[derive(Debug, Default)]
pub struct Ongoing {
    shards: [Mutex<Shard>; SHARDS],
}

/// Alone in its cache lines, which its neighbours' threads would else take away.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard {
    exchanges: Vec<Option<Arc<Underway>>>,
    free: Vec<usize>,
}

/// Where an exchange stands in the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    shard: usize,
    index: usize,
}

/// One permitted exchange in flight: the facts it was decided on, and whether it may go on.
#[derive(Debug)]
pub(super) struct Underway {
    access: AccessRequest,
    /// Of the first decision.
    receipt: Receipt,
    request: Option<Arc<Progress>>,
    /// By the caller's JWT-SVID, where it came with one.
    proven: Option<Arc<Proven>>,
    /// The digest of the policy that decided last, or does so at this moment.
    decided_by: Mutex<Arc<str>>,
    was_decided_again: AtomicBool,
    is_over: AtomicBool,
    ended: OnceLock<Ended>,
    /// Of the one task that drives the exchange at this moment.
    waker: AtomicWaker,
}

/// Why an exchange is ended before its end, and what its caller is told if nothing was sent yet.
#[derive(Debug)]
pub(super) struct Ended {
    /// The stable reason code.
    pub(super) reason: &'static str,
    pub(super) answer: Answer,
    /// What the denying policy asked for.
    pub(super) effects: Option<Effects>,
}

impl Ongoing {
    /// Lists an exchange. Whoever joins must then look whether the policy is still the one that
    /// decided: a pass that ran before does not know of it.
    pub(super) fn join(&self, exchange: Arc<Underway>) -> Place {
        let shard = SHARD.with(|shard| *shard);
        let mut list = self.lock(shard);
        let index = match list.free.pop() {
            Some(index) => index,
            None => {
                list.exchanges.push(None);
                list.exchanges.len().saturating_sub(1)
            }
        };
        if let Some(place) = list.exchanges.get_mut(index) {
            *place = Some(exchange);
        }
        Place { shard, index }
    }

    pub(super) fn leave(&self, place: Place) {
        let mut list = self.lock(place.shard);
        let left = list.exchanges.get_mut(place.index).and_then(Option::take);
        list.free.push(place.index);
        drop(list); // what the exchange holds is freed outside the lock
        if let Some(exchange) = left {
            exchange.is_over.store(true, Ordering::Relaxed);
        }
    }

    /// All that are in flight now.
    pub(super) fn all(&self) -> Vec<Arc<Underway>> {
        self.which(|_| true)
    }

    /// Those in flight now of which this holds; it is asked under a lock that requests take.
    pub(super) fn which(&self, holds: impl Fn(&Underway) -> bool) -> Vec<Arc<Underway>> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let list = lock(shard);
            let exchanges = list.exchanges.iter().flatten();
            found.extend(exchanges.filter(|exchange| holds(exchange)).cloned());
        }
        found
    }

    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        lock(self.shards.get(shard).unwrap_or(first))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Underway {
    pub(super) fn new(
        access: AccessRequest,
        receipt: Receipt,
        request: Option<Arc<Progress>>,
        proven: Option<Arc<Proven>>,
        bundle: &Bundle,
    ) -> Arc<Self> {
        Arc::new(Self {
            access,
            receipt,
            request,
            proven,
            decided_by: Mutex::new(Arc::clone(&bundle.revision.digest)),
            was_decided_again: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            ended: OnceLock::new(),
            waker: AtomicWaker::new(),
        })
    }

    pub(super) fn access(&self) -> &AccessRequest {
        &self.access
    }

    pub(super) fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    pub(super) fn request(&self) -> Option<&Progress> {
        self.request.as_deref()
    }

    pub(super) fn proven(&self) -> Option<&Proven> {
        self.proven.as_deref()
    }

    /// Whether this policy has to decide the exchange, which was decided under another; from then on
    /// nobody else has to.
    pub(super) fn is_to_be_decided_by(&self, bundle: &Bundle) -> bool {
        if self.is_over.load(Ordering::Relaxed) || self.ended.get().is_some() {
            return false;
        }
        let mut decided_by = lock(&self.decided_by);
        // Not the revision: a commit that leaves the policy as it is changes no decision.
        if *decided_by == bundle.revision.digest {
            return false;
        }
        *decided_by = Arc::clone(&bundle.revision.digest);
        self.was_decided_again.store(true, Ordering::Relaxed);
        true
    }

    pub(super) fn was_decided_again(&self) -> bool {
        self.was_decided_again.load(Ordering::Relaxed)
    }

    /// Ends the exchange; says whether it was in flight until now.
    pub(super) fn end(&self, ended: Ended) -> bool {
        // First of all: whoever is woken, or fails for what follows, finds the reason.
        let is_first = self.ended.set(ended).is_ok();
        if let Some(request) = &self.request {
            request.stop();
        }
        self.waker.wake();
        is_first && !self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }

    /// Has the exchange's task woken when it is ended. Look at [`Self::ended`] afterwards, since it may
    /// have been ended before.
    pub(super) fn wake(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Waits until the exchange is ended.
    pub(super) async fn until_ended(&self) -> &Ended {
        std::future::poll_fn(|context| {
            self.wake(context.waker());
            self.ended().map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}
