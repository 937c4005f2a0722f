//! A caller's JWT-SVID stops holding while something of it is in flight: that alone ends.

use std::time::Duration;

use http::Response;
use hyper::body::Incoming;
use portreeve::clock::Clock;
use portreeve::dev::JwtAuthority;
use portreeve::tls::Alpn;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use tokio::time::timeout;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::blocked::said;
use super::guest::{GUEST, PARTNER, Socket, broken_off, echoes, ended, setup, ticks};
use crate::support::*;

const OURS: &str = "orders";
const HOUR: Duration = Duration::from_secs(3_600);
/// Ticks of an endless response over more than two looks of the sidecar.
const TWO_LOOKS: usize = 60;

async fn scene(clock: &Clock) -> Scene {
    let listener = "\n    callers: jwt\n    audience: [orders]\n    jwt_leeway: 5s".to_owned();
    Setup { listener, clock: clock.clone(), ..setup() }.start().await
}

fn bearer(scene: &Scene, spiffe_id: &str, ttl: Duration) -> String {
    let token = scene.workload_api.issue_jwt(&id(spiffe_id), &[OURS.to_owned()], ttl).unwrap();
    format!("Bearer {token}")
}

/// A connection without a certificate.
async fn connect(scene: &Scene, alpn: Alpn) -> Client {
    let stream = handshake_without_svid(scene.address(), &scene.workload_api, alpn).await;
    Client::over(stream.unwrap(), alpn == Alpn::Http2).await
}

async fn open(client: &mut Client, bearer: &str, path: &str) -> Response<Incoming> {
    let request = request("GET", path, &[("authorization", bearer)], empty());
    timeout(PATIENCE, client.send(request)).await.unwrap().unwrap()
}

/// An endless response that has begun.
async fn stream(client: &mut Client, bearer: &str) -> Response<Incoming> {
    let mut response = open(client, bearer, "/endless").await;
    assert_eq!(response.status(), 200);
    assert!(ticks(&mut response).await);
    response
}

async fn websocket(scene: &Scene, bearer: &str) -> Socket {
    let stream = handshake_without_svid(scene.address(), &scene.workload_api, Alpn::Http1).await;
    let mut asked = "wss://orders.shop.test/socket".into_client_request().unwrap();
    asked.headers_mut().insert("authorization", bearer.parse().unwrap());
    let (mut socket, _) = client_async(asked, stream.unwrap()).await.unwrap();
    assert!(echoes(&mut socket).await);
    socket
}

/// How many exchanges the log says were ended for this reason.
fn ended_for(records: &[serde_json::Value], reason: &str) -> usize {
    let is_it = |record: &&&serde_json::Value| text(record, "/flags/0") == reason;
    of_kind(records, "end").iter().filter(is_it).count()
}

#[test]
fn what_a_blocked_workload_has_in_flight_ends_and_its_neighbours_on_the_connection_do_not() {
    run(async {
        let scene = scene(&Clock::system()).await;
        let (web, payments) = (bearer(&scene, WEB, HOUR), bearer(&scene, PAYMENTS, HOUR));
        let mut shared = connect(&scene, Alpn::Http2).await;
        let theirs = stream(&mut shared, &web).await;
        let mut other = stream(&mut shared, &payments).await;
        let mut h1 = connect(&scene, Alpn::Http1).await;
        let h1_theirs = stream(&mut h1, &web).await;
        let mut socket = websocket(&scene, &web).await;
        let mut other_socket = websocket(&scene, &payments).await;
        let mut silent = connect(&scene, Alpn::Http1).await;
        let unanswered = open(&mut silent, &web, "/silent");
        let blocking = async {
            // The service has the request, and does not answer it.
            let decided = |record: &serde_json::Value| text(record, "/request/path") == "/silent";
            scene.until_record(decided).await;
            said(&scene, &["block", WEB, "--reason", "its key leaked"], 0).await
        };
        let (unanswered, _) = tokio::join!(unanswered, blocking);
        let unanswered = Answer::read(unanswered).await;
        assert_eq!(unanswered.status, 401);
        assert_eq!(unanswered.header("www-authenticate"), "Bearer");
        let error = broken_off(theirs).await;
        assert!(error.contains("CANCEL"), "{error}");
        broken_off(h1_theirs).await;
        ended(&mut socket).await;
        assert!(ticks(&mut other).await && echoes(&mut other_socket).await);
        assert_eq!(open(&mut shared, &payments, "/a").await.status(), 200);
        assert_eq!(open(&mut shared, &web, "/a").await.status(), 401);
        let (_, metrics) = scene.sidecar.report().metrics(None);
        let counted = "portreeve_exchanges_ended_total{reason=\"peer.blocked\"} 4";
        assert!(metrics.contains(counted), "{metrics}");
        drop((shared, h1, silent, other, other_socket));
        let log = scene.finish().await;
        assert_eq!(ended_for(&log, "peer.blocked"), 4);
    });
}

