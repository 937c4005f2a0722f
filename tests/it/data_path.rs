//! The data path under hostile callers and upstreams: what must not be lost, held, smuggled or leaked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use portreeve::tls::Alpn;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::support::*;

const WEBSOCKET: &str = "GET /orders/ws HTTP/1.1\r\nhost: orders.shop.test\r\n\
    connection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Denies everything, and would tell the denied caller why.
const DENIES: &[(&str, &str)] = &[
    (".manifest", r#"{"metadata":{"portreeve":{"entrypoint":"data.authz"}}}"#),
    (
        "authz.rego",
        "package authz\n\nallow := {\"allowed\": false, \"headers\": {\"x-why\": \"no\"}}\n",
    ),
];

#[test]
fn a_head_that_does_not_parse_is_counted_once() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        raw.write("GET /orders/17 HTTP/1.1\r\nhost : a\r\n\r\n").await;
        assert!(raw.read_all().await.starts_with("HTTP/1.1 400"));
        // Whoever leaves without a word was not refused.
        drop(scene.raw(WEB).await);
        let counted = scene.until_record(|record| is_refused(record, "request.malformed")).await;
        assert_eq!(text(&counted, "/refused/count"), "1");
        assert!(counted.to_string().contains(WEB), "{counted}");
        let log = scene.finish().await;
        assert_eq!((of_kind(&log, "refused").len(), decisions(&log).len()), (1, 0));
    });
}

#[test]
fn a_broken_http_2_connection_is_counted() {
    run(async {
        let scene = Scene::start().await;
        let issued = scene.workload_api.issue(&id(WEB)).unwrap();
        let connected = handshake(scene.address(), &scene.workload_api, &issued, Alpn::Http2);
        let mut stream = connected.await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: orders.shop.test\r\n\r\n").await.unwrap();
        scene.until_record(|record| is_refused(record, "http.protocol")).await;
        scene.finish().await;
    });
}

#[test]
fn a_tunnel_keeps_its_place_among_the_connections() {
    run(async {
        let listener = "\n    limits: {connections: 1}".to_owned();
        let respond = respond(switch);
        let scene = Setup { listener, respond, ..Setup::default() }.start().await;
        let mut tunnel = scene.raw(WEB).await;
        tunnel.write(WEBSOCKET).await;
        assert!(tunnel.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 101"));
        tunnel.write("ping").await;
        assert_eq!(tunnel.read_until("ping").await, "ping");
        let waits = timeout(Duration::from_millis(300), scene.client(WEB, "h1")).await;
        assert!(waits.is_err(), "a second connection was served");
        drop(tunnel);
        timeout(PATIENCE, scene.client(WEB, "h1")).await.unwrap();
        let log = scene.finish().await;
        assert_eq!((decisions(&log).len(), of_kind(&log, "end").len()), (1, 1));
    });
}

#[test]
fn http_1_0_has_no_tunnels() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        raw.write(WEBSOCKET.replace("1.1", "1.0")).await;
        assert!(raw.read_all().await.contains(" 200 "));
        let (_, _, seen) = scene.finish_with().await;
        assert_eq!(seen[0].header("upgrade"), Vec::<&str>::new());
    });
}

#[test]
fn a_shadowed_denial_changes_nothing_in_the_request() {
    run(async {
        let policies = Policies::Files(DENIES);
        let scene = Setup { policies, mode: "shadow", ..Setup::default() }.start().await;
        let answer = scene.client(WEB, "h2").await.get("/orders/17").await;
        assert_eq!((answer.status.as_u16(), answer.header("x-why")), (200, ""));
        let (_, _, seen) = scene.finish_with().await;
        assert_eq!(seen[0].header("x-why"), Vec::<&str>::new());
    });
}

#[test]
fn the_body_of_a_get_reaches_the_upstream_whatever_its_framing() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        let head = "GET /orders/17 HTTP/1.1\r\nhost: orders.shop.test\r\n";
        raw.write(format!("{head}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        raw.write(format!("{head}content-length: 5\r\n\r\nworld")).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let (sender, body) = streamed();
        let send = async {
            sender.send(Ok(Frame::data(Bytes::from("again")))).await.unwrap();
            drop(sender);
        };
        let mut h2 = scene.client(WEB, "h2").await;
        tokio::join!(h2.ask(request("GET", "/orders/17", &[], body)), send);
        let (_, _, seen) = scene.finish_with().await;
        let bodies: Vec<_> = seen.iter().map(|seen| seen.body.clone().unwrap()).collect();
        assert_eq!(bodies, ["hello", "world", "again"]);
    });
}

