//! The policy store against real git repositories, with the real keeper and its workers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::loader::{
    Assignment, CheckRequest, Checked, FetchRequest, Fetched, Keeper, Limits, Place, Source,
};
use portreeve::store::{Event, LoaderState, Settings, Stage, Store, StoreError};
use tokio::sync::mpsc::Receiver;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");
const ALLOW: &str = "permit(principal, action, resource);";
const DENY: &str = "forbid(principal, action, resource);";

#[tokio::test]
async fn a_commit_becomes_active_and_the_next_one_follows() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    assert_eq!(store.activated().await, (None, repo.head()));
    let first = repo.head();
    let held = store.store.active().unwrap();

    repo.commit(&[("p.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await, (Some(first.clone()), repo.head()));
    assert_eq!(*held.revision.commit, *first, "who holds a bundle keeps it");
    let status = store.store.status();
    assert_eq!(status.active.as_ref().unwrap().commit, repo.head());
    assert_eq!(status.active.as_ref().unwrap().cedar_policies, 1);
    assert_eq!(status.last_error, None);
    assert_eq!(status.loader.state, LoaderState::Ready);
}

#[tokio::test]
async fn a_broken_commit_keeps_the_active_bundle_and_is_reported_with_its_place() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    let (_, first) = store.activated().await;

    repo.commit(&[("p.cedar", "permit(principal, action, resource);\npermit(nobody);")]);
    let broken = repo.head();
    store.store.refresh();
    let Event::Rejected { commit, stage, findings, .. } = store.event().await else {
        panic!("not rejected")
    };
    assert_eq!((commit, stage), (broken.clone(), Stage::Check));
    assert!(findings.0.iter().any(|f| f.file == "p.cedar" && f.line == 2), "{findings}");
    assert_eq!(store.active_commit(), first);
    assert_eq!(store.store.status().last_error.unwrap().commit, broken);

    repo.commit(&[("p.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await, (Some(first), repo.head()));
    assert_eq!(store.store.status().last_error, None);
}

#[tokio::test]
async fn a_policy_nested_without_end_is_a_rejection_and_not_an_abort() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    let (_, first) = store.activated().await;
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("if true then true else ", "")] {
        let (open, close) = (open.repeat(200_000), close.repeat(200_000));
        let policy = format!("permit(principal, action, resource) when {{ {open}true{close} }};");
        repo.commit(&[("p.cedar", &policy)]);
        store.store.refresh();
        let (commit, stage, _) = store.rejected().await;
        assert_eq!((commit, stage), (repo.head(), Stage::Check));
        assert_eq!(store.active_commit(), first);
    }
}

#[tokio::test]
async fn a_force_push_is_followed() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let root = repo.head();
    repo.commit(&[("p.cedar", DENY)]);
    let mut store = Running::start(&repo, "main").await;
    store.activated().await;
    repo.git(&["reset", "--hard", &root]);
    repo.commit(&[("other.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await.1, repo.head());
    repo.git(&["checkout", "--orphan", "fresh"]);
    repo.commit(&[("p.cedar", ALLOW)]);
    repo.git(&["branch", "-M", "fresh", "main"]);
    store.store.refresh();
    assert_eq!(store.activated().await.1, repo.head());
}

#[tokio::test]
async fn a_deleted_branch_is_reported_and_the_active_bundle_stays() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    let (_, first) = store.activated().await;
    repo.git(&["branch", "-m", "main", "trunk"]);
    store.store.refresh();
    let Event::FetchFailed { text } = store.event().await else { panic!("not failed") };
    assert_eq!(text, "there is no branch or tag `main`");
    assert_eq!(store.active_commit(), first);
    assert_eq!(store.store.status().last_error.unwrap().stage, Stage::Fetch);
    repo.git(&["branch", "-m", "trunk", "main"]);
    repo.commit(&[("p.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await.1, repo.head());
}

#[tokio::test]
async fn a_moved_tag_and_a_full_commit_id_are_followed() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let first = repo.head();
    repo.git(&["tag", "-a", "-m", "one", "v1"]);
    let mut store = Running::start(&repo, "v1").await;
    assert_eq!(store.activated().await.1, first);
    repo.commit(&[("p.cedar", DENY)]);
    repo.git(&["tag", "-f", "v1"]);
    store.store.refresh();
    assert_eq!(store.activated().await, (Some(first.clone()), repo.head()));

    let mut pinned = Running::start(&repo, &first).await;
    assert_eq!(pinned.activated().await.1, first);
}

#[tokio::test]
async fn a_name_that_is_a_branch_and_a_tag_is_refused() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    repo.git(&["tag", "main"]);
    let mut store = Running::start(&repo, "main").await;
    let Event::FetchFailed { text } = store.event().await else { panic!("not failed") };
    assert!(text.starts_with("`main` is a branch and a tag"), "{text}");
}

#[tokio::test]
async fn links_and_submodules_are_refused_by_name() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("data.json")).unwrap();
    repo.commit(&[]);
    let mut store = Running::start(&repo, "main").await;
    let expected = "`data.json` is a symbolic link (mode 120000), which a bundle may not hold";
    assert_eq!(store.rejected().await, (repo.head(), Stage::Read, expected.to_owned()));
    assert!(store.store.active().is_none());

    fs::remove_file(repo.path().join("data.json")).unwrap();
    let id = repo.head();
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},lib")]);
    repo.git(&["rm", "--cached", "data.json"]);
    repo.git(&["commit", "-m", "submodule"]);
    store.store.refresh();
    let expected = "`lib` is a submodule (mode 160000), which a bundle may not hold";
    assert_eq!(store.rejected().await, (repo.head(), Stage::Read, expected.to_owned()));
}

#[tokio::test]
async fn a_file_over_the_limit_and_names_that_differ_in_case_are_refused() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    fs::write(repo.path().join("data.json"), vec![b' '; (16 << 20) + 1]).unwrap();
    repo.commit(&[]);
    let mut store = Running::start(&repo, "main").await;
    let (_, stage, text) = store.rejected().await;
    assert_eq!(stage, Stage::Read);
    assert_eq!(text, "the files are refused: file `data.json` is larger than 16777216 bytes");
    fs::remove_file(repo.path().join("data.json")).unwrap();
    repo.commit(&[("P.cedar", ALLOW)]);
    store.store.refresh();
    let (_, _, text) = store.rejected().await;
    assert!(text.ends_with("differ only in case"), "{text}");
}

