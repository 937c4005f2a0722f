//! The policy store against real git repositories, with the real keeper and its workers.

mod loader;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::loader::Source;
use portreeve::store::{Event, LoaderState, Settings, Stage, Store, StoreError};
use portreeve_core::policy::UnboundedBuiltins;

use support::{ALLOW, DENY, PROGRAM, Repo, Running, settings};

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
    // It was not there when the loader confined itself, and is followed again all the same.
    repo.commit(&[("p.cedar", DENY)]);
    store.store.refresh();
    assert_eq!(store.activated().await, (Some(to.commit.to_string()), repo.head()));
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
        unbounded_builtins: UnboundedBuiltins::Refuse,
    };
    let mut store = Running::spawn(settings, state).await;
    assert_eq!(store.activated().await, (None, String::new()));
    fs::write(policies.path().join("p.cedar"), DENY).unwrap();
    let digest = store.store.active().unwrap().revision.digest.clone();
    let Event::Activated { from, to, .. } = store.event().await else { panic!("not activated") };
    assert_eq!(from.unwrap().digest, digest);
    assert_ne!(to.digest, digest);
}

fn kill(process: u32) {
    let status = Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(status.success());
}
