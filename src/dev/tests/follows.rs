//! Our client follows what our server says.

use super::*;

use rustls::pki_types::UnixTime;
use tokio::net::UnixListener;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::dev::{Authority, Fault, Selector};
use crate::identity::Unavailable;

/// Verifies the snapshot's own chain under its own bundle, as a peer would.
#[track_caller]
fn verify_own_chain(snapshot: &Snapshot) {
    let roots = &snapshot.bundles[snapshot.svid.id.trust_domain()];
    let anchors: Vec<_> =
        roots.iter().map(|root| anchor_from_trusted_cert(root).unwrap()).collect();
    let [leaf, intermediates @ ..] = snapshot.svid.certified_key.cert.as_slice() else {
        panic!("no leaf");
    };
    let now = Clock::system().now().unix_seconds().unsigned_abs();
    for usage in [KeyUsage::client_auth(), KeyUsage::server_auth()] {
        EndEntityCert::try_from(leaf)
            .unwrap()
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(now)),
                usage,
                None,
                None,
            )
            .unwrap();
    }
}

#[tokio::test]
async fn the_first_update_has_the_svid_and_its_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    assert_eq!(first.sequence, 1);
    assert_eq!(first.svid.id, id("spiffe://a.test/web"));
    assert_eq!(first.bundles[&domain("a.test")], api.bundle());
    let lifetime = first.svid.not_after.unix_seconds() - first.svid.not_before.unix_seconds();
    assert_eq!(lifetime, 60 * 60 + 10);
    verify_own_chain(&first);
    assert_eq!(identity.current().unwrap().sequence, 1);
}

#[tokio::test]
async fn a_rotated_svid_has_a_new_key_and_the_same_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    api.rotate_svids().unwrap();
    let second = snapshot(&identity, "rotated", |s| s.sequence == 2).await;
    assert_ne!(first.svid.certified_key.cert, second.svid.certified_key.cert);
    assert_eq!(first.bundles, second.bundles);
    verify_own_chain(&second);
}

#[tokio::test]
async fn svids_rotate_by_themselves_at_half_life() {
    let dir = tempfile::tempdir().unwrap();
    let api =
        WorkloadApi::start(Settings { ttl: Duration::from_secs(1), ..settings(&dir) }).unwrap();
    let identity = follow(api.socket(), None);
    snapshot(&identity, "rotated twice", |s| s.sequence >= 3).await;
}

#[tokio::test]
async fn a_new_authority_stands_beside_the_old_until_that_is_retired() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    let ours = domain("a.test");
    let old = first.bundles[&ours].clone();
    api.rotate_authority().unwrap();
    let both = snapshot(&identity, "two roots", |s| s.bundles[&ours].len() == 2).await;
    assert!(both.bundles[&ours].contains(&old[0]));
    verify_own_chain(&both);
    api.retire_authorities();
    let new = snapshot(&identity, "one root", |s| s.bundles[&ours].len() == 1).await;
    assert!(!new.bundles[&ours].contains(&old[0]));
    verify_own_chain(&new);
}

#[tokio::test]
async fn foreign_bundles_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    let foreign = domain("b.test");
    assert!(!first.bundles.contains_key(&foreign));
    let authority = Authority::new(foreign.clone(), Clock::system()).unwrap();
    api.federate(&foreign, authority.root().to_vec());
    let with = snapshot(&identity, "federated", |s| s.bundles.contains_key(&foreign)).await;
    assert_eq!(with.bundles[&foreign], [authority.root().clone()]);
    api.defederate(&foreign);
    snapshot(&identity, "defederated", |s| !s.bundles.contains_key(&foreign)).await;
}

#[tokio::test]
async fn a_foreign_bundle_that_cannot_be_read_trusts_nothing_and_blocks_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    let foreign = domain("b.test");
    let mut half_good = Authority::new(foreign.clone(), Clock::system()).unwrap().root().to_vec();
    half_good.extend(b"garbage");
    for bundle in [half_good, b"garbage".to_vec(), Vec::new()] {
        api.federate(&foreign, bundle);
        api.rotate_svids().unwrap();
        let before = identity.current().unwrap();
        let after = snapshot(&identity, "rotated", |s| {
            s.svid.certified_key.cert != before.svid.certified_key.cert
                && s.bundles.contains_key(&foreign)
        });
        let after = after.await;
        assert!(after.bundles[&foreign].is_empty());
        assert_eq!(after.bundles[&domain("a.test")], api.bundle());
        api.defederate(&foreign);
        snapshot(&identity, "defederated", |s| !s.bundles.contains_key(&foreign)).await;
    }
}