#[test]
fn a_body_that_breaks_is_the_callers_fault() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        let head = "GET /orders/17 HTTP/1.1\r\nhost: orders.shop.test\r\n";
        raw.write(format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n")).await;
        assert!(raw.read_all().await.starts_with("HTTP/1.1 400"));
        let log = scene.finish().await;
        assert_eq!(decisions(&log)[0]["decision"]["outcome"], "allow");
        assert_eq!(of_kind(&log, "end")[0]["flags"][0], "request.body");
    });
}

#[test]
fn a_value_that_an_upstream_would_trim_is_refused() {
    run(async {
        let scene = Scene::start().await;
        let mut h2 = scene.client(WEB, "h2").await;
        let padded = request("GET", "/orders/17", &[("x-role", "admin ")], empty());
        assert_eq!(h2.ask(padded).await.status.as_u16(), 400);
        assert!(scene.upstream.seen().is_empty());
        let plain = request("GET", "/orders/17", &[("x-role", "admin")], empty());
        assert_eq!(h2.ask(plain).await.status.as_u16(), 200);
        scene.finish().await;
    });
}

#[test]
fn an_upstream_that_stopped_reading_holds_nobody_up() {
    run(async {
        let scene = Scene::start().await;
        let socket = scene.dir.path().join("app.sock");
        let _upstream = Upstream::raw(&socket, |mut stream, connection| async move {
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            if connection == 0 {
                sleep(PATIENCE).await;
            }
        });
        let mut web = scene.client(WEB, "h1").await;
        let long = request("GET", "/orders/17", &[], body(vec![b'x'; 400 << 10]));
        assert_eq!(web.ask(long).await.text(), "ok");
        let mut web = scene.client(WEB, "h1").await;
        let next = timeout(Duration::from_secs(5), web.get("/orders/18")).await;
        assert_eq!(next.unwrap().text(), "ok");
        scene.finish().await;
    });
}

#[test]
fn a_caller_that_leaves_ends_its_request_at_the_upstream() {
    run(async {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        for alpn in ["h1", "h2"] {
            is_cancelled.store(false, Ordering::SeqCst);
            let told = Arc::clone(&is_cancelled);
            let respond = respond(move |_arrived| {
                let told = Told(Arc::clone(&told));
                async move {
                    sleep(PATIENCE).await;
                    drop(told);
                    Response::new(whole(""))
                }
            });
            let scene = Setup { respond, ..Setup::default() }.start().await;
            let mut web = scene.client(WEB, alpn).await;
            let asked = web.send(request("GET", "/orders/17", &[], empty()));
            assert!(timeout(Duration::from_secs(1), asked).await.is_err());
            drop(web);
            scene.until("cancelled", || is_cancelled.load(Ordering::SeqCst)).await;
            let log = scene.finish().await;
            assert_eq!(decisions(&log).len(), 1);
            assert_eq!(of_kind(&log, "end")[0]["flags"][0], "caller.broke_off");
        }
    });
}

#[test]
fn trailers_may_not_claim_what_is_ours() {
    run(async {
        let respond = respond(|_arrived| async {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            trailers.insert("x-portreeve-decision-id", "forged".parse().unwrap());
            let frames = [Frame::data(Bytes::from("x")), Frame::trailers(trailers)];
            Response::new(StreamBody::new(tokio_stream::iter(frames.map(Ok))).boxed_unsync())
        });
        let upstream_protocol = "h2c";
        let scene = Setup { respond, upstream_protocol, ..Setup::default() }.start().await;
        let answer = scene.client(WEB, "h2").await.get("/orders/17").await;
        let trailers = answer.trailers.unwrap();
        assert_eq!((trailers.len(), &trailers["grpc-status"]), (1, &"0".parse().unwrap()));
        scene.finish().await;
    });
}

/// Says that it was dropped.
struct Told(Arc<AtomicBool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn is_refused(record: &Value, reason: &str) -> bool {
    text(record, "/kind") == "refused" && record.to_string().contains(reason)
}

/// Switches to a protocol in which everything comes back.
async fn switch(arrived: Arrived) -> Reply {
    let upgrade = hyper::upgrade::on(arrived.request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    });
    let response = Response::builder().status(101).header("connection", "upgrade");
    response.header("upgrade", "websocket").body(whole("")).unwrap()
}
