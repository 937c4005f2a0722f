//! How the log is doing: for status, for readiness, and for the record of what is missing.

use std::collections::BTreeMap;

use portreeve_core::Timestamp;
use portreeve_core::record::Gap;
use serde::Serialize;

/// A look at the log from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    pub state: State,
    /// When it began to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The last error, or a warning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The number of the last record, 0 before the first.
    pub seq: u64,
    /// Lines that wait to be written.
    pub queue: usize,
    /// Records that could not be written, by cause, since the start.
    pub lost: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    Failing,
}

#[derive(Debug, Default)]
pub(super) struct Health {
    pub(super) failing: Option<(Timestamp, String)>,
    pub(super) lost: BTreeMap<&'static str, u64>,
    gaps: BTreeMap<&'static str, Gap>,
}

impl Health {
    /// Counts a record that will not be written.
    pub(super) fn lose(&mut self, cause: &'static str, now: Timestamp, forwarded: bool) {
        *self.lost.entry(cause).or_default() += 1;
        self.add_gap(Gap { cause, count: 1, forwarded, first: now, last: now, seqs: None });
    }

    /// Adds to what the next gap record of this cause will say.
    pub(super) fn add_gap(&mut self, gap: Gap) {
        match self.gaps.get_mut(gap.cause) {
            Some(kept) => {
                kept.count = kept.count.saturating_add(gap.count);
                kept.first = kept.first.min(gap.first);
                kept.last = kept.last.max(gap.last);
                kept.seqs = match (kept.seqs, gap.seqs) {
                    (Some((from, to)), Some((a, b))) => Some((from.min(a), to.max(b))),
                    (kept, new) => kept.or(new),
                };
            }
            None => {
                self.gaps.insert(gap.cause, gap);
            }
        }
    }

    pub(super) fn take_gaps(&mut self) -> Vec<Gap> {
        std::mem::take(&mut self.gaps).into_values().collect()
    }
}
