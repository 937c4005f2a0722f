//! One live connection as others see it: whose it is, what is in flight, what it is told to do.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portreeve_core::Timestamp;
use tokio::sync::Notify;

use super::{Inner, Subject, TICK};

/// How long a connection asked to close may still take when nothing is in flight on it: it may be in
/// the middle of a head that never ends.
const CLOSE_GRACE: Duration = Duration::from_secs(5);
/// So that connections that began together do not end together, each gets up to a tenth less.
const AGE_JITTER_PART: u32 = 10;
/// The end of a connection whose peer has no SVID that could end.
const NEVER: i64 = i64::MAX;

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Ask the peer to take another connection (GOAWAY, `Connection: close` on the next response) and
    /// serve what it still sends here until it does.
    Retire,
    /// Finish what is in flight, take nothing new.
    Close,
    /// End now.
    Cut,
}

/// The limits of a connection in time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From the handshake's end until the first head is complete.
    pub first_head: Duration,
    /// Between requests.
    pub between: Duration,
    /// From its acceptance until it is asked to retire.
    pub age: Option<Duration>,
}

/// One live connection.
#[derive(Debug)]
pub struct Slot {
    pub(super) id: u64,
    pub(super) registry: Arc<Inner>,
    limits: Limits,
    /// Unset during the handshake; then the peer, or `None` where it has no X.509-SVID.
    subject: OnceLock<Option<Arc<Subject>>>,
    /// When the peer's SVID ends, in microseconds.
    until: AtomicI64,
    /// The tick from which the connection is too old.
    retires: u32,
    in_flight: AtomicU32,
    /// 0 until the first head is complete.
    requests: AtomicU32,
    last_active: AtomicU32,
    order: AtomicU8,
    /// Why it was cut, where the cause is its peer.
    reason: OnceLock<&'static str>,
    ordered: Notify,
}

/// One exchange in flight on a connection; dropping it ends it.
#[derive(Debug)]
pub struct InFlight {
    slot: Arc<Slot>,
}

impl Slot {
    pub(super) fn new(id: u64, registry: &Arc<Inner>, limits: Limits) -> Self {
        let now = registry.now.load(Ordering::Relaxed);
        let age = limits.age.map_or(u32::MAX, |age| {
            let age = ticks(age);
            age.saturating_sub(fastrand::u32(0..=age / AGE_JITTER_PART))
        });
        Self {
            id,
            registry: Arc::clone(registry),
            limits,
            subject: OnceLock::new(),
            until: AtomicI64::new(NEVER),
            retires: now.saturating_add(age),
            in_flight: AtomicU32::new(0),
            requests: AtomicU32::new(0),
            last_active: AtomicU32::new(now),
            order: AtomicU8::new(0),
            reason: OnceLock::new(),
            ordered: Notify::new(),
        }
    }

    /// The handshake is done: whose connection it is. Whatever is looked at *after* this (the newest
    /// trust, the deny-list) is what no scan before it has missed; see the stage's own page.
    pub fn identify(&self, subject: Option<Subject>) {
        let _shard = self.registry.shard(self.id);
        let until = subject.as_ref().map_or(NEVER, |subject| subject.until.unix_micros());
        self.until.store(until, Ordering::Relaxed);
        self.touch();
        let _ = self.subject.set(subject.map(Arc::new));
    }

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

    /// Why nothing may be decided for this connection any more, whether or not its end has come.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> Option<&'static str> {
        if now.unix_micros() > self.until.load(Ordering::Relaxed) {
            return Some("svid.expired");
        }
        self.reason()
    }

    /// The stable code of why it was cut, where the cause is its peer.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.reason.get().copied()
    }

    /// What the connection has been told last.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Retire),
            2 => Some(Order::Close),
            _ => Some(Order::Cut),
        }
    }

    pub(super) fn subject(&self) -> Option<&Arc<Subject>> {
        self.subject.get()?.as_ref()
    }

    pub(super) fn give(&self, order: Order) {
        let level = match order {
            Order::Retire => 1,
            Order::Close => 2,
            Order::Cut => 3,
        };
        if self.order.fetch_max(level, Ordering::AcqRel) < level {
            self.ordered.notify_waiters();
        }
    }

    /// Ends the connection because of its peer; whether this is what ended it.
    pub(super) fn cut(&self, reason: &'static str) -> bool {
        let is_first = self.reason.set(reason).is_ok();
        self.give(Order::Cut);
        is_first
    }

    /// The path was verified again and holds until another moment.
    pub fn extend(&self, until: Timestamp) {
        self.until.store(until.unix_micros(), Ordering::Relaxed);
    }

    /// Where the peer's SVID has ended, the peer that was cut for it.
    pub(super) fn check_svid(&self, time: Timestamp) -> Option<(&Arc<Subject>, &'static str)> {
        let subject = self.subject()?;
        let until = self.until.load(Ordering::Relaxed);
        let left = until.saturating_sub(time.unix_micros());
        if left < 0 {
            let reason = "svid.expired";
            return self.cut(reason).then_some((subject, reason));
        }
        if i128::from(left) < i128::try_from(subject.window.as_micros()).unwrap_or(0) {
            self.give(Order::Retire);
        }
        None
    }

    pub(super) fn check_age(&self, now: u32) {
        if self.retires <= now {
            self.give(Order::Retire);
        }
    }

    pub(super) fn check_idle(&self, now: u32) {
        // A handshake has a limit of its own.
        if self.subject.get().is_none() || self.in_flight.load(Ordering::Relaxed) > 0 {
            return;
        }
        let idle = now.saturating_sub(self.last_active.load(Ordering::Relaxed));
        let has_begun = self.requests.load(Ordering::Relaxed) > 0;
        let limit = if has_begun { self.limits.between } else { self.limits.first_head };
        let limit = ticks(limit).max(1);
        if idle > limit.saturating_add(ticks(CLOSE_GRACE)) {
            self.give(Order::Cut);
        } else if idle > limit {
            self.give(Order::Close);
        }
    }

    fn touch(&self) {
        let now = self.registry.now.load(Ordering::Relaxed);
        self.last_active.store(now, Ordering::Relaxed);
    }
}

fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX)
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.slot.touch();
        self.slot.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
