//! SVIDs and authorities change under load; an identity is taken back and given again.

use portreeve::dev::Fault;
use portreeve::tls::Alpn;

use super::caller::{BOTH, Caller};
use super::load::Load;
use super::world::{World, of_kind, until};
use crate::support::{WEB, id};

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_svids_and_authorities_rotate() {
    let world = World::new();
    let sidecar = world.start_ready().await;
    let address = sidecar.addresses()[0];
    let load = Load::kept(world.api(), address, &["/a", "/b"]).await;
    let load = load.and_new(world.api(), address);
    let mut presented = Vec::new();
    for round in 0..6 {
        let caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
        presented.push(caller.presented.clone());
        let before = sidecar.identity().current().unwrap().sequence;
        if round % 2 == 0 {
            world.api().rotate_svids().unwrap();
        } else {
            world.api().rotate_authority().unwrap();
        }
        until("the next SVID", async || sidecar.identity().current().unwrap().sequence > before)
            .await;
        // The handshake that presents it comes a moment after the update.
        let old = presented.last().unwrap();
        until("a handshake with the new SVID", async || {
            let shaken = Caller::connect(world.api(), address, Alpn::Http1).await;
            shaken.is_ok_and(|caller| &caller.presented != old)
        })
        .await;
    }
    let asked = load.stop().await;
    assert!(asked.len() > 50, "{} requests are no load", asked.len());
    for asked in &asked {
        assert_eq!(asked.answer.as_ref().map(|answer| answer.status), Ok(200), "{asked:?}");
    }
    presented.dedup();
    assert_eq!(presented.len(), 6);
    let records = world.checked_records();
    assert_eq!(of_kind(&records, "identity", "updated").len(), 7);
    // A caller that the test stops in the middle of a handshake leaves. The handshakes that wait for the
    // new SVID above are issued by the new authority at once, before the sidecar may know it. Nobody
    // else may be turned away.
    let expected = ["tls.closed", "trust.unknown_issuer"];
    let mut refused = of_kind(&records, "refused", "");
    refused.retain(|record| !expected.iter().any(|it| record["refused"]["reason"] == *it));
    assert!(refused.is_empty(), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_retired_authority_issued_is_refused_and_whom_the_new_one_issued_is_not() {
    let world = World::new();
    let sidecar = world.start_ready().await;
    let address = sidecar.addresses()[0];
    let issued_before = world.api().issue(&id(WEB)).unwrap();
    world.api().rotate_authority().unwrap();
    world.api().retire_authorities();
    until("the new bundle", async || {
        let snapshot = sidecar.identity().current().unwrap();
        snapshot.bundles.values().all(|roots| *roots == world.api().bundle())
    })
    .await;
    until("the new authority to be trusted", async || {
        match Caller::connect(world.api(), address, Alpn::Http2).await {
            Ok(mut caller) => caller.get("/a").await.is_ok_and(|answer| answer.status == 200),
            Err(_) => false,
        }
    })
    .await;
    let served = world.upstream.seen().len();
    for alpn in BOTH {
        // In TLS 1.3 the server's refusal may come after the client's end of the handshake.
        let connected = Caller::connect_with(world.api(), &issued_before, address, alpn).await;
        if let Ok(mut caller) = connected {
            caller.get("/a").await.unwrap_err();
        }
    }
    assert_eq!(world.upstream.seen().len(), served);
    until("the refusals' record", async || {
        let records = world.records();
        let refused = of_kind(&records, "refused", "");
        refused.iter().any(|record| {
            record["refused"]["reason"] == "trust.unknown_issuer"
                && record["refused"]["claimed"][0]["spiffe_id"] == WEB
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawn_identity_refuses_new_connections_until_it_comes_back() {
    let world = World::new();
    let process = world.run().await;
    let address = process.address().await;
    let mut kept = Caller::connect(world.api(), address, Alpn::Http2).await.unwrap();
    assert_eq!(kept.get("/a").await.unwrap().status, 200);

    world.api().set_fault(Fault::Denied);
    until("the identity to be gone", async || {
        process.reasons().await == Some(vec!["identity.withdrawn".to_owned()])
    })
    .await;
    until("new connections to be refused", async || {
        for alpn in BOTH {
            if Caller::connect(world.api(), address, alpn).await.is_ok() {
                return false;
            }
        }
        true
    })
    .await;
    // What proved itself before goes on until its own end.
    assert_eq!(kept.get("/a").await.unwrap().status, 200);

    world.api().set_fault(Fault::None);
    until("the identity to be back", async || process.reasons().await == Some(vec![])).await;
    for alpn in BOTH {
        until("a new connection", async || {
            Caller::connect(world.api(), address, alpn).await.is_ok()
        })
        .await;
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    let is_recorded = async || {
        let records = world.records();
        let lost = of_kind(&records, "identity", "lost");
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0]["reason"], "identity.withdrawn");
        let refused = of_kind(&records, "refused", "");
        refused.iter().any(|record| record["refused"]["reason"] == "identity.unavailable")
    };
    until("the refusals' record", is_recorded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_cannot_be_read_is_not_taken_over_and_the_last_good_serves() {
    let world = World::new();
    let process = world.run().await;
    let address = process.address().await;
    world.api().set_fault(Fault::GarbageBundle);
    until("the update to be discarded", async || {
        process.said().contains("update of the Workload API discarded")
    })
    .await;
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    until("the update to be told", async || {
        process.reasons().await == Some(vec!["identity.update_rejected".to_owned()])
    })
    .await;
}
