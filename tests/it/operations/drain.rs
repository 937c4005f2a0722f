//! SIGTERM: what is in flight may finish, everything else ends, and the log is whole.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::Request;
use http_body_util::{BodyExt as _, Full};
use portreeve::tls::Alpn;
use rustix::process::Signal;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use super::caller::{BOTH, Caller, read};
use super::process::Process;
use super::world::{PATIENCE, World, of_kind, until};
use crate::support::{WEB, handshake, id};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes_and_everything_else_ends() {
    let world = World::new();
    let mut process = world.run().await;
    let address = process.address().await;
    let mut h1 = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
    let mut h2 = Caller::connect(world.api(), address, Alpn::Http2).await.unwrap();
    let mut idle = Vec::new();
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
        idle.push(caller);
        // Nothing has been asked on this one.
        idle.push(Caller::connect(world.api(), address, alpn).await.unwrap());
    }
    let issued = world.api().issue(&id(WEB)).unwrap();
    let stream = handshake(address, world.api(), &issued, Alpn::Http1).await.unwrap();
    let url = "ws://orders.test/socket";
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));

    let mut another = h2.another_stream();
    let slow_h1 = tokio::spawn(async move { h1.get("/slow").await });
    let slow_h2 = tokio::spawn(async move { h2.get("/slow").await });
    until("the slow requests", async || world.upstream.seen().len() == 5).await;

    process.signal(Signal::TERM);
    until("readiness to go", async || {
        process.reasons().await.is_some_and(|reasons| reasons == ["draining"])
    })
    .await;
    until("the port to close", async || !Process::accepts(address).await).await;
    until("idle connections to end", async || idle.iter().all(|idle| !idle.is_open())).await;
    // A tunnel has no end to wait for.
    let end = tokio::time::timeout(PATIENCE, socket.next()).await.unwrap();
    assert!(!matches!(end, Some(Ok(Message::Text(_)))), "{end:?}");
    // GOAWAY: the connection goes on with what it has, and its client may begin nothing new on it.
    let request = Request::get("https://orders.test/a").body(Full::<Bytes>::default()).unwrap();
    let asking = tokio::time::timeout(PATIENCE, another.send_request(request));
    let error = asking.await.unwrap().unwrap_err();
    assert!(error.is_canceled(), "{error:?}");
    assert_eq!(world.upstream.seen().len(), 5);

    world.release();
    let answer = slow_h1.await.unwrap().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"slow"[..]));
    assert_eq!(answer.headers["connection"], "close");
    let answer = slow_h2.await.unwrap().unwrap();
    assert_eq!((answer.status, &*answer.body), (200, &b"slow"[..]));
    assert_eq!(process.ended().await.code(), Some(0));
    let records = world.checked_records();
    let last = records.last().unwrap();
    assert_eq!((&last["kind"], &last["event"]), (&"log".into(), &"stop".into()));
    let ends = of_kind(&records, "end", "");
    assert!(ends.iter().any(|end| end["flags"][0] == "tunnel.cut"), "{ends:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_end_is_cut_at_the_deadline() {
    let world = World::new();
    world.configure("limits: { drain_timeout: 500ms }");
    let mut process = world.run().await;
    let address = process.address().await;
    let mut streams = Vec::new();
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        let mut response = caller.open("/endless").await.unwrap();
        response.body_mut().frame().await.unwrap().unwrap();
        streams.push((caller, response));
    }
    let began = Instant::now();
    process.signal(Signal::TERM);
    for (_caller, response) in streams {
        tokio::time::timeout(PATIENCE, read(response)).await.unwrap().unwrap_err();
    }
    assert!(began.elapsed() >= Duration::from_millis(450), "cut after {:?}", began.elapsed());
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let records = world.checked_records();
    assert_eq!(of_kind(&records, "end", "").len(), 2);
    assert_eq!(records.last().unwrap()["event"], "stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_at_once_and_the_log_is_whole() {
    let world = World::new();
    world.configure("log: { durability: queued }");
    let mut process = world.run().await;
    let address = process.address().await;
    let mut caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
    let slow = tokio::spawn(async move { caller.get("/slow").await });
    until("the slow request", async || world.upstream.seen().len() == 1).await;
    let began = Instant::now();
    process.signal(Signal::TERM);
    until("the drain", async || {
        process.reasons().await.is_some_and(|reasons| reasons == ["draining"])
    })
    .await;
    process.signal(Signal::TERM);
    assert_eq!(process.ended().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    slow.await.unwrap().unwrap_err();
    assert_eq!(world.checked_records().last().unwrap()["event"], "stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_hangups_during_a_drain_is_harmless() {
    let world = World::new();
    let mut process = world.run().await;
    let address = process.address().await;
    let mut caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
    let slow = tokio::spawn(async move { caller.get("/slow").await });
    until("the slow request", async || world.upstream.seen().len() == 1).await;
    process.signal(Signal::TERM);
    for _ in 0..100 {
        process.signal(Signal::HUP);
    }
    until("the port to close", async || !Process::accepts(address).await).await;
    for _ in 0..100 {
        process.signal(Signal::HUP);
    }
    world.release();
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    assert_eq!(process.ended().await.code(), Some(0));
    world.checked_records();
}
