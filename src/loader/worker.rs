//! One worker process: started, fed one frame, killed by wall clock, and asked why if it died.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use portreeve_core::policy::{Finding, Severity, watch_progress};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::client::describe;
use super::protocol::{Job, bounded};
use super::{LoaderError, SERVING_STACK_BYTES, THIS_PROGRAM, frame};

/// Of what a dying worker says, the end: the place that it was at, a stack overflow's message or a
/// panic's fit.
const MAX_LAST_WORDS_BYTES: usize = 4_000;
/// Begins the line by which a worker says what it does next; no other text of a worker has it.
const PLACE_MARK: char = '\u{1e}';

/// Stands between a file and the name of the trial request that is decided.
const TRIAL_MARK: char = '\u{1d}';

/// Why there is no answer; follows the words "the fetch" or "the check".
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("could not be started: {0}")]
    Start(#[source] io::Error),
    #[error("was stopped after {seconds} seconds")]
    Late {
        seconds: u64,
        /// `FILE` or `FILE:LINE`, if it was reading one.
        place: Option<String>,
    },
    #[error("crashed ({end}){last_words}")]
    Crashed { end: String, last_words: String, place: Option<String> },
    #[error("gave no whole answer")]
    Answer,
}

/// Runs a worker for one job and gives back all that it writes, at most `longest` bytes; the answer
/// is not looked into.
pub(super) async fn run(
    role: &str,
    job: &[u8],
    limit: Duration,
    longest: usize,
) -> Result<Vec<u8>, Failure> {
    let mut command = Command::new(THIS_PROGRAM);
    command.args(["loader", role]).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(Failure::Start)?;
    let group = Group(child.id());
    let mut last_words = Vec::new();
    let outcome = timeout(limit, converse(&mut child, job, longest, &mut last_words)).await;
    // git and ssh are in the worker's group: they end with it, however it ended.
    drop(group);
    let (place, last_words) = place_and_words(&String::from_utf8_lossy(&last_words));
    match outcome {
        Ok(Ok((end, answer))) if end.success() => Ok(answer),
        Ok(Ok((end, _))) => Err(Failure::Crashed { end: describe(end), last_words, place }),
        Ok(Err(failure)) => Err(failure),
        Err(_) => Err(Failure::Late { seconds: limit.as_secs(), place }),
    }
}

/// What is left in `last_words` is there also when this never returns.
async fn converse(
    child: &mut Child,
    job: &[u8],
    longest: usize,
    last_words: &mut Vec<u8>,
) -> Result<(ExitStatus, Vec<u8>), Failure> {
    let pipes = child.stdin.take().zip(child.stdout.take()).zip(child.stderr.take());
    let Some(((mut stdin, stdout), stderr)) = pipes else { return Err(Failure::Answer) };
    let ask = async {
        // A worker that died before reading is found below, by how it ended.
        let _ = stdin.write_all(job).await;
        drop(stdin);
    };
    let ((), answer, (), end) =
        tokio::join!(ask, read_start(stdout, longest), read_end(stderr, last_words), child.wait());
    let (end, answer) = (end.map_err(Failure::Start)?, answer);
    if answer.len() > longest { Err(Failure::Answer) } else { Ok((end, answer)) }
}

/// Keeps one byte more than may be and throws the rest away, so that the writer never blocks.
async fn read_start(mut stream: impl AsyncRead + Unpin, bytes: usize) -> Vec<u8> {
    let mut start = Vec::new();
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(1);
    let _ = (&mut stream).take(bytes).read_to_end(&mut start).await;
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    start
}

/// Keeps the last bytes.
async fn read_end(mut stream: impl AsyncRead + Unpin, end: &mut Vec<u8>) {
    while let Ok(count) = stream.read_buf(end).await
        && count > 0
    {
        let surplus = end.len().saturating_sub(MAX_LAST_WORDS_BYTES);
        end.drain(..surplus);
    }
}

/// The last place that a worker named, and what it said after that, as the end of a sentence.
fn place_and_words(text: &str) -> (Option<String>, String) {
    let (place, words) = match text.rsplit_once(PLACE_MARK) {
        None => (None, text),
        Some((_, last)) => {
            let (place, words) = last.split_once('\n').unwrap_or((last, ""));
            (Some(place.to_owned()).filter(|place| !place.is_empty()), words)
        }
    };
    let words = bounded(words);
    (place, if words.is_empty() { String::new() } else { format!(": {words}") })
}

impl Failure {
    /// Whether what it worked on brought it about, and not this machine.
    #[must_use]
    pub const fn is_by_policy(&self) -> bool {
        matches!(self, Self::Late { .. } | Self::Crashed { .. })
    }

    /// The failure as what is wrong with a policy, at the place where the worker was.
    #[must_use]
    pub fn finding(&self, job: &str) -> Finding {
        let place = match self {
            Self::Late { place, .. } | Self::Crashed { place, .. } => place.as_deref(),
            Self::Start(_) | Self::Answer => None,
        };
        let (place, trial) = match place.unwrap_or_default().split_once(TRIAL_MARK) {
            Some((file, trial)) => (file, format!(" while deciding a trial request ({trial})")),
            None => (place.unwrap_or_default(), String::new()),
        };
        let numbered =
            place.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
        let (file, line) = numbered.unwrap_or((place, 0));
        let mut finding =
            Finding::new(Severity::Error, file, line, 0, format!("{job} {self}{trial}"));
        finding.hint = match self {
            Self::Late { .. } => Some("make it smaller, or less nested".to_owned()),
            Self::Crashed { .. } => Some(
                "it exhausts the stack, the memory or the time of a process: make it smaller, or \
                 less nested"
                    .to_owned(),
            ),
            Self::Start(_) | Self::Answer => None,
        };
        finding
    }
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
    die_with_parent()?;
    let stdin = io::stdin().as_fd().try_clone_to_owned().map_err(LoaderError::Read)?;
    let frame = frame::read_blocking(&mut File::from(stdin)).map_err(LoaderError::Read)?;
    Ok(super::decode(&frame)?)
}

/// What started this worker may be killed, and nobody else would end it.
pub(super) fn die_with_parent() -> Result<(), LoaderError> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| LoaderError::Confine { what: "parent", source: Box::new(error) })
}

/// Names the place that a worker is at, so that it is known where it died.
pub(super) fn tell_place(place: &str) {
    use std::io::Write as _;
    let _ = io::stderr().write_all(format!("{PLACE_MARK}{place}\n").as_bytes());
}

/// Says that the files are read and a trial request is decided.
pub(super) fn tell_trial(file: &str, name: &str) {
    tell_place(&format!("{file}{TRIAL_MARK}{name}"));
}

/// Runs what loads or evaluates policy on a stack as large as a serving thread's, telling its places;
/// a panic is its text.
pub(super) fn on_serving_stack<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LoaderError> {
    let watched = move || {
        watch_progress(tell_place);
        let done = work();
        tell_place("");
        done
    };
    let thread = std::thread::Builder::new()
        .name("policy-check".to_owned())
        .stack_size(SERVING_STACK_BYTES)
        .spawn(watched)
        .map_err(|source| LoaderError::Start { program: "policy-check".into(), source })?;
    thread.join().map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        LoaderError::Panicked(text.unwrap_or("no message").to_owned())
    })
}

/// A worker's end.
pub(super) fn reply<T: serde::Serialize>(answer: &T) -> Result<(), LoaderError> {
    use std::io::Write as _;
    let frame = super::encode(answer)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(&frame).and_then(|()| stdout.flush()).map_err(LoaderError::Write)
}