#[tokio::test]
async fn a_foreign_bundle_under_our_own_name_adds_no_root() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    let impostor = Authority::new(domain("a.test"), Clock::system()).unwrap();
    api.federate(&domain("a.test"), impostor.root().to_vec());
    let after = snapshot(&identity, "updated", |s| s.sequence == 2).await;
    assert_eq!(after.bundles[&domain("a.test")], api.bundle());
}

#[tokio::test]
async fn an_update_above_four_mebibytes_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    let foreign = domain("b.test");
    let root = Authority::new(foreign.clone(), Clock::system()).unwrap().root().to_vec();
    let count = 5 * 1024 * 1024 / root.len();
    api.federate(&foreign, root.repeat(count));
    let large = snapshot(&identity, "large", |s| s.bundles.contains_key(&foreign)).await;
    assert_eq!(large.bundles[&foreign].len(), count);
}

#[tokio::test]
async fn a_dropped_stream_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    api.drop_streams();
    api.rotate_svids().unwrap();
    snapshot(&identity, "rotated", |s| s.sequence == 2).await;
}

#[tokio::test]
async fn a_denial_withdraws_the_svid_at_once_and_it_may_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, _) = started(&dir).await;
    api.set_fault(Fault::Denied);
    until(&identity, "withdrawn", |state| matches!(state, State::Withdrawn { .. })).await;
    match identity.current() {
        Err(Unavailable::Withdrawn(reason)) => {
            assert!(reason.contains("is there a registration entry"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    api.set_fault(Fault::None);
    snapshot(&identity, "back", |s| s.sequence == 2).await;
}

#[tokio::test]
async fn a_server_that_goes_keeps_us_ready_and_one_that_returns_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (api, identity, first) = started(&dir).await;
    let path = api.socket().to_owned();
    api.shutdown().await;
    assert!(!path.exists());
    // The client's third try proves that two failures were taken in.
    let broken = UnixListener::bind(&path).unwrap();
    for _ in 0..3 {
        drop(timeout(PATIENCE, broken.accept()).await.unwrap().unwrap());
    }
    assert_eq!(identity.current().unwrap().sequence, 1);
    drop(broken);
    let again = WorkloadApi::start(settings(&dir)).unwrap();
    let second = snapshot(&identity, "of the new server", |s| s.sequence == 2).await;
    assert_ne!(first.bundles, second.bundles);
    assert_eq!(second.bundles[&domain("a.test")], again.bundle());
}

#[tokio::test]
async fn the_svid_is_picked_by_hint_by_id_or_as_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let entry = |name: &str, hint: &str| Entry {
        id: id(&format!("spiffe://a.test/{name}")),
        selector: Selector::Any,
        hint: Some(hint.to_owned()),
    };
    let entries = vec![entry("one", "x"), entry("two", "y"), entry("three", "y")];
    let api = WorkloadApi::start(Settings { entries, ..settings(&dir) }).unwrap();
    for (pick, expected) in [
        (None, "spiffe://a.test/one"),
        (Some(Pick::Hint(String::from("y"))), "spiffe://a.test/two"),
        (Some(Pick::SpiffeId(id("spiffe://a.test/three"))), "spiffe://a.test/three"),
    ] {
        let identity = follow(api.socket(), pick);
        assert_eq!(snapshot(&identity, "ready", |_| true).await.svid.id, id(expected));
    }
    let nobody = follow(api.socket(), Some(Pick::Hint(String::from("z"))));
    until(&nobody, "told", |state| match state {
        State::Waiting { reason } => {
            reason.contains("no SVID with hint `z`, it issues `spiffe://a")
        }
        State::Ready(_) | State::Withdrawn { .. } => false,
    })
    .await;
}

#[tokio::test]
async fn the_picked_svid_is_withdrawn_when_it_is_no_longer_issued() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let identity = follow(api.socket(), Some(Pick::SpiffeId(id("spiffe://a.test/web"))));
    snapshot(&identity, "ready", |_| true).await;
    api.set_entries(vec![Entry::any(id("spiffe://a.test/other"))]).unwrap();
    until(&identity, "withdrawn", |state| matches!(state, State::Withdrawn { .. })).await;
}
