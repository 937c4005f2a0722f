//! The peers of all open connections, verified again after trust or the deny-list has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::Timestamp;
use tokio::time::Instant;

use super::{Cuts, Registry, Slot, Subject, lock};

/// Connections that are cut in a row: each wakes the task that serves it, and what else is to be
/// served shall not wait behind all of them.
const CUTS_IN_A_ROW: u32 = 32;
/// How long the pass then waits. Ten thousand cuts take a third of a second of it.
const PAUSE: Duration = Duration::from_millis(1);

/// What one pass over all connections did.
#[derive(Debug, Default)]
pub struct Pass {
    /// Open connections whose peer has an X.509-SVID.
    pub connections: usize,
    /// Distinct chains among them; each was verified once.
    pub chains: usize,
    pub cuts: Cuts,
    pub took: Duration,
    /// The longest that a lock was held which a serving thread may need, or that connections were
    /// cut in a row.
    pub largest_slice: Duration,
}

impl Registry {
    /// Verifies every distinct chain once and cuts the connections of those that fail with the reason
    /// that `verify` gives; it says until when the others hold, where that may have changed.
    ///
    /// It takes as long as it takes, so it runs on a thread of its own, never on a serving thread.
    pub fn verify_again(
        &self,
        verify: impl Fn(&Subject) -> Result<Option<Timestamp>, &'static str>,
    ) -> Pass {
        let began = Instant::now();
        let mut pass = Pass::default();
        let by_chain = self.by_chain(&mut pass);
        pass.chains = by_chain.len();
        let mut in_a_row = 0;
        let mut slice = Duration::ZERO;
        for slots in by_chain.values() {
            let Some(subject) = slots.first().and_then(|slot| slot.subject()) else { continue };
            match verify(subject) {
                Ok(None) => {}
                Ok(Some(until)) => slots.iter().for_each(|slot| slot.extend(until)),
                Err(reason) => {
                    for slot in slots {
                        let cutting = Instant::now();
                        if slot.cut(reason) {
                            pass.cuts.count(&subject.id, reason);
                        }
                        in_a_row += 1;
                        slice += cutting.elapsed();
                        pass.largest_slice = pass.largest_slice.max(slice);
                        if in_a_row == CUTS_IN_A_ROW {
                            (in_a_row, slice) = (0, Duration::ZERO);
                            std::thread::park_timeout(PAUSE);
                        }
                    }
                }
            }
        }
        pass.took = began.elapsed();
        pass
    }

    /// The identified slots by their chain; a shard's lock is held only to copy its handles.
    fn by_chain(&self, pass: &mut Pass) -> HashMap<[u8; 32], Vec<Arc<Slot>>> {
        let mut by_chain = HashMap::<_, Vec<_>>::new();
        for shard in &self.inner.shards {
            let slots = {
                let locked = lock(shard);
                let began = Instant::now();
                let slots: Vec<_> = locked.values().cloned().collect();
                pass.largest_slice = pass.largest_slice.max(began.elapsed());
                slots
            };
            for slot in slots {
                let Some(digest) = slot.subject().map(|subject| subject.digest) else { continue };
                pass.connections += 1;
                by_chain.entry(digest).or_default().push(slot);
            }
        }
        by_chain
    }
}