#[tokio::test]
async fn a_subdirectory_is_the_whole_bundle() {
    let repo = Repo::with(&[("a/p.cedar", ALLOW), ("b/broken.cedar", "permit(")]);
    let mut store = Running::start_at(&repo, "main", "a").await;
    assert_eq!(store.activated().await.1, repo.head());
    let mut store = Running::start_at(&repo, "main", "c").await;
    let (_, stage, text) = store.rejected().await;
    assert_eq!((stage, &*text), (Stage::Read, "there is no directory `c` in the commit"));
}

#[tokio::test]
async fn the_last_good_bundle_serves_while_git_is_away() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    store.activated().await;
    let mut store = store
        .restart_after(|| fs::rename(repo.path(), repo.path().with_extension("away")).unwrap())
        .await;
    let Event::Activated { from: None, to, restored: true, .. } = store.event().await else {
        panic!("not restored")
    };
    assert!(matches!(store.event().await, Event::FetchFailed { .. }));
    assert_eq!(store.active_commit(), *to.commit);
    fs::rename(repo.path().with_extension("away"), repo.path()).unwrap();
    assert_eq!(*to.commit, repo.head());
}

#[tokio::test]
async fn a_stored_bundle_that_was_changed_is_refused_and_fetched_again() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    store.activated().await;
    let bundles = store.state.path().join("store/bundles");
    let mut store = store
        .restart_after(|| {
            let file = fs::read_dir(&bundles).unwrap().next().unwrap().unwrap().path();
            let mut bytes = fs::read(&file).unwrap();
            let last = bytes.last_mut().unwrap();
            *last ^= 1;
            fs::write(file, bytes).unwrap();
        })
        .await;
    let (_, stage, text) = store.rejected().await;
    assert_eq!(stage, Stage::Restore);
    assert!(text.contains("the stored bytes have the digest"), "{text}");
    assert_eq!(store.activated().await, (None, repo.head()));
}

