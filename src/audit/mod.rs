//! The decision log: a request and its decision enter, a receipt leaves, and only then is forwarded.

use std::path::PathBuf;

/// Where records go and what accepting one means.
#[derive(Clone, Debug)]
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