#[test]
fn what_was_proven_with_a_key_ends_with_the_key() {
    run(async {
        let scene = scene(&Clock::system()).await;
        let keys = || scene.sidecar.report().status().jwt_bundles.unwrap().keys;
        let old = bearer(&scene, WEB, HOUR);
        let mut client = connect(&scene, Alpn::Http2).await;
        let mut first = stream(&mut client, &old).await;
        scene.workload_api.rotate_authority().unwrap();
        scene.until("rotated", || keys()[TRUST_DOMAIN] == 2).await;
        let mut second = stream(&mut client, &bearer(&scene, WEB, HOUR)).await;
        for _ in 0..TWO_LOOKS {
            assert!(ticks(&mut first).await, "its key is still in force");
        }
        scene.workload_api.retire_authorities();
        broken_off(first).await;
        for _ in 0..TWO_LOOKS {
            assert!(ticks(&mut second).await);
        }
        drop((second, client));
        let log = scene.finish().await;
        assert_eq!(ended_for(&log, "jwt.unknown_key"), 1);
    });
}

#[test]
fn what_another_trust_domain_proved_ends_with_its_bundle() {
    run(async {
        let scene = scene(&Clock::system()).await;
        let partner = JwtAuthority::new().unwrap();
        let name = TrustDomain::parse(PARTNER).unwrap();
        scene.workload_api.federate_jwt(&name, partner.key_set());
        let keys = || scene.sidecar.report().status().jwt_bundles.unwrap().keys;
        scene.until("federated", || keys().contains_key(PARTNER)).await;
        let now = Clock::system().now();
        let token = partner.sign(&id(GUEST), &[OURS.to_owned()], now, HOUR).unwrap();
        let mut client = connect(&scene, Alpn::Http2).await;
        let theirs = stream(&mut client, &format!("Bearer {token}")).await;
        let mut socket = websocket(&scene, &format!("Bearer {token}")).await;
        let mut own = stream(&mut client, &bearer(&scene, WEB, HOUR)).await;
        scene.workload_api.defederate(&name);
        broken_off(theirs).await;
        ended(&mut socket).await;
        for _ in 0..TWO_LOOKS {
            assert!(ticks(&mut own).await);
        }
        drop((own, client));
        let log = scene.finish().await;
        assert_eq!(ended_for(&log, "jwt.no_bundle"), 2);
    });
}

#[test]
fn what_a_token_began_ends_when_it_expires_and_not_before() {
    run(async {
        let start = Clock::system().now();
        let clock = Clock::manual(start);
        let at = |seconds| clock.set(Timestamp::from_unix_seconds(start.unix_seconds() + seconds));
        let scene = scene(&clock).await;
        let short = bearer(&scene, WEB, Duration::from_secs(60));
        let mut client = connect(&scene, Alpn::Http2).await;
        let mut theirs = stream(&mut client, &short).await;
        let mut longer = stream(&mut client, &bearer(&scene, WEB, HOUR)).await;
        let mut socket = websocket(&scene, &short).await;
        at(62);
        for _ in 0..TWO_LOOKS {
            assert!(ticks(&mut theirs).await, "within the leeway");
        }
        assert!(echoes(&mut socket).await);
        at(66);
        broken_off(theirs).await;
        ended(&mut socket).await;
        for _ in 0..TWO_LOOKS {
            assert!(ticks(&mut longer).await);
        }
        drop((longer, client));
        let log = scene.finish().await;
        assert_eq!(ended_for(&log, "jwt.expired"), 2);
    });
}
