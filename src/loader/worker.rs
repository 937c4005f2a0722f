//! One worker process: started, fed one frame, killed by wall clock, and asked why if it died.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::describe;
use super::protocol::Job;
use super::{LoaderError, MAX_FRAME_BYTES, THIS_PROGRAM, frame};

/// Of what a dying worker says; a stack overflow's message and a panic's first lines fit.
const MAX_LAST_WORDS_BYTES: u64 = 2_000;

/// Why there is no answer; follows the words "the fetch" or "the check".
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("could not be started: {0}")]
    Start(io::Error),
    #[error("was stopped after {0} seconds")]
    Late(u64),
    #[error("crashed ({end}){last_words}")]
    Crashed { end: String, last_words: String },
    #[error("gave no whole answer")]
    Answer,
}

/// Runs a worker for one job; its answer is a whole frame and is not looked into.
pub(super) async fn run(role: &str, job: &[u8], limit: Duration) -> Result<Vec<u8>, Failure> {
    let mut command = Command::new(THIS_PROGRAM);
    command.args(["loader", role]).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Failure::Start)?;
    let group = Group(child.id());
    let outcome = timeout(limit, converse(&mut child, job)).await;
    // git and ssh are in the worker's group: they end with it, however it ended.
    drop(group);
    outcome.unwrap_or(Err(Failure::Late(limit.as_secs())))
}

async fn converse(child: &mut Child, job: &[u8]) -> Result<Vec<u8>, Failure> {
    let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
    let Some(((mut stdin, stdout), stderr)) = pipes else { return Err(Failure::Answer) };
    let ask = async {
        // A worker that died before reading is found below, by how it ended.
        let _ = stdin.write_all(job).await;
        drop(stdin);
    };
    let longest = u64::try_from(MAX_FRAME_BYTES).unwrap_or(u64::MAX) + 5;
    let ((), answer, last_words, end) = tokio::join!(
        ask,
        read_start(stdout, longest),
        read_start(stderr, MAX_LAST_WORDS_BYTES),
        child.wait()
    );
    let end = end.map_err(Failure::Start)?;
    if !end.success() {
        let last_words = String::from_utf8_lossy(&last_words);
        let last_words = match last_words.trim() {
            "" => String::new(),
            text => format!(": {text}"),
        };
        return Err(Failure::Crashed { end: describe(end), last_words });
    }
    // Only whole frames go on to the serving process, which decodes them.
    match frame::read(&mut answer.as_slice()).await {
        Ok(Some(whole)) if whole.len() == answer.len() => Ok(answer),
        _ => Err(Failure::Answer),
    }
}

/// Keeps the first bytes and throws the rest away, so that the writer never blocks.
async fn read_start(mut stream: impl AsyncRead + Unpin, bytes: u64) -> Vec<u8> {
    let mut start = Vec::new();
    let _ = (&mut stream).take(bytes).read_to_end(&mut start).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    start
}

/// A worker's process group, killed when this is dropped: also when the keeper's parent is gone.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// A worker's start: it dies with its keeper, and reads the one job from standard input.
pub(super) fn job<T: DeserializeOwned>() -> Result<Job<T>, LoaderError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| LoaderError::Confine { what: "parent", source: Box::new(error) })?;
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(LoaderError::Read)?;
    let frame = frame::read_blocking(&mut File::from(stdin)).map_err(LoaderError::Read)?;
    Ok(super::decode(&frame)?)
}

/// A worker's end.
pub(super) fn reply<T: serde::Serialize>(answer: &T) -> Result<(), LoaderError> {
    use std::io::Write as _;
    let frame = super::encode(answer)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&frame).and_then(|()| stdout.flush()).map_err(LoaderError::Write)
}
