//! The keeper alone: what its workers do to themselves does not reach it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use portreeve::loader::{
    Assignment, CheckRequest, Checked, FetchRequest, Fetched, Keeper, Limits, Place, Source,
};
use portreeve_core::policy::UnboundedBuiltins;

use super::support::{ALLOW, PROGRAM, Repo, git_source};

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
        unbounded_builtins: UnboundedBuiltins::Refuse,
    };
    let hello = portreeve::loader::encode(&assignment).unwrap();
    assert_eq!(run(&hello), (Some(0), String::new()));
}

/// A keeper alone, on a store directory of its own.
async fn keeper(source: Source, limits: Limits) -> (Keeper, tempfile::TempDir) {
    let state = tempfile::tempdir().unwrap();
    fs::create_dir(state.path().join("candidates")).unwrap();
    let assignment = Assignment {
        source,
        store: state.path().to_path_buf(),
        limits,
        unbounded_builtins: UnboundedBuiltins::Refuse,
    };
    (Keeper::start(Path::new(PROGRAM), &assignment).await.unwrap(), state)
}
