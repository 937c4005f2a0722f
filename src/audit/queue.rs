//! Lines that the log thread will write, in the order in which they were accepted.

use std::collections::VecDeque;

use portreeve_core::record::Line;
use tokio::sync::oneshot;

use super::NotAccepted;

/// Some tens of milliseconds of a full load; each waiting decision holds one line.
pub(super) const QUEUE_LINES: usize = 8_192;
/// Lines may be long, so their bytes are bounded too.
const QUEUE_BYTES: usize = 16 << 20;
/// Beyond the room of decisions: for what the log thread itself has to say.
const OWN_LINES: usize = 1_024;

/// Guarded by one short lock.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) entries: VecDeque<Entry>,
    bytes: usize,
    pub(super) is_closing: bool,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) line: Line,
    /// Taken when the line was accepted (`queued`), or else when it is written.
    pub(super) seq: Option<u64>,
    /// Who waits for the line to be synced.
    pub(super) waiter: Option<Waiter>,
}

pub(super) type Waiter = oneshot::Sender<Result<u64, NotAccepted>>;

/// Whose line it is: the log's own have room of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Traffic,
    Log,
}

impl Queue {
    /// Whether there is room for a line of this length.
    pub(super) fn check_room(&self, owner: Owner, length: usize) -> Result<(), NotAccepted> {
        let lines = match owner {
            Owner::Traffic if self.is_closing => return Err(NotAccepted::Closed),
            Owner::Traffic => QUEUE_LINES,
            Owner::Log => QUEUE_LINES + OWN_LINES,
        };
        let has_bytes = owner == Owner::Log || self.bytes.saturating_add(length) <= QUEUE_BYTES;
        if self.entries.len() < lines && has_bytes { Ok(()) } else { Err(NotAccepted::QueueFull) }
    }

    /// Adds a line; says whether it is the first.
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        self.bytes = self.bytes.saturating_add(entry.line.max_len());
        self.entries.push_back(entry);
        self.entries.len() == 1
    }

    pub(super) fn take(&mut self) -> VecDeque<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    /// Puts what could not be written in front again.
    pub(super) fn put_back(&mut self, mut rest: VecDeque<Entry>) {
        let bytes: usize = rest.iter().map(|entry| entry.line.max_len()).sum();
        self.bytes = self.bytes.saturating_add(bytes);
        rest.append(&mut self.entries);
        self.entries = rest;
    }
}
