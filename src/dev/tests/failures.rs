//! What does not work is said in words.

use super::*;

use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use crate::dev::{Fault, Selector, StartError};

#[track_caller]
fn fits(words: &str) -> impl Fn(&State) -> bool {
    move |state| matches!(state, State::Waiting { reason } if reason.contains(words))
}

#[tokio::test]
async fn a_missing_socket_is_named_and_the_server_is_found_when_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let identity = follow(&path, None);
    let words = format!("there is no socket at `{}`", path.display());
    until(&identity, "told", fits(&words)).await;
    let _api = WorkloadApi::start(settings(&dir)).unwrap();
    snapshot(&identity, "ready", |_| true).await;
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    std::fs::write(&path, "").unwrap();
    until(&follow(&path, None), "told", fits("is not a socket")).await;
}

#[tokio::test]
async fn a_socket_without_a_listener_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    until(&follow(&path, None), "told", fits("nobody listens on")).await;
}

#[tokio::test]
async fn another_protocol_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    until(&follow(&path, None), "told", fits("does a SPIFFE Workload API listen there?")).await;
}

#[tokio::test]
async fn a_caller_without_an_entry_gets_no_identity() {
    let dir = tempfile::tempdir().unwrap();
    let ours = rustix::process::geteuid().as_raw();
    let entry =
        |uid| Entry { id: id("spiffe://a.test/web"), selector: Selector::Uid(uid), hint: None };
    let entries = vec![entry(ours + 1)];
    let api = WorkloadApi::start(Settings { entries, ..settings(&dir) }).unwrap();
    let identity = follow(api.socket(), None);
    until(&identity, "told", fits("no identity issued: is there a registration entry")).await;
    api.set_entries(vec![entry(ours)]).unwrap();
    snapshot(&identity, "ready", |_| true).await;
}

#[tokio::test]
async fn an_unusable_bundle_of_our_own_is_refused_and_the_next_update_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    api.set_fault(Fault::GarbageBundle);
    let identity = follow(api.socket(), None);
    until(&identity, "told", fits("bundle of our own trust domain `a.test` cannot be read")).await;
    api.set_fault(Fault::None);
    snapshot(&identity, "ready", |_| true).await;
}

#[tokio::test]
async fn an_unavailable_api_says_what_the_server_says() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    api.set_fault(Fault::Unavailable);
    until(&follow(api.socket(), None), "told", fits("`made unavailable by a test`")).await;
}

#[tokio::test]
async fn the_server_refuses_settings_that_it_cannot_keep() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |change: fn(&mut Settings)| {
        let mut settings = settings(&dir);
        change(&mut settings);
        WorkloadApi::start(settings).expect_err("it started")
    };
    let error = refused(|s| s.trust_domain = domain("example.org"));
    assert!(matches!(error, StartError::Entry { .. }), "{error:?}");
    let error = refused(|s| {
        s.trust_domain = domain("example.org");
        s.entries = Vec::new();
    });
    assert!(matches!(error, StartError::Authority { .. }), "{error:?}");
    let error = refused(|s| s.ttl = Duration::from_millis(999));
    assert!(matches!(error, StartError::Ttl { .. }), "{error:?}");
    let error = refused(|s| s.ttl = Duration::from_secs(24 * 60 * 60 + 1));
    assert!(matches!(error, StartError::Ttl { .. }), "{error:?}");
    let error = refused(|s| s.entries = vec![Entry::any(id("spiffe://a.test/web")); 1001]);
    assert!(matches!(error, StartError::ManyEntries { count: 1001 }), "{error:?}");
    assert!(!dir.path().join("api.sock").exists());
}
