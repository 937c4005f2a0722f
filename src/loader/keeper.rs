//! The keeper: confined for life, it starts a worker per request and outlives whatever that does.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::{Receiver, Sender};

use super::protocol::{Job, Ready, Request, bounded, bounded_findings};
use super::worker::{self, Failure};
use super::{Assignment, Checked, Fetched, LoaderError, frame, sandbox};
use portreeve_core::policy::Findings;

/// Runs a keeper over standard input and output until the serving process closes them.
///
/// # Errors
/// It cannot confine itself, or the serving process breaks the protocol.
pub fn main() -> Result<(), LoaderError> {
    // Unbuffered, so that no byte is taken from what the runtime reads later.
    let mut stdin = File::from(owned(&io::stdin())?);
    let mut stdout = File::from(owned(&io::stdout())?);
    let first = frame::read_blocking(&mut stdin).map_err(LoaderError::Read)?;
    let assignment: Assignment = super::decode(&first)?;
    // Before the runtime: a domain holds for this thread and all that it starts.
    let sandbox = sandbox::confine_keeper(&assignment)?;
    let ready = super::encode(&Ready { sandbox })?;
    stdout.write_all(&ready).map_err(LoaderError::Write)?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let start = |source| LoaderError::Start { program: super::THIS_PROGRAM.into(), source };
    runtime.map_err(start)?.block_on(async {
        let requests = Receiver::from_owned_fd(stdin.into()).map_err(LoaderError::Read)?;
        let answers = Sender::from_owned_fd(stdout.into()).map_err(LoaderError::Write)?;
        serve(requests, answers, &assignment).await
    })
}

async fn serve(
    mut requests: Receiver,
    mut answers: Sender,
    assignment: &Assignment,
) -> Result<(), LoaderError> {
    while let Some(request) = frame::read(&mut requests).await.map_err(LoaderError::Read)? {
        let request: Request = super::decode(&request)?;
        let answer = tokio::select! {
            answer = answer(assignment, request) => answer?,
            // Whoever asked is gone: the worker is killed as this returns.
            ended = out_of_turn(&requests) => return ended,
        };
        answers.write_all(&answer).await.map_err(LoaderError::Write)?;
    }
    Ok(())
}

async fn answer(assignment: &Assignment, request: Request) -> Result<Vec<u8>, LoaderError> {
    let assignment = assignment.clone();
    let limits = assignment.limits;
    match request {
        Request::Fetch(request) => {
            let limit = Duration::from_secs(limits.fetch_seconds);
            let job = super::encode(&Job { assignment, request })?;
            or_else(whole_frame("fetch", &job, limit).await, |failure| Fetched::Failed {
                text: bounded(&format!("the fetch {failure}")),
            })
        }
        Request::Check(request) => {
            let limit = Duration::from_secs(limits.check_seconds);
            let job = super::encode(&Job { assignment, request })?;
            or_else(whole_frame("check", &job, limit).await, |failure| Checked::Rejected {
                text: bounded(&format!("the check {failure}")),
                findings: bounded_findings(Findings(vec![failure.finding("the check")])),
            })
        }
    }
}

/// A worker's answer is passed on as it is, unread; a worker without one is answered for.
fn or_else<A: Serialize>(
    answer: Result<Vec<u8>, Failure>,
    failed: impl FnOnce(Failure) -> A,
) -> Result<Vec<u8>, LoaderError> {
    match answer {
        Ok(answer) => Ok(answer),
        Err(failure) => Ok(super::encode(&failed(failure))?),
    }
}

/// Only whole frames go on to the serving process, which decodes them.
async fn whole_frame(role: &str, job: &[u8], limit: Duration) -> Result<Vec<u8>, Failure> {
    let answer = worker::run(role, job, limit, frame::MAX_FRAME_BYTES + 4).await?;
    match frame::read(&mut answer.as_slice()).await {
        Ok(Some(whole)) if whole.len() == answer.len() => Ok(answer),
        _ => Err(Failure::Answer),
    }
}

/// Ends when the serving process closes the pipe, or speaks while an answer is due.
async fn out_of_turn(requests: &Receiver) -> Result<(), LoaderError> {
    loop {
        requests.readable().await.map_err(LoaderError::Read)?;
        match requests.try_read(&mut [0]) {
            Ok(0) => return Ok(()),
            Ok(_) => return Err(LoaderError::Protocol("a request came before the last answer")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(LoaderError::Read(error)),
        }
    }
}

fn owned(stream: &impl AsFd) -> Result<OwnedFd, LoaderError> {
    stream.as_fd().try_clone_to_owned().map_err(LoaderError::Read)
}
