//! What an operator changes in a running sidecar over its admin socket.

use std::time::Duration;

use portreeve_core::Timestamp;

use super::report::Live;
use crate::admin::{Block, Control, Refused};
use crate::audit::Event;
use crate::identity::{Denial, DenyListError};

impl Control for Live {
    fn blocked(&self) -> Vec<Denial> {
        self.denied.current().entries()
    }

    fn block(&self, block: Block, user: u32) -> Result<Denial, Refused> {
        let since = self.clock.now();
        let until = block.for_seconds.map(|seconds| after(since, Duration::from_secs(seconds)));
        let denial = Denial { spiffe_id: block.spiffe_id, reason: block.reason, since, until };
        let outcome = self.denied.block(denial.clone());
        if let Ok(()) | Err(DenyListError::Write { .. }) = outcome {
            let Denial { spiffe_id, reason, .. } = &denial;
            self.log.event(&Event::Blocked { spiffe_id, reason, until, user });
            tracing::warn!(%spiffe_id, reason, user, "blocked by an operator");
        }
        outcome.map(|()| denial).map_err(refused)
    }

    fn unblock(&self, spiffe_id: &str, user: u32) -> Result<Option<Denial>, Refused> {
        let gone = self.denied.unblock(spiffe_id).map_err(refused)?;
        if gone.is_some() {
            self.log.event(&Event::Unblocked { spiffe_id, user });
            tracing::warn!(spiffe_id, user, "unblocked by an operator");
        }
        Ok(gone)
    }
}

fn after(since: Timestamp, duration: Duration) -> Timestamp {
    let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_unix_micros(since.unix_micros().saturating_add(micros))
}

fn refused(error: DenyListError) -> Refused {
    let text = format!("{:#}", anyhow::Error::new(error));
    Refused { text }
}
