//! How a source does, beside what it has given.

use portreeve_core::Timestamp;

/// What is known of a source; `/status` and readiness are made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// When it last gave something that could be used, new or not.
    pub last_answer: Option<Timestamp>,
    /// What is wrong since then.
    pub trouble: Option<Trouble>,
    /// Foreign bundles of the last update that could not be read: nobody of these domains is trusted.
    pub unusable: Vec<UnusableBundle>,
    /// The process that serves the Workload API's socket.
    pub served_by: Option<ServedBy>,
}

/// Why nothing new comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// A stable code, as [`super::Failure::reason`] says.
    pub reason: &'static str,
    /// The same in words.
    pub text: String,
    pub since: Timestamp,
}

/// A bundle that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableBundle {
    /// As the source names it.
    pub name: String,
    pub text: String,
}

/// Who listens on a socket, as the kernel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServedBy {
    pub uid: u32,
    /// Unknown where it lives in another PID namespace.
    pub pid: Option<i32>,
}

impl Trouble {
    /// What the source gave could not be used, so what it says now is unknown.
    pub const REJECTED: &str = "identity.update_rejected";
    /// Nothing is heard of the source.
    pub const LOST: &str = "identity.source_lost";
    /// The source says that we have no identity, and the grace runs.
    pub const WITHDRAWING: &str = "identity.withdrawing";
}
