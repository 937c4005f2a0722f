//! Repositories to fetch from, and a store that is looked at step by step.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::loader::Source;
use portreeve::store::{Event, Settings, Stage, Store};
use portreeve_core::policy::UnboundedBuiltins;
use tokio::sync::mpsc::Receiver;

pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");
pub(super) const ALLOW: &str = "permit(principal, action, resource);";
pub(super) const DENY: &str = "forbid(principal, action, resource);";

/// A repository on the disk with a work tree; git's own settings are kept out.
pub(super) struct Repo {
    root: tempfile::TempDir,
}

impl Repo {
    pub(super) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.commit(files);
        repo
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    pub(super) fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    pub(super) fn commit(&self, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "policies"]);
    }

    pub(super) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    #[track_caller]
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path()).args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// A running store, looked at only when a test says `refresh`.
pub(super) struct Running {
    pub(super) store: Store,
    events: Receiver<Event>,
    settings: Settings,
    pub(super) state: tempfile::TempDir,
}

impl Running {
    pub(super) async fn start(repo: &Repo, reference: &str) -> Self {
        Self::start_at(repo, reference, "").await
    }

    pub(super) async fn start_at(repo: &Repo, reference: &str, subdir: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        Self::spawn(settings(repo, reference, subdir, state.path()), state).await
    }

    pub(super) async fn spawn(settings: Settings, state: tempfile::TempDir) -> Self {
        let (store, events) =
            Store::spawn(settings.clone(), Clock::system(), Path::new(PROGRAM)).await.unwrap();
        Self { store, events, settings, state }
    }

    /// Stops the store, waits until it has let go of its directory, changes something, starts anew.
    pub(super) async fn restart_after(self, change: impl FnOnce()) -> Self {
        let Self { store, events, settings, state } = self;
        drop(events);
        drop(store);
        let lock = fs::File::open(state.path().join("store/lock")).unwrap();
        tokio::task::spawn_blocking(move || lock.lock()).await.unwrap().unwrap();
        change();
        Self::spawn(settings, state).await
    }

    pub(super) async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        event.unwrap().unwrap()
    }

    /// The commits before and after.
    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    pub(super) async fn activated(&mut self) -> (Option<String>, String) {
        match self.event().await {
            Event::Activated { from, to, .. } => {
                (from.map(|from| from.commit.to_string()), to.commit.to_string())
            }
            other => panic!("not activated: {other:?}"),
        }
    }

    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    pub(super) async fn rejected(&mut self) -> (String, Stage, String) {
        match self.event().await {
            Event::Rejected { commit, stage, text, .. } => (commit, stage, text),
            other => panic!("not rejected: {other:?}"),
        }
    }

    pub(super) fn active_commit(&self) -> String {
        self.store.active().unwrap().revision.commit.to_string()
    }
}

pub(super) fn settings(repo: &Repo, reference: &str, subdir: &str, state: &Path) -> Settings {
    Settings {
        source: git_source(&repo.url(), reference, subdir),
        interval: Duration::from_secs(3_600),
        directory: state.join("store"),
        unbounded_builtins: UnboundedBuiltins::Refuse,
    }
}

pub(super) fn git_source(url: &str, reference: &str, subdir: &str) -> Source {
    Source::Git {
        url: url.to_owned(),
        reference: reference.to_owned(),
        subdir: subdir.to_owned(),
        known_hosts: None,
        ssh_key: None,
        token_file: None,
    }
}
