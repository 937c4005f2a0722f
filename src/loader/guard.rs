//! One job on the policy of a folder, in a process of its own: the commands of policy authors run it
//! as the keeper runs a check.
//!
//! The task and the files go in by standard input, one answer comes back. The worker gives up every
//! right before it looks at the files, and what they do to it ends with it: a [`Failure`].

use std::io::{self, Read as _};
use std::time::Duration;

use portreeve_core::policy::{Files, FilesError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::worker::Failure;
use super::{Limits, LoaderError, disk, sandbox, worker};

/// A task is an input document and a few words; it is written by whoever runs the command.
const MAX_TASK_BYTES: u64 = 32 << 20;
/// Of results of tests: the longest file of cases fails with bounded texts.
const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The role of the worker, as `portreeve loader` knows it.
const ROLE: &str = "policy";

/// What a job may use before it is killed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Guard {
    /// By the clock on the wall, and as much of a processor.
    pub seconds: u64,
    pub memory_bytes: u64,
}

/// A bundle that passes is one that the loader's check lets pass: it has a second more.
impl Default for Guard {
    fn default() -> Self {
        Self { seconds: 9, memory_bytes: Limits::default().check_memory_bytes }
    }
}

/// Runs a task on these files in a worker and waits for its answer.
///
/// # Errors
/// The worker cannot be started, runs out of what it may use, or crashes.
pub fn guarded<T, A>(task: &T, files: &Files, guard: Guard) -> Result<A, Failure>
where
    T: Serialize,
    A: DeserializeOwned,
{
    let head = serde_json::to_vec(&(guard, task)).map_err(|_| Failure::Answer)?;
    let mut job = u64::try_from(head.len()).unwrap_or(u64::MAX).to_be_bytes().to_vec();
    job.extend_from_slice(&head);
    job.extend_from_slice(&files.to_bytes());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let limit = Duration::from_secs(guard.seconds);
    let running = worker::run(ROLE, &job, limit, MAX_ANSWER_BYTES);
    let answer = runtime.map_err(Failure::Start)?.block_on(running)?;
    serde_json::from_slice(&answer).map_err(|_| Failure::Answer)
}

/// The worker: one task on standard input, its answer on standard output.
///
/// # Errors
/// It cannot confine itself, was not given a task, or panicked.
pub fn serve_guarded<T, A>(
    work: impl FnOnce(T, Files) -> A + Send + 'static,
) -> Result<(), LoaderError>
where
    T: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
{
    worker::die_with_parent()?;
    let mut stdin = io::stdin().lock();
    let mut length = [0; 8];
    stdin.read_exact(&mut length).map_err(LoaderError::Read)?;
    let length = u64::from_be_bytes(length);
    if length > MAX_TASK_BYTES {
        return Err(LoaderError::Protocol("the task is too long"));
    }
    let mut head = Vec::new();
    (&mut stdin).take(length).read_to_end(&mut head).map_err(LoaderError::Read)?;
    let (guard, task): (Guard, T) =
        serde_json::from_slice(&head).map_err(|_| LoaderError::Protocol("this is no task"))?;
    let mut bytes = Vec::new();
    stdin.take(disk::MAX_BUNDLE_BYTES).read_to_end(&mut bytes).map_err(LoaderError::Read)?;
    let limits = Limits {
        check_seconds: guard.seconds,
        check_memory_bytes: guard.memory_bytes,
        ..Limits::default()
    };
    sandbox::confine_check(limits)?;
    let files = Files::from_bytes(&bytes).map_err(|error: FilesError| {
        LoaderError::Read(io::Error::new(io::ErrorKind::InvalidData, error))
    })?;
    drop(bytes);
    let answer = worker::on_serving_stack(move || work(task, files))?;
    serde_json::to_writer(io::stdout().lock(), &answer)
        .map_err(|error| LoaderError::Write(error.into()))
}
