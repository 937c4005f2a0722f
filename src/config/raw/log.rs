//! The decision log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::scalars::{PathText, SizeText};

/// The decision log.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Log {
    /// The folder of the log's files; `log` under `state_dir` unless `stdout` is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PathText")]
    pub dir: Option<PathText>,
    /// Writes records to standard output instead.
    #[serde(default)]
    pub stdout: bool,
    #[serde(default)]
    pub durability: Durability,
    #[serde(default)]
    pub on_failure: OnFailure,
    /// An `end` record for every request, not only for those that need one.
    #[serde(default)]
    pub end_records: bool,
    /// A file is closed and the next begun at this size; 64KiB to 64GiB, and 64MiB by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "SizeText")]
    pub rotate_bytes: Option<SizeText>,
    /// Closed files that are kept; older ones are deleted. Without it, all are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", range(min = 1, max = 1_000_000))]
    pub keep_files: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "What has happened to a record before its request is forwarded: `queued` in this process, `written` to the system, `synced` to the disk."
)]
pub(in super::super) enum Durability {
    Queued,
    #[default]
    Written,
    Synced,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(
    description = "What becomes of a request whose record is not accepted: `deny` answers 503, `drop` counts the loss and goes on."
)]
pub(in super::super) enum OnFailure {
    #[default]
    Deny,
    Drop,
}
