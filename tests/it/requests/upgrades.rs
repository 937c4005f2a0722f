//! Tunnels: `Upgrade: websocket` after an allow, and nothing else that looks like one.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Response;
use hyper_util::rt::TokioIo;
use portreeve::tls::Alpn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::*;

/// A websocket server that sends every message back.
fn echo() -> Respond {
    respond(|mut arrived| async move {
        let key = arrived.request.headers()["sec-websocket-key"].clone();
        let upgrade = hyper::upgrade::on(&mut arrived.request);
        tokio::spawn(async move {
            let stream = TokioIo::new(upgrade.await.unwrap());
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            while let Some(Ok(message)) = socket.next().await {
                let is_data = message.is_text() || message.is_binary();
                if is_data && socket.send(message).await.is_err() {
                    return;
                }
            }
        });
        Response::builder()
            .status(101)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-accept", derive_accept_key(key.as_bytes()))
            .body(whole(""))
            .unwrap()
    })
}

const ASK: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn upgrade_request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: orders.shop.test\r\n{ASK}\r\n")
}

#[test]
fn a_websocket_is_tunnelled_after_an_allow_and_its_bytes_are_recorded() {
    run(async {
        let scene = Setup { respond: echo(), ..Setup::default() }.start().await;
        let issued = scene.workload_api.issue(&id(WEB)).unwrap();
        let stream = handshake(scene.address(), &scene.workload_api, &issued, Alpn::Http1);
        let asked = "wss://orders.shop.test/orders/live".into_client_request().unwrap();
        let (mut socket, response) = client_async(asked, stream.await.unwrap()).await.unwrap();
        let decision = response.headers()["x-portreeve-decision-id"].to_str().unwrap().to_owned();
        for size in [1, 200, 100_000] {
            socket.send(Message::text("x".repeat(size))).await.unwrap();
            let back = timeout(PATIENCE, socket.next()).await.unwrap().unwrap().unwrap();
            assert_eq!(back.into_text().unwrap().len(), size);
        }
        socket.close(None).await.unwrap();
        while timeout(PATIENCE, socket.next()).await.unwrap().is_some_and(|m| m.is_ok()) {}
        drop(socket);
        scene.until_record(|record| text(record, "/kind") == "end").await;
        let log = scene.finish().await;
        let begun = decisions(&log)[0];
        assert_eq!(text(begun, "/request/upgrade"), "websocket");
        let ends = of_kind(&log, "end");
        assert_eq!(ends.len(), 1);
        let end = ends[0];
        assert_eq!((text(end, "/of"), text(end, "/id")), (text(begun, "/seq"), decision));
        assert_eq!(
            (text(end, "/response/status"), text(end, "/flags")),
            ("101".into(), "[]".into())
        );
        // Three frames with masks, and a close frame; without masks on the way back.
        assert_eq!(text(end, "/request/bytes"), (7 + 208 + 100_014 + 6).to_string(), "{end}");
        assert_eq!(text(end, "/response/bytes"), (3 + 204 + 100_010 + 2).to_string(), "{end}");
    });
}

#[test]
fn a_denied_upgrade_reaches_no_upstream() {
    run(async {
        let scene = Setup { respond: echo(), ..Setup::default() }.start().await;
        let mut raw = scene.raw(WEB).await;
        raw.write(upgrade_request("/reports/live")).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 403"));
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty());
        assert!(of_kind(&log, "end").is_empty());
    });
}

/// Serves one connection by hand: reads a head, hands the rest to `serve`.
async fn head_of(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn with_raw_upstream<F, Fut>(serve: F) -> Scene
where
    F: Fn(UnixStream, usize) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let mut scene = Scene::start().await;
    scene.upstream.stop().await;
    scene.upstream = Upstream::raw(&scene.dir.path().join("app.sock"), serve);
    scene
}

#[test]
fn early_bytes_wait_until_the_upstream_has_switched() {
    run(async {
        let scene = with_raw_upstream(|mut stream, _| async move {
            head_of(&mut stream).await;
            let early = timeout(Duration::from_millis(150), stream.read_u8()).await;
            assert!(early.is_err(), "a byte came before 101");
            let switch = b"HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhi";
            stream.write_all(switch).await.unwrap();
            let mut bytes = [0; 5];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        })
        .await;
        let mut raw = scene.raw(WEB).await;
        raw.write(format!("{}early", upgrade_request("/orders/live"))).await;
        let switched = raw.read_until("\r\n\r\n").await;
        assert!(switched.starts_with("HTTP/1.1 101"), "{switched}");
        assert_eq!(raw.read_all().await, "hiearly");
        let log = scene.finish().await;
        let ends = of_kind(&log, "end");
        assert_eq!(text(ends[0], "/request/bytes"), "5");
        assert_eq!(text(ends[0], "/response/bytes"), "7");
    });
}

#[test]
fn what_follows_an_upgrade_that_did_not_happen_is_decided_like_any_request() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        let next = "GET /reports/1 HTTP/1.1\r\nHost: a.test\r\n\r\n";
        raw.write(format!("{}{next}", upgrade_request("/orders/live"))).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        assert!(raw.read_response().await.starts_with("HTTP/1.1 403"));
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(seen.len(), 1);
        assert_eq!(decisions(&log).len(), 2);
    });
}

async fn check_switch(asked: String, switch: &'static str) {
    let scene = with_raw_upstream(move |mut stream, _| async move {
        head_of(&mut stream).await;
        stream.write_all(switch.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    })
    .await;
    let mut raw = scene.raw(WEB).await;
    raw.write(asked).await;
    let answer = raw.read_response().await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    drop(raw);
    let log = scene.finish().await;
    assert_eq!(text(of_kind(&log, "end")[0], "/flags/0"), "upstream.unasked_upgrade");
}

#[test]
fn a_switch_that_nobody_asked_for_is_502() {
    let asked = "GET /orders/1 HTTP/1.1\r\nHost: a.test\r\n\r\n".to_owned();
    let switch = "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    run(check_switch(asked, switch));
}

#[test]
fn a_switch_to_another_protocol_than_was_asked_for_is_502() {
    let asked = upgrade_request("/orders/live");
    run(check_switch(asked, "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"));
}

#[test]
fn an_upgrade_over_http2_or_to_an_http2_upstream_is_not_forwarded() {
    run(async {
        let setup = Setup { upstream_protocol: "h2c", ..Setup::default() };
        let scene = setup.start().await;
        let mut raw = scene.raw(WEB).await;
        raw.write(upgrade_request("/orders/live")).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 502"));
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty());
        assert_eq!(text(of_kind(&log, "end")[0], "/flags/0"), "upstream.not_expressible");
    });
}
