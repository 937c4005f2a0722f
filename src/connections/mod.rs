//! The registry of live connections: a slot per connection, registered before its first request.
//!
//! Whoever must act on connections that are already open (a drain, an idle limit, later a withdrawn
//! trust bundle) gives an [`Order`] to slots here; the task that serves the connection obeys it.
//! Requests touch only atomics of their own slot.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Opening and closing take one of these locks; more than the cores that contend for them.
const SHARDS: usize = 16;
/// How often idle limits are looked at: one coarse tick for all connections, no timer for each.
pub const TICK: Duration = Duration::from_secs(1);
/// How long a connection asked to close may still take when nothing is in flight on it: it may be in
/// the middle of a head that never ends.
const CLOSE_GRACE_TICKS: u32 = 5;

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
    draining: std::sync::atomic::AtomicBool,
    emptied: Notify,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Finish what is in flight, take nothing new (GOAWAY, `Connection: close`).
    Close,
    /// End now.
    Cut,
}

/// The idle limits of a connection, in whole ticks.
#[derive(Clone, Copy, Debug)]
pub struct IdleLimits {
    /// Until the first head is complete.
    pub first_head: Duration,
    /// Between requests.
    pub between: Duration,
}

/// One live connection as others see it.
#[derive(Debug)]
pub struct Slot {
    id: u64,
    registry: Arc<Inner>,
    limits: IdleLimits,
    in_flight: AtomicU32,
    /// 0 until the first head is complete.
    requests: AtomicU32,
    last_active: AtomicU32,
    order: AtomicU8,
    ordered: Notify,
}

/// Keeps a connection registered; dropping it frees the slot.
#[derive(Debug)]
pub struct Registration {
    slot: Arc<Slot>,
}

/// One exchange in flight on a connection; dropping it ends it.
#[derive(Debug)]
pub struct InFlight {
    slot: Arc<Slot>,
}

impl Registry {
    /// Registers a connection, before anything is read from it.
    #[must_use]
    pub fn register(&self, limits: IdleLimits) -> Registration {
        let inner = &self.inner;
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot {
            id,
            registry: Arc::clone(inner),
            limits,
            in_flight: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            last_active: AtomicU32::new(inner.now.load(Ordering::Relaxed)),
            order: AtomicU8::new(0),
            ordered: Notify::new(),
        });
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

    /// Advances the coarse clock by one tick and closes what has been idle for too long.
    pub fn sweep(&self) {
        let now = self.inner.now.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.each(|slot| slot.check_idle(now));
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

impl Slot {
    /// Waits for the next order above `seen`.
    pub async fn ordered(&self, seen: Option<Order>) -> Order {
        loop {
            let notified = self.ordered.notified();
            if let Some(order) = self.order().filter(|order| Some(*order) > seen) {
                return order;
            }
            notified.await;
        }
    }

    /// A complete head has arrived.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        InFlight { slot: Arc::clone(self) }
    }

    fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Close),
            _ => Some(Order::Cut),
        }
    }

    fn give(&self, order: Order) {
        let level = match order {
            Order::Close => 1,
            Order::Cut => 2,
        };
        self.order.fetch_max(level, Ordering::AcqRel);
        self.ordered.notify_waiters();
    }

    fn check_idle(&self, now: u32) {
        if self.in_flight.load(Ordering::Relaxed) > 0 {
            return;
        }
        let idle = now.saturating_sub(self.last_active.load(Ordering::Relaxed));
        let has_begun = self.requests.load(Ordering::Relaxed) > 0;
        let limit = if has_begun { self.limits.between } else { self.limits.first_head };
        let limit = u32::try_from(limit.as_secs()).unwrap_or(u32::MAX).max(1);
        if idle > limit.saturating_add(CLOSE_GRACE_TICKS) {
            self.give(Order::Cut);
        } else if idle > limit {
            self.give(Order::Close);
        }
    }
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

impl Drop for InFlight {
    fn drop(&mut self) {
        let now = self.slot.registry.now.load(Ordering::Relaxed);
        self.slot.last_active.store(now, Ordering::Relaxed);
        self.slot.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: IdleLimits =
        IdleLimits { first_head: Duration::from_secs(2), between: Duration::from_secs(4) };

    #[test]
    fn a_connection_that_sends_no_head_is_closed_then_cut() {
        let registry = Registry::default();
        let registration = registry.register(LIMITS);
        let mut orders = Vec::new();
        for _ in 0..9 {
            registry.sweep();
            orders.push(registration.slot().order());
        }
        assert_eq!(orders[1], None);
        assert_eq!(orders[2], Some(Order::Close));
        assert_eq!(orders[8], Some(Order::Cut));
    }

    #[test]
    fn a_request_in_flight_keeps_its_connection() {
        let registry = Registry::default();
        let registration = registry.register(LIMITS);
        let in_flight = registration.slot().begin();
        (0..20).for_each(|_| registry.sweep());
        assert_eq!(registration.slot().order(), None);
        drop(in_flight);
        (0..4).for_each(|_| registry.sweep());
        assert_eq!(registration.slot().order(), None);
        registry.sweep();
        assert_eq!(registration.slot().order(), Some(Order::Close));
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_reaches_all_and_ends_when_the_last_is_gone() {
        let registry = Registry::default();
        let early = registry.register(LIMITS);
        registry.drain();
        let late = registry.register(LIMITS);
        for registration in [&early, &late] {
            assert_eq!(registration.slot().ordered(None).await, Order::Close);
        }
        drop(early);
        let deadline = Instant::now() + Duration::from_secs(5);
        assert_eq!(registry.emptied(deadline).await, Err(1));
        registry.cut_all();
        assert_eq!(late.slot().ordered(Some(Order::Close)).await, Order::Cut);
        drop(late);
        assert_eq!(registry.emptied(Instant::now() + Duration::from_secs(5)).await, Ok(()));
    }
}
