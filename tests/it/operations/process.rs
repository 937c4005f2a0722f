//! The real binary as a child process, asked over its admin socket.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use portreeve::admin::client;
use rustix::process::{Pid, Resource, Rlimit, Signal};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::world::{PATIENCE, until};
use crate::support::PROGRAM;

/// A running sidecar; it is killed when this is dropped.
pub(super) struct Process {
    child: Child,
    dir: PathBuf,
}

impl Process {
    /// Runs `portreeve.yaml` of the directory; what it says goes to `stderr.txt` there.
    pub(super) fn spawn(dir: &Path, environment: &[(&str, &str)]) -> Self {
        let stderr = File::options().create(true).append(true).open(dir.join("stderr.txt"));
        let mut command = Command::new(PROGRAM);
        command.arg("run").arg("-c").arg(dir.join("portreeve.yaml"));
        command.envs(environment.iter().copied()).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr.unwrap());
        Self { child: command.spawn().unwrap(), dir: dir.to_owned() }
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.join("state/admin.sock")
    }

    /// `None` while nobody answers.
    pub(super) async fn status(&self) -> Option<Value> {
        client::get(&self.socket(), "/status").await.ok()
    }

    /// The reasons for which it is not ready, or degraded.
    pub(super) async fn reasons(&self) -> Option<Vec<String>> {
        let status = self.status().await?;
        let parts = status["readiness"]["parts"].as_array()?;
        let reasons = parts.iter().filter_map(|part| part["reason"].as_str());
        Some(reasons.filter(|reason| !reason.is_empty()).map(str::to_owned).collect())
    }

    pub(super) async fn ready(&mut self) {
        until("the process to be ready", async || {
            self.reasons().await.is_some_and(|reasons| reasons.is_empty())
        })
        .await;
    }

    /// Waits until it serves, perhaps degraded.
    pub(super) async fn serving(&mut self) {
        until("the process to serve", async || {
            let status = self.status().await;
            status.is_some_and(|status| {
                let parts = status["readiness"]["parts"].as_array().unwrap();
                parts.iter().all(|part| part["state"] != "not_ready")
            })
        })
        .await;
    }

    /// The address of its listener.
    pub(super) async fn address(&self) -> SocketAddr {
        let status = self.status().await.unwrap();
        status["listeners"][0]["address"].as_str().unwrap().parse().unwrap()
    }

    pub(super) async fn accepts(address: SocketAddr) -> bool {
        TcpStream::connect(address).await.is_ok()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap()
    }

    pub(super) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// From here on no file of it grows beyond so many bytes; `None` lifts that again.
    pub(super) fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(Some(self.pid()), Resource::Fsize, limit).unwrap();
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap()
    }

    /// What it has said so far.
    pub(super) fn said(&self) -> String {
        fs::read_to_string(self.dir.join("stderr.txt")).unwrap()
    }
}