#[tokio::test]
async fn a_mirror_left_locked_or_broken_is_made_anew() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    store.activated().await;
    let mirror = store.state.path().join("store/mirror.git");
    fs::write(mirror.join("refs/portreeve/head.lock"), "").unwrap();
    repo.commit(&[("p.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await.1, repo.head());
    fs::remove_file(mirror.join("HEAD")).unwrap();
    repo.commit(&[("p.cedar", ALLOW)]);
    store.store.refresh();
    assert_eq!(store.activated().await.1, repo.head());
}

#[tokio::test]
async fn a_dead_keeper_degrades_the_store_and_the_active_bundle_stays() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let mut store = Running::start(&repo, "main").await;
    let (_, first) = store.activated().await;
    kill(store.store.status().loader.process.unwrap());
    let Event::LoaderGone { text } = store.event().await else { panic!("not gone") };
    assert_eq!(text, "the loader ended (signal 9)");
    assert_eq!(store.store.status().loader.state, LoaderState::Gone);
    assert_eq!(store.active_commit(), first);
}

#[tokio::test]
async fn a_second_sidecar_on_the_same_directory_is_refused() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let first = Running::start(&repo, "main").await;
    let settings = settings(&repo, "main", "", first.state.path());
    let error = Store::spawn(settings, Clock::system(), Path::new(PROGRAM)).await.unwrap_err();
    let StoreError::Directory(error) = error else { panic!("{error}") };
    assert!(error.to_string().contains("is in use by another running sidecar"), "{error}");
}

#[tokio::test]
async fn a_directory_source_is_followed_without_a_commit() {
    let policies = tempfile::tempdir().unwrap();
    fs::write(policies.path().join("p.cedar"), ALLOW).unwrap();
    let state = tempfile::tempdir().unwrap();
    let settings = Settings {
        source: Source::Dir(policies.path().to_path_buf()),
        interval: Duration::from_millis(200),
        directory: state.path().join("store"),
    };
    let mut store = Running::spawn(settings, state).await;
    assert_eq!(store.activated().await, (None, String::new()));
    fs::write(policies.path().join("p.cedar"), DENY).unwrap();
    let digest = store.store.active().unwrap().revision.digest.clone();
    let Event::Activated { from, to, .. } = store.event().await else { panic!("not activated") };
    assert_eq!(from.unwrap().digest, digest);
    assert_ne!(to.digest, digest);
}

#[tokio::test]
async fn a_fetch_that_hangs_is_killed_and_the_keeper_lives_on() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/policies.git", silent.local_addr().unwrap());
    let limits = Limits { fetch_seconds: 1, ..Limits::default() };
    let (mut keeper, _state) = keeper(git_source(&url, "main", ""), limits).await;
    for _ in 0..2 {
        let answer = keeper.fetch(FetchRequest { known: vec![] }).await.unwrap();
        let text = "the fetch was stopped after 1 seconds".to_owned();
        assert_eq!(answer, Fetched::Failed { text });
    }
}

#[tokio::test]
async fn a_check_that_runs_out_of_memory_is_a_rejection_and_the_keeper_lives_on() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    fs::write(repo.path().join("README"), vec![b' '; 12 << 20]).unwrap();
    repo.commit(&[]);
    let limits = Limits { check_memory_bytes: 16 << 20, ..Limits::default() };
    let (mut keeper, _state) = keeper(git_source(&repo.url(), "main", ""), limits).await;
    for _ in 0..2 {
        let answer = keeper.fetch(FetchRequest { known: vec![] }).await.unwrap();
        let Fetched::Candidate { commit, digest, files: 2 } = answer else { panic!("{answer:?}") };
        let request = CheckRequest { place: Place::Candidates, commit, digest };
        let answer = keeper.check(request).await.unwrap();
        let Checked::Rejected { text, .. } = answer else { panic!("{answer:?}") };
        assert!(text.starts_with("the check crashed ("), "{text}");
    }
}

#[tokio::test]
async fn a_known_commit_is_not_fetched_again() {
    let repo = Repo::with(&[("p.cedar", ALLOW)]);
    let (mut keeper, _state) = keeper(git_source(&repo.url(), "main", ""), Limits::default()).await;
    let known = repo.head();
    let answer = keeper.fetch(FetchRequest { known: vec![known.clone()] }).await.unwrap();
    assert_eq!(answer, Fetched::Unchanged { known });
}

#[tokio::test]
async fn the_loader_reaches_no_file_but_its_own() {
    let outside = Repo::with(&[("p.cedar", ALLOW)]);
    let repo = Repo::with(&[("q.cedar", ALLOW)]);
    let objects = outside.path().join(".git/objects");
    fs::write(
        repo.path().join(".git/objects/info/alternates"),
        objects.as_os_str().as_encoded_bytes(),
    )
    .unwrap();
    repo.git(&["update-ref", "refs/heads/outside", &outside.head()]);
    let source = git_source(&repo.url(), "outside", "");
    let (mut keeper, _state) = keeper(source, Limits::default()).await;
    let answer = keeper.fetch(FetchRequest { known: vec![] }).await.unwrap();
    let is_fetched = matches!(answer, Fetched::Candidate { .. });
    assert_eq!(is_fetched, !keeper.sandbox.complete, "{answer:?} {:?}", keeper.sandbox);
}

