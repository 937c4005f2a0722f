//! The one place that asks what time it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use portreeve_core::Timestamp;

/// Wall-clock time for records, certificates and policies. Waiting is done with tokio's timers.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Set in tests; otherwise the system is asked.
    manual: Option<Arc<AtomicI64>>,
}

impl Clock {
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands still until [`Self::set`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self { manual: Some(Arc::new(AtomicI64::new(start.unix_micros()))) }
    }

    /// Moves a manual clock; a system clock is not moved.
    pub fn set(&self, to: Timestamp) {
        if let Some(manual) = &self.manual {
            manual.store(to.unix_micros(), Ordering::Relaxed);
        }
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the Clock that all others ask")]
    pub fn now(&self) -> Timestamp {
        if let Some(manual) = &self.manual {
            return Timestamp::from_unix_micros(manual.load(Ordering::Relaxed));
        }
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_micros()).unwrap_or(i64::MAX),
        };
        Timestamp::from_unix_micros(micros)
    }
}
