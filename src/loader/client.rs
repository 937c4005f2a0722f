//! The serving process's end: it starts the keeper once and asks it one thing at a time.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use super::protocol::{Ready, Request};
use super::{
    Assignment, CheckRequest, Checked, FetchRequest, Fetched, Limits, LoaderError, PROGRAM_PATH,
    SandboxReport, frame,
};

/// How much longer than its worker's limit the keeper may take to say that it was reached.
const KEEPER_GRACE: Duration = Duration::from_secs(5);
/// The keeper's own start: it opens a dozen paths.
const START_LIMIT: Duration = Duration::from_secs(10);

/// What git needs to know of our environment; everything else stays here.
const INHERITED: [&str; 8] = [
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The running keeper. It ends when this is dropped, because its standard input closes.
#[derive(Debug)]
pub struct Keeper {
    child: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    limits: Limits,
    pub sandbox: SandboxReport,
}

impl Keeper {
    /// Starts `program` as keeper for one source and waits until it has confined itself.
    ///
    /// # Errors
    /// It does not start, or does not get ready.
    pub async fn start(program: &Path, assignment: &Assignment) -> Result<Self, LoaderError> {
        let mut command = Command::new(program);
        command.args(["loader", "keeper"]).env_clear().env("PATH", PROGRAM_PATH);
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        // Its own process group: an interrupt from the terminal is ours to handle, in order.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/").process_group(0);
        let start = |source| LoaderError::Start { program: program.to_path_buf(), source };
        let mut child = command.spawn().map_err(start)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or(LoaderError::Protocol("there is no pipe"))?;
        let limits = assignment.limits;
        let sandbox = SandboxReport::default();
        let mut keeper = Self { child, stdin, stdout, limits, sandbox };
        let ready: Ready = keeper.exchange(assignment, START_LIMIT).await?;
        keeper.sandbox = ready.sandbox;
        Ok(keeper)
    }

    /// Looks at the source; what became of it is in the answer.
    ///
    /// # Errors
    /// The keeper itself is gone.
    pub async fn fetch(&mut self, request: FetchRequest) -> Result<Fetched, LoaderError> {
        let limit = Duration::from_secs(self.limits.fetch_seconds) + KEEPER_GRACE;
        self.exchange(&Request::Fetch(request), limit).await
    }

    /// Parses, loads and tries a candidate in a process of its own.
    ///
    /// # Errors
    /// The keeper itself is gone.
    pub async fn check(&mut self, request: CheckRequest) -> Result<Checked, LoaderError> {
        let limit = Duration::from_secs(self.limits.check_seconds) + KEEPER_GRACE;
        self.exchange(&Request::Check(request), limit).await
    }

    /// Waits until the keeper has ended and says how.
    pub async fn ended(&mut self) -> LoaderError {
        match self.child.wait().await {
            Ok(status) => LoaderError::Ended(describe(status)),
            Err(error) => LoaderError::Read(error),
        }
    }

    /// The keeper's process id, while it lives.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// One frame there, one back. After an error the pipe is out of step, so the keeper is ended.
    async fn exchange<Q, A>(&mut self, question: &Q, limit: Duration) -> Result<A, LoaderError>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
    {
        let answer = match timeout(limit, self.frames(question)).await {
            Ok(answer) => answer,
            Err(_) => Err(LoaderError::Silent(limit.as_secs())),
        };
        match answer.and_then(|answer| Ok(super::decode(&answer)?)) {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let _ = self.child.start_kill();
                Err(error)
            }
        }
    }

    async fn frames<Q: Serialize + Sync>(&mut self, question: &Q) -> Result<Vec<u8>, LoaderError> {
        let question = super::encode(question)?;
        if let Err(error) = self.stdin.write_all(&question).await {
            let is_gone = error.kind() == std::io::ErrorKind::BrokenPipe;
            return Err(if is_gone { self.ended().await } else { LoaderError::Write(error) });
        }
        match frame::read(&mut self.stdout).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => Err(self.ended().await),
            Err(error) => Err(LoaderError::Read(error)),
        }
    }
}

/// `exit code 2` or `signal 9`.
pub(super) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}
