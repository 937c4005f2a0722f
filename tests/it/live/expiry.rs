//! A peer's SVID ends, a connection grows old: asked first, cut in the end.

use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::dev::Issued;
use portreeve::tls::Alpn;
use portreeve_core::Timestamp;
use tokio::time::{Instant, sleep};

use super::guest::{
    GUEST, Guest, Partner, broken_off, echoes, ended, setup, ticks, until, websocket,
};
use crate::support::*;

/// As short as SPIRE's tests have them; the window then is two seconds.
const TTL: Duration = Duration::from_secs(10);

fn later(start: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(start.unix_micros() + seconds * 1_000_000)
}

/// Waits until every connection was looked at by the time that the clock shows: connections with an
/// SVID near its end are asked to close by a look, and the second one only by a later look.
async fn looked_at(scene: &Scene, near_its_end: &Issued) {
    for _ in 0..2 {
        let served = Guest::served(scene, near_its_end, Alpn::Http2).await;
        let until_asked = tokio::time::timeout(PATIENCE, served.unwrap().ended()).await;
        assert_eq!(until_asked.unwrap(), None);
    }
}

#[test]
fn a_connection_is_asked_to_close_before_its_peers_svid_ends_and_is_cut_when_it_has() {
    run(async {
        let start = Clock::system().now();
        let clock = Clock::manual(start);
        let scene = Setup { clock: clock.clone(), ..setup() }.start().await;
        let partner = Partner::new(&clock);
        partner.federate(&scene).await;
        let issued = partner.issue(Duration::from_secs(200));
        let near_its_end = partner.issue(Duration::from_secs(175));
        let served = async |alpn| Guest::served(&scene, &issued, alpn).await.unwrap();
        let mut idle_h1 = served(Alpn::Http1).await;
        let mut left_h1 = served(Alpn::Http1).await;
        let idle_h2 = served(Alpn::Http2).await;
        let mut busy_h2 = served(Alpn::Http2).await;
        let mut endless = busy_h2.open("/endless").await.unwrap();
        let mut socket = websocket(&scene, &issued).await;

        clock.set(later(start, 170));
        looked_at(&scene, &near_its_end).await;
        assert_eq!(idle_h1.get("/a").await, Ok((200, false)), "the window has not begun");
        assert!(idle_h2.is_open());
        clock.set(later(start, 190));
        assert_eq!(idle_h2.ended().await, None, "a graceful end is no error");
        let until_asked = async {
            while idle_h1.get("/a").await != Ok((200, true)) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, until_asked).await.unwrap();
        assert_eq!(idle_h1.ended().await, None);
        assert!(left_h1.is_open(), "nobody closes an idle connection that a request may cross");
        assert!(ticks(&mut endless).await && echoes(&mut socket).await);

        clock.set(later(start, 202));
        // Whichever comes first, the check of the request or the cut: it is not served.
        let answer = left_h1.get("/a").await;
        assert!(
            answer.is_err() || answer.as_ref().is_ok_and(|(status, _)| *status == 401),
            "{answer:?}"
        );
        broken_off(endless).await;
        let error = busy_h2.ended().await.unwrap_or_default();
        assert!(error.contains("INADEQUATE_SECURITY"), "{error}");
        left_h1.ended().await;
        ended(&mut socket).await;
        let cut = scene.until_record(|record| record["kind"] == "connection").await;
        assert_eq!(
            (text(&cut, "/spiffe_id"), text(&cut, "/reason")),
            (GUEST.into(), "svid.expired".into())
        );
        scene.finish().await;
    });
}

/// A client that looks after its SVID: it takes a new connection when it is asked to.
async fn ask_for(scene: &Scene, partner: &Partner, alpn: Alpn, time: Duration) -> (u32, u32) {
    let (mut asked, mut connections) = (0, 0);
    let end = Instant::now() + time;
    while Instant::now() < end {
        let issued = partner.issue(TTL);
        let mut guest = Guest::connect(scene.address(), scene, &issued, alpn).await.unwrap();
        connections += 1;
        while Instant::now() < end && guest.is_open() {
            match guest.get("/a").await {
                Ok((200, false)) => {}
                Ok((200, true)) => break,
                Err(error) if was_not_sent(&error) => break,
                other => panic!("{other:?} after {asked} on {connections} connections of {alpn:?}"),
            }
            asked += 1;
            sleep(Duration::from_millis(5)).await;
        }
    }
    (asked, connections)
}

/// hyper's words for a connection that was closed before the request was sent on it, and for a stream
/// above the last that a polite GOAWAY names (RFC 9113 §6.8: it was not acted on).
fn was_not_sent(error: &str) -> bool {
    ["Canceled", "Closed", "NO_ERROR"].iter().any(|word| error.contains(word))
}

#[test]
fn a_client_that_takes_a_new_connection_when_asked_sees_no_failed_request() {
    run(async {
        let scene = setup().start().await;
        let partner = Partner::new(&Clock::system());
        partner.federate(&scene).await;
        let time = TTL + Duration::from_secs(3);
        let (h1, h2) = tokio::join!(
            ask_for(&scene, &partner, Alpn::Http1, time),
            ask_for(&scene, &partner, Alpn::Http2, time),
        );
        for (asked, connections) in [h1, h2] {
            assert!(asked > 50 && connections > 1, "{asked} requests on {connections} connections");
        }
        let cut = scene.records().iter().filter(|record| record["kind"] == "connection").count();
        assert_eq!(cut, 0);
        scene.finish().await;
    });
}

#[test]
fn a_connection_that_is_too_old_is_asked_to_close() {
    run(async {
        let limits = "\n    limits: {max_connection_age: 2s}".to_owned();
        let scene = Setup { listener: limits, ..setup() }.start().await;
        let ours = scene.workload_api.issue(&id(WEB)).unwrap();
        let mut h1 = Guest::served(&scene, &ours, Alpn::Http1).await.unwrap();
        let h2 = Guest::served(&scene, &ours, Alpn::Http2).await.unwrap();
        let mut socket = websocket(&scene, &ours).await;
        let began = Instant::now();
        assert_eq!(h2.ended().await, None);
        assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
        until_closes(&mut h1).await;
        assert!(echoes(&mut socket).await, "a tunnel cannot be asked");
        let mut new = Guest::served(&scene, &ours, Alpn::Http2).await.unwrap();
        assert_eq!(new.get("/a").await, Ok((200, false)));
        drop((new, socket));
        scene.finish().await;
    });
}

async fn until_closes(guest: &mut Guest) {
    let asking = async {
        while guest.get("/a").await != Ok((200, true)) {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap();
    until(async || !guest.is_open()).await;
}
