//! The registry of live connections: a slot per connection, registered when it is accepted.
//!
//! Whoever must act on connections that are already open (a drain, an idle limit, the end of a
//! peer's SVID, a change of trust) gives an [`Order`] to slots here; the task that serves the
//! connection obeys it. Requests touch only atomics of their own slot.
//!
//! # Why no connection slips past a change of trust
//!
//! A slot is in its shard before the handshake begins. A change *publishes* first and *scans* the
//! shards after; a connection *identifies* itself first, under the lock of its shard, and *looks*
//! after that at what is published. Both touch the same lock, so one of them came first: if the
//! identification, the scan sees the subject and verifies it; if the scan, the connection sees what
//! was published before the scan, and verifies itself. If both happen, it is verified twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_core::Timestamp;
use tokio::sync::Notify;
use tokio::time::Instant;

mod slot;
mod subject;
#[cfg(test)]
mod tests;
mod verify;

pub use slot::{InFlight, Limits, Order, Slot};
pub use subject::{Cuts, Subject};
pub use verify::Pass;

/// Opening and closing take one of these locks; more than the cores that contend for them, and so
/// many that to look at all connections of one, of ten thousand, takes well under a millisecond.
const SHARDS: usize = 32;
/// How often limits are looked at: one coarse tick for all connections, no timer for each. Half a
/// second, so that whatever ends at a moment has ended a second later.
pub const TICK: Duration = Duration::from_millis(500);

/// All connections of one process. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    shards: [Mutex<HashMap<u64, Arc<Slot>>>; SHARDS],
    next: AtomicU64,
    open: AtomicUsize,
    /// Ticks since the start, advanced by [`Registry::sweep`].
    now: AtomicU32,
    draining: AtomicBool,
    emptied: Notify,
}

/// Keeps a connection registered; dropping it frees the slot.
#[derive(Debug)]
pub struct Registration {
    slot: Arc<Slot>,
}

impl Registry {
    /// Registers a connection, before anything is read from it.
    #[must_use]
    pub fn register(&self, limits: Limits) -> Registration {
        let inner = &self.inner;
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot::new(id, inner, limits));
        inner.open.fetch_add(1, Ordering::AcqRel);
        if let Some(mut shard) = inner.shard(id) {
            shard.insert(id, Arc::clone(&slot));
        }
        // After the insertion: a drain that begins in between sees the slot, or is seen here.
        if inner.draining.load(Ordering::Acquire) {
            slot.give(Order::Close);
        }
        Registration { slot }
    }

    #[must_use]
    pub fn open(&self) -> usize {
        self.inner.open.load(Ordering::Acquire)
    }

    /// Tells every connection, also those that come later, to finish what is in flight.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Release);
        self.each(|slot| slot.give(Order::Close));
    }

    /// Ends every connection now.
    pub fn cut_all(&self) {
        self.each(|slot| slot.give(Order::Cut));
    }

    /// Waits until no connection is left.
    ///
    /// # Errors
    /// The deadline passed; the number still open.
    pub async fn emptied(&self, deadline: Instant) -> Result<(), usize> {
        loop {
            let notified = self.inner.emptied.notified();
            if self.open() == 0 {
                return Ok(());
            }
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                return Err(self.open());
            }
        }
    }

    /// Advances the coarse clock by one tick: asks to close what has been idle or open for too long
    /// or whose peer's SVID ends soon, and cuts those whose peer's SVID has ended, which are told.
    /// Gives way to other tasks after each shard.
    pub async fn sweep(&self, time: Timestamp) -> Cuts {
        let now = self.inner.now.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut cuts = Cuts::default();
        for shard in &self.inner.shards {
            for slot in lock(shard).values() {
                slot.check_idle(now);
                slot.check_age(now);
                if let Some((subject, reason)) = slot.check_svid(time) {
                    cuts.count(&subject.id, reason);
                }
            }
            tokio::task::yield_now().await;
        }
        cuts
    }

    fn each(&self, act: impl Fn(&Slot)) {
        for shard in &self.inner.shards {
            for slot in lock(shard).values() {
                act(slot);
            }
        }
    }
}

impl Inner {
    fn shard(&self, id: u64) -> Option<MutexGuard<'_, HashMap<u64, Arc<Slot>>>> {
        let index = usize::try_from(id % SHARDS as u64).ok()?;
        self.shards.get(index).map(lock)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registration {
    #[must_use]
    pub fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let inner = &self.slot.registry;
        if let Some(mut shard) = inner.shard(self.slot.id) {
            shard.remove(&self.slot.id);
        }
        if inner.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            inner.emptied.notify_waiters();
        }
    }
}
