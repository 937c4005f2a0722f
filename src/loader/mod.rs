//! The child process that reads foreign bytes: fetches, parses and tries a candidate bundle.
//!
//! The serving process starts one child, the keeper, and speaks bounded frames with it over a pipe.
//! The keeper confines itself, parses nothing of policy and starts one fresh worker per request: a
//! `fetch` worker (git or a directory in, a candidate file out) or a `check` worker (a candidate in,
//! a verdict out). A worker is killed by wall clock and may crash freely: that is a rejection, never
//! the end of the sidecar. Nothing here ever sees a key, a listener or a peer.

mod frame;
mod protocol;
mod disk;
mod sandbox;
mod client;
mod keeper;
mod worker;
mod fetch;
mod check;
mod trial;
mod guard;

use std::io;
use std::path::PathBuf;

pub use check::main as check;
pub use check::{Passed, load_and_try};
pub use client::Keeper;
pub use disk::{Place, bundle_path, read_bundle, sync_directory, write_atomically};
pub use fetch::main as fetch;
pub use fetch::{
    ArchiveError, MAX_ARCHIVE_BYTES, Repository, RevisionError, is_archive, read_archive,
};
pub use frame::{FrameError, MAX_FRAME_BYTES, decode, encode};
pub use guard::{Guard, guarded, serve_guarded};
pub use keeper::main as keeper;
pub use protocol::{
    Assignment, CheckRequest, Checked, Counts, FetchRequest, Fetched, Limits, Source,
};
pub use sandbox::Report as SandboxReport;
pub use worker::Failure;

/// The running program, even if its file was replaced meanwhile.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Where git and ssh are looked for: the folders that the sandbox lets the loader start programs from.
const PROGRAM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The stack of every thread that loads or evaluates policy, in every process: what a bundle needs in
/// the check is then what it needs when it serves.
pub const SERVING_STACK_BYTES: usize = 8 << 20;

/// Why the loader could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    #[error("failed to start the loader `{program}`")]
    Start { program: PathBuf, source: io::Error },
    #[error("failed to write to the loader")]
    Write(#[source] io::Error),
    #[error("failed to read from the loader")]
    Read(#[source] io::Error),
    #[error("the loader ended ({0})")]
    Ended(String),
    #[error("the loader gave no answer within {0} seconds")]
    Silent(u64),
    #[error("the loader broke its protocol")]
    Frame(#[from] FrameError),
    #[error("the loader broke its protocol: {0}")]
    Protocol(&'static str),
    #[error("failed to confine the loader: {what}")]
    Confine { what: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the check panicked: {0}")]
    Panicked(String),
    #[error("failed to use `{path}`")]
    Store { path: PathBuf, source: io::Error },
}
