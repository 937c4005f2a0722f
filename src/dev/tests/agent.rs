//! What only an agent does: denies, sends too much, goes away.

use super::*;

use super::sources::trouble;
use crate::dev::Fault;
use crate::identity::Health;

#[tokio::test]
async fn a_denial_within_the_grace_is_forgotten_by_the_next_update_and_one_beyond_it_withdraws() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let source = Source::WorkloadApi { socket: api.socket().to_owned() };
    let with = |withdrawal_grace| {
        let source = source.clone();
        let settings = identity::Settings { withdrawal_grace, ..identity::Settings::new(source) };
        identity::spawn(&settings, Clock::system())
    };
    let (long, short) = (with(Duration::from_secs(60)), with(Duration::from_millis(300)));
    for identity in [&long, &short] {
        snapshot(identity, "ready", |_| true).await;
    }
    api.set_fault(Fault::Denied);
    trouble(&long, "identity.withdrawing").await;
    assert_eq!(long.health().reason(), "identity.withdrawing");
    until(&short, "withdrawn", |state| matches!(state, State::Withdrawn { .. })).await;
    assert!(long.current().is_ok());
    api.set_fault(Fault::None);
    snapshot(&long, "back", |s| s.sequence == 2).await;
    snapshot(&short, "back", |s| s.sequence == 2).await;
    assert_eq!(long.health(), Health::Good);
}

#[tokio::test]
async fn an_update_over_our_limit_is_told_and_the_last_good_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    api.federate(&domain("b.test"), vec![0; 65 * 1024 * 1024]);
    let told = trouble(&identity, "identity.update_rejected").await;
    assert!(told.text.contains("is larger than we take"), "{told:?}");
    assert_eq!(identity.current().unwrap().sequence, first.sequence);
    api.defederate(&domain("b.test"));
    api.rotate_svids().unwrap();
    snapshot(&identity, "rotated", |s| s.sequence == 2).await;
}

#[tokio::test]
async fn who_serves_the_socket_is_known_and_a_lost_agent_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    let served_by = identity.source().served_by.unwrap();
    assert_eq!(served_by.uid, rustix::process::geteuid().as_raw());
    assert_eq!(served_by.pid, Some(std::process::id().try_into().unwrap()));
    api.shutdown().await;
    let told = trouble(&identity, "identity.source_lost").await;
    assert!(told.text.contains("api.sock"), "{told:?}");
    // It serves as before: only an SVID that is late makes it degraded.
    assert_eq!(identity.health(), Health::Good);
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let identity = follow(&dir.path().join("agent/api.sock"), None);
    let told = trouble(&identity, "identity.source_lost").await;
    assert!(told.text.contains("there is no directory `"), "{told:?}");
}
