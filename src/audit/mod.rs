//! The decision log: a request and its decision enter, a receipt leaves, and only then is forwarded.
//!
//! A sequence number is taken only by a line that stands in the log, so the numbers have no gap;
//! what could not be written is counted and leaves a `gap` record. Serving threads append
//! themselves (`written`) or enqueue; the log thread writes what is queued, counts of refusals and
//! records about the log itself. Nothing here may change a decision, and refusals may never use up
//! the room of decisions.

mod origin;
mod files;
mod recover;
mod appender;
mod queue;
mod refusals;
mod health;
mod receipt;
mod inner;
mod log;
mod thread;
mod reader;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use health::{State, Status};
pub use log::Log;
pub use origin::{decision_id, this_instance};
pub use portreeve_core::record::{ClaimedIdentity, End, Event, Instance};
pub use reader::{Follow, Lines, ReadError, find, last, newest_time, read};
pub use receipt::{NotAccepted, OpenError, Receipt};
pub use refusals::Refusal;

/// Where records go and what accepting one means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub target: Target,
    pub durability: Durability,
    pub on_failure: OnFailure,
    /// An `end` record for every request, not only for those that need one.
    pub end_records: bool,
    /// A file is closed and the next begun at this size.
    pub rotate_bytes: u64,
    /// Closed files kept; older ones are deleted. `None` keeps all.
    pub keep_files: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Dir(PathBuf),
    Stdout,
}

/// What has happened to a record when its request is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It stands in a bounded queue of this process.
    Queued,
    /// One `write` has returned: it survives the death of this process.
    Written,
    /// It is synced to the disk: it survives the loss of power.
    Synced,
}

/// What happens to a request whose record cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// 503.
    Deny,
    /// It goes on, and the loss is counted and recorded.
    Drop,
}

impl Durability {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Written => "written",
            Self::Synced => "synced",
        }
    }
}

impl OnFailure {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Drop => "drop",
        }
    }
}
