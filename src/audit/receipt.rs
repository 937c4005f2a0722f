//! What accepting a record gives, and the ways in which it fails.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use portreeve_core::record::{DecisionId, MAX_LINE_BYTES};

use super::queue::QUEUE_LINES;

/// Proof that the log has accepted the record of a decision; forwarding asks for it.
#[derive(Debug)]
#[must_use = "forwarding asks for the receipt"]
pub struct Receipt {
    pub(super) seq: Option<u64>,
    pub(super) id: DecisionId,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to open log directory `{path}`")]
    Directory { path: PathBuf, source: io::Error },
    #[error("log directory `{path}` is in use by another process")]
    Locked { path: PathBuf },
    #[error("failed to go on with log file `{path}`")]
    File { path: PathBuf, source: io::Error },
    #[error("failed to open standard output for the log")]
    Stdout { source: io::Error },
    #[error("failed to start the log thread")]
    Thread { source: io::Error },
    #[error("failed to write the first record")]
    FirstRecord { source: NotAccepted },
}

/// Why a record was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotAccepted {
    #[error("the log cannot be written")]
    Write { source: Arc<io::Error> },
    #[error("the log cannot be synced")]
    Sync { source: Arc<io::Error> },
    #[error("the log's queue of {QUEUE_LINES} lines is full")]
    QueueFull,
    #[error("the record is longer than {MAX_LINE_BYTES} bytes")]
    TooLong,
    #[error("the log is closed")]
    Closed,
}

impl Receipt {
    /// The record's number; `None` where it was lost and `on_failure` is `drop`.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        self.seq
    }

    #[must_use]
    pub const fn id(&self) -> &DecisionId {
        &self.id
    }
}

impl NotAccepted {
    /// The stable reason code that metrics and the `gap` record use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Write { .. } => "log.write",
            Self::Sync { .. } => "log.sync",
            Self::QueueFull => "log.queue_full",
            Self::TooLong => "log.too_long",
            Self::Closed => "log.closed",
        }
    }
}