#[tokio::test]
async fn urls_with_credentials_are_refused_without_repeating_them() {
    let source = git_source("https://me:s3cret@127.0.0.1:1/p.git", "main", "");
    let (mut keeper, _state) = keeper(source, Limits::default()).await;
    let answer = keeper.fetch(FetchRequest { known: vec![] }).await.unwrap();
    let Fetched::Failed { text } = answer else { panic!("{answer:?}") };
    assert!(text.contains("use `token_file`") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_keeper_ends_on_garbage_and_when_its_parent_is_gone() {
    let run = |input: &[u8]| {
        use std::io::Write as _;
        let mut command = Command::new(PROGRAM);
        command.args(["loader", "keeper"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for garbage in [&b""[..], b"\0\0", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02{}"] {
        let (code, error) = run(garbage);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.starts_with("error: "), "{error}");
    }
    let state = tempfile::tempdir().unwrap();
    let assignment = Assignment {
        source: Source::Dir(state.path().to_path_buf()),
        store: state.path().to_path_buf(),
        limits: Limits::default(),
    };
    let hello = portreeve::loader::encode(&assignment).unwrap();
    assert_eq!(run(&hello), (Some(0), String::new()));
}

/// A repository on the disk with a work tree; git's own settings are kept out.
struct Repo {
    root: tempfile::TempDir,
}

impl Repo {
    fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(repo.path()).unwrap();
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo.commit(files);
        repo
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("policies")
    }

    fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    fn commit(&self, files: &[(&str, &str)]) {
        for (path, content) in files {
            let path = self.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "policies"]);
    }

    fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
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
struct Running {
    store: Store,
    events: Receiver<Event>,
    settings: Settings,
    state: tempfile::TempDir,
}

impl Running {
    async fn start(repo: &Repo, reference: &str) -> Self {
        Self::start_at(repo, reference, "").await
    }

    async fn start_at(repo: &Repo, reference: &str, subdir: &str) -> Self {
        let state = tempfile::tempdir().unwrap();
        Self::spawn(settings(repo, reference, subdir, state.path()), state).await
    }

    async fn spawn(settings: Settings, state: tempfile::TempDir) -> Self {
        let (store, events) =
            Store::spawn(settings.clone(), Clock::system(), Path::new(PROGRAM)).await.unwrap();
        Self { store, events, settings, state }
    }

    /// Stops the store, waits until it has let go of its directory, changes something, starts anew.
    async fn restart_after(self, change: impl FnOnce()) -> Self {
        let Self { store, events, settings, state } = self;
        drop(events);
        drop(store);
        let lock = fs::File::open(state.path().join("store/lock")).unwrap();
        tokio::task::spawn_blocking(move || lock.lock()).await.unwrap().unwrap();
        change();
        Self::spawn(settings, state).await
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(Duration::from_secs(60), self.events.recv()).await;
        event.unwrap().unwrap()
    }

    /// The commits before and after.
    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    async fn activated(&mut self) -> (Option<String>, String) {
        match self.event().await {
            Event::Activated { from, to, .. } => {
                (from.map(|from| from.commit.to_string()), to.commit.to_string())
            }
            other => panic!("not activated: {other:?}"),
        }
    }

    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    async fn rejected(&mut self) -> (String, Stage, String) {
        match self.event().await {
            Event::Rejected { commit, stage, text, .. } => (commit, stage, text),
            other => panic!("not rejected: {other:?}"),
        }
    }

    fn active_commit(&self) -> String {
        self.store.active().unwrap().revision.commit.to_string()
    }
}

fn settings(repo: &Repo, reference: &str, subdir: &str, state: &Path) -> Settings {
    Settings {
        source: git_source(&repo.url(), reference, subdir),
        interval: Duration::from_secs(3_600),
        directory: state.join("store"),
    }
}

fn git_source(url: &str, reference: &str, subdir: &str) -> Source {
    Source::Git {
        url: url.to_owned(),
        reference: reference.to_owned(),
        subdir: subdir.to_owned(),
        known_hosts: None,
        ssh_key: None,
        token_file: None,
    }
}

/// A keeper alone, on a store directory of its own.
async fn keeper(source: Source, limits: Limits) -> (Keeper, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("candidates")).unwrap();
    let assignment = Assignment { source, store: state.path().to_path_buf(), limits };
    (Keeper::start(Path::new(PROGRAM), &assignment).await.unwrap(), state)
}

fn kill(process: u32) {
    let status = Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(status.success());
}
