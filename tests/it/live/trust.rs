//! Federation ends, authorities change: whose connections are cut, and whose are not.

use portreeve::clock::Clock;
use portreeve::tls::Alpn;
use serde_json::Value;
use tokio::time::Instant;

use super::guest::{
    GUEST, Guest, Partner, broken_off, echoes, ended, setup, ticks, until, websocket,
};
use crate::support::*;

/// Idle and busy connections of one workload.
struct Open {
    idle: [Guest; 2],
    busy: [(Guest, Vec<http::Response<hyper::body::Incoming>>); 2],
    socket: super::guest::Socket,
}

impl Open {
    async fn new(scene: &Scene, issued: &portreeve::dev::Issued) -> Self {
        let served = async |alpn| Guest::served(scene, issued, alpn).await.unwrap();
        let mut h1 = served(Alpn::Http1).await;
        let one = vec![h1.open("/endless").await.unwrap()];
        let mut h2 = served(Alpn::Http2).await;
        let two = vec![h2.open("/endless").await.unwrap(), h2.open("/endless").await.unwrap()];
        Self {
            idle: [served(Alpn::Http1).await, served(Alpn::Http2).await],
            busy: [(h1, one), (h2, two)],
            socket: websocket(scene, issued).await,
        }
    }

    async fn assert_usable(&mut self) {
        for guest in &mut self.idle {
            assert_eq!(guest.get("/a").await, Ok((200, false)));
        }
        for (guest, responses) in &mut self.busy {
            assert!(guest.is_open());
            for response in responses {
                assert!(ticks(response).await);
            }
        }
        assert!(echoes(&mut self.socket).await);
    }

    async fn assert_cut(mut self) {
        let [h1, h2] = self.idle;
        h1.ended().await;
        let error = h2.ended().await.unwrap_or_default();
        assert!(error.contains("INADEQUATE_SECURITY"), "{error}");
        let [h1, h2] = self.busy;
        for response in h1.1.into_iter().chain(h2.1) {
            broken_off(response).await;
        }
        h1.0.ended().await;
        let error = h2.0.ended().await.unwrap_or_default();
        assert!(error.contains("INADEQUATE_SECURITY"), "{error}");
        ended(&mut self.socket).await;
    }
}

fn cuts(records: &[Value]) -> Vec<(String, String, u64)> {
    let cut = of_kind(records, "connection");
    let read = |record: &&Value| {
        let connections = record["connections"].as_u64().unwrap();
        (text(record, "/spiffe_id"), text(record, "/reason"), connections)
    };
    cut.iter().map(read).collect()
}

/// How many exchanges ended with this flag.
fn flagged(records: &[Value], flag: &str) -> usize {
    let has = |record: &&&Value| record["flags"].as_array().unwrap().iter().any(|f| f == flag);
    of_kind(records, "end").iter().filter(has).count()
}

#[test]
fn when_federation_ends_the_partners_connections_are_cut_and_ours_are_not() {
    run(async {
        let scene = setup().start().await;
        let partner = Partner::new(&Clock::system());
        partner.federate(&scene).await;
        let ours = scene.workload_api.issue(&id(WEB)).unwrap();
        let mut ours = Open::new(&scene, &ours).await;
        let issued = partner.issue(std::time::Duration::from_secs(3_600));
        let theirs = Open::new(&scene, &issued).await;

        partner.defederate(&scene);
        let began = Instant::now();
        theirs.assert_cut().await;
        assert!(began.elapsed() < PATIENCE);
        ours.assert_usable().await;
        let refused = Guest::served(&scene, &issued, Alpn::Http2).await;
        assert!(refused.is_err());

        partner.federate(&scene).await;
        let mut again = Guest::served(&scene, &issued, Alpn::Http2).await.unwrap();
        assert_eq!(again.get("/a").await, Ok((200, false)));
        ours.assert_usable().await;

        scene.until_record(|record| record["kind"] == "connection").await;
        let records = scene.records();
        assert_eq!(cuts(&records), [(GUEST.to_owned(), "trust.no_bundle".to_owned(), 5)]);
        // Of HTTP/1.1 one, of HTTP/2 two, and the tunnel.
        assert_eq!(flagged(&records, "trust.no_bundle"), 4);
        let (_, metrics) = scene.sidecar.report().metrics(None);
        let line = "portreeve_connections_cut_total{reason=\"trust.no_bundle\"} 5";
        assert!(metrics.contains(line), "{metrics}");
        drop((ours, again));
        scene.finish().await;
    });
}

#[test]
fn a_new_authority_cuts_nobody_and_the_end_of_the_old_one_cuts_whom_it_issued() {
    run(async {
        let scene = setup().start().await;
        let api = &scene.workload_api;
        let of_old = api.issue(&id(WEB)).unwrap();
        let mut old = Open::new(&scene, &of_old).await;
        api.rotate_authority().unwrap();
        let of_new = api.issue(&id(PAYMENTS)).unwrap();
        until(async || Guest::served(&scene, &of_new, Alpn::Http1).await.is_ok()).await;
        let mut new = Open::new(&scene, &of_new).await;
        old.assert_usable().await;

        api.retire_authorities();
        old.assert_cut().await;
        new.assert_usable().await;
        scene.until_record(|record| record["kind"] == "connection").await;
        let records = scene.records();
        assert_eq!(cuts(&records), [(WEB.to_owned(), "trust.unknown_issuer".to_owned(), 5)]);
        drop(new);
        scene.finish().await;
    });
}

#[test]
fn a_new_svid_of_our_own_verifies_nobody_again_and_a_withdrawn_one_cuts_nobody() {
    run(async {
        let scene = setup().start().await;
        let ours = scene.workload_api.issue(&id(WEB)).unwrap();
        let mut open = Open::new(&scene, &ours).await;
        scene.workload_api.rotate_svids().unwrap();
        scene.until("new", || scene.sidecar.identity().current().unwrap().sequence > 1).await;
        open.assert_usable().await;
        scene.workload_api.set_fault(portreeve::dev::Fault::Denied);
        scene.until("withdrawn", || scene.sidecar.identity().current().is_err()).await;
        until(async || Guest::served(&scene, &ours, Alpn::Http1).await.is_err()).await;
        open.assert_usable().await;
        assert_eq!(cuts(&scene.records()), []);
        drop(open);
        scene.finish().await;
    });
}
