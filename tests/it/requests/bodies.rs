//! Bodies pass through without being held, and connections carry one decided request after another.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::*;

const CHUNK: usize = 64 << 10;
/// More than every window and buffer on the way together.
const CHUNKS: usize = 80;

/// Sends every frame back as it comes.
fn echo() -> Respond {
    respond(|arrived| async move {
        let body = arrived.request.into_body();
        Response::new(body.map_err(Broken::from).boxed_unsync())
    })
}

/// Each chunk comes back before the next is sent: nobody on the way waits for the whole.
async fn check_streams_both_ways(alpn: &str, upstream_protocol: &'static str) {
    let setup =
        Setup { policies: ALLOW_ALL, respond: echo(), upstream_protocol, ..Setup::default() };
    let scene = setup.start().await;
    let mut web = scene.client(WEB, alpn).await;
    let (sender, body) = streamed();
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    sender.send(Ok(Frame::data(chunk.clone()))).await.unwrap();
    let mut response = web.send(request("POST", "/orders", &[], body)).await.unwrap();
    let mut received = 0;
    for sent in 1..=CHUNKS {
        while received < sent * CHUNK {
            let frame = timeout(PATIENCE, response.body_mut().frame()).await.unwrap();
            received += frame.unwrap().unwrap().into_data().unwrap().len();
        }
        if sent < CHUNKS {
            sender.send(Ok(Frame::data(chunk.clone()))).await.unwrap();
        }
    }
    drop(sender);
    let rest = timeout(PATIENCE, response.body_mut().collect()).await.unwrap().unwrap();
    assert!(rest.to_bytes().is_empty());
    assert_eq!(received, CHUNKS * CHUNK);
    drop(web);
    scene.finish().await;
}

#[test]
fn a_body_streams_both_ways_at_once() {
    run(async {
        for (alpn, upstream) in [("h1", "h1"), ("h2", "h1"), ("h1", "h2c"), ("h2", "h2c")] {
            check_streams_both_ways(alpn, upstream).await;
        }
    });
}

#[test]
fn a_body_arrives_whole_however_it_is_framed() {
    run(async {
        let scene = Setup { policies: ALLOW_ALL, ..Setup::default() }.start().await;
        let mut raw = scene.raw(WEB).await;
        raw.write("POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello").await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        raw.write(
            "POST /b HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
             2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nAuthorization: Bearer x\r\nX-Spiffe-Id: a\r\n\r\n",
        )
        .await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        raw.write("GET /c HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\nhello").await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let (_, _, seen) = scene.finish_with().await;
        for request in &seen {
            assert_eq!(request.body.as_deref(), Some(&b"hello"[..]), "{}", request.target);
            // A trailer could say what a header may not.
            assert!(request.trailers.is_none(), "{request:?}");
            assert!(request.header("authorization").is_empty());
        }
        assert_eq!(seen[0].header("content-length"), ["5"]);
        assert_eq!(seen[1].header("transfer-encoding"), ["chunked"]);
        assert!(seen[1].header("content-length").is_empty());
    });
}

#[test]
fn a_body_that_is_expected_is_asked_for_after_an_allow_only() {
    run(async {
        let scene = Scene::start().await;
        let head = |tenant: &str| {
            format!(
                "POST /orders HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\
                 Expect: 100-continue\r\n{tenant}\r\n"
            )
        };
        let mut allowed = scene.raw(WEB).await;
        allowed.write(head("x-tenant: a\r\n")).await;
        assert_eq!(allowed.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        allowed.write("hello").await;
        assert!(allowed.read_response().await.starts_with("HTTP/1.1 200"));
        let mut denied = scene.raw(WEB).await;
        denied.write(head("")).await;
        assert!(denied.read_response().await.starts_with("HTTP/1.1 403"));
        let (_, _, seen) = scene.finish_with().await;
        assert_eq!(seen.len(), 1);
        assert!(seen[0].header("expect").is_empty());
    });
}

#[test]
fn a_denied_body_is_never_taken_for_a_request() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        // The body of a denied POST is an allowed GET.
        let smuggled = "GET /orders/9 HTTP/1.1\r\nHost: a.test\r\n\r\n";
        let length = smuggled.len();
        raw.write(format!(
            "POST /orders HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n{smuggled}"
        ))
        .await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 403"));
        assert!(raw.is_silent().await);
        drop(raw);
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty(), "{seen:?}");
        assert_eq!(decisions(&log).len(), 1);
    });
}

#[test]
fn trailers_of_a_response_arrive() {
    run(async {
        let respond = respond(|arrived| async move {
            arrived.collect().await;
            let (sender, body) = framed();
            tokio::spawn(async move {
                let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"body")))).await;
                let mut trailers = HeaderMap::new();
                trailers.insert("x-checksum", "17".parse().unwrap());
                let _ = sender.send(Ok(Frame::trailers(trailers))).await;
            });
            Response::new(body)
        });
        let setup =
            Setup { policies: ALLOW_ALL, respond, upstream_protocol: "h2c", ..Setup::default() };
        let scene = setup.start().await;
        let answer = scene.client(WEB, "h2").await.get("/orders/1").await;
        assert_eq!(answer.text(), "body");
        assert_eq!(answer.trailers.unwrap()["x-checksum"], "17");
        assert_eq!(scene.upstream.seen()[0].version, http::Version::HTTP_2);
        scene.finish().await;
    });
}

#[test]
fn answers_without_body_keep_the_connection_in_step() {
    run(async {
        let respond = respond(|arrived| async move {
            let (parts, _) = arrived.collect().await;
            let (status, length) = match parts.uri.path() {
                "/head" => (200, Some("1234")),
                "/none" => (204, None),
                _ => (304, None),
            };
            let mut response = Response::builder().status(status);
            if let Some(length) = length {
                response = response.header("content-length", length);
            }
            response.body(whole("")).unwrap()
        });
        let scene = Setup { policies: ALLOW_ALL, respond, ..Setup::default() }.start().await;
        for alpn in ["h1", "h2"] {
            let mut web = scene.client(WEB, alpn).await;
            for _ in 0..2 {
                let answer = web.ask(request("HEAD", "/head", &[], empty())).await;
                assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
                assert_eq!(answer.header("content-length"), "1234");
                assert_eq!(web.get("/none").await.status.as_u16(), 204);
                assert_eq!(web.get("/unchanged").await.status.as_u16(), 304);
            }
        }
        assert_eq!(scene.upstream.connections(), 1, "the upstream's connection is kept");
        scene.finish().await;
    });
}

#[test]
fn each_of_several_pipelined_requests_is_decided() {
    run(async {
        let scene = Scene::start().await;
        let mut raw = scene.raw(WEB).await;
        let paths = ["/orders/1", "/reports/1", "/orders/2", "/admin", "/orders/3"];
        let all: String = paths
            .iter()
            .map(|path| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"))
            .collect();
        raw.write(all).await;
        let mut statuses = Vec::new();
        for _ in paths {
            statuses.push(raw.read_response().await.split(' ').nth(1).unwrap().to_owned());
        }
        assert_eq!(statuses, ["200", "403", "200", "403", "200"]);
        drop(raw);
        let (log, _, seen) = scene.finish_with().await;
        let targets: Vec<_> = seen.iter().map(|seen| &*seen.target).collect();
        assert_eq!(targets, ["/orders/1", "/orders/2", "/orders/3"]);
        let recorded: Vec<_> =
            decisions(&log).into_iter().map(|record| text(record, "/request/path")).collect();
        assert_eq!(recorded, paths);
    });
}

/// Answers one request on a connection of its own, and says when it has closed it.
async fn answer_once(mut stream: UnixStream, closed: mpsc::Sender<()>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    drop(stream);
    let _ = closed.send(()).await;
}

#[test]
fn a_kept_connection_that_the_upstream_closed_costs_no_request() {
    run(async {
        let mut scene = Setup { policies: ALLOW_ALL, ..Setup::default() }.start().await;
        scene.upstream.stop().await;
        let (closed, mut is_closed) = mpsc::channel(1);
        let socket = scene.dir.path().join("app.sock");
        scene.upstream =
            Upstream::raw(&socket, move |stream, _| answer_once(stream, closed.clone()));
        let mut web = scene.client(WEB, "h1").await;
        for round in 0..30 {
            let answer = web.ask(request("POST", "/orders", &[], body("x"))).await;
            assert_eq!(answer.status.as_u16(), 200, "round {round}");
            is_closed.recv().await.unwrap();
        }
        assert_eq!(scene.upstream.connections(), 30);
        scene.finish().await;
    });
}

#[test]
fn an_answer_before_the_end_of_the_body_stops_the_upload() {
    run(async {
        let respond =
            respond(
                |_| async move { Response::builder().status(413).body(whole("too much")).unwrap() },
            );
        let scene = Setup { policies: ALLOW_ALL, respond, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h2").await;
        let (sender, body) = streamed();
        let response = web.send(request("POST", "/orders", &[], body)).await.unwrap();
        let answer = Answer::read(response).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (413, "too much"));
        drop(sender);
        // The next request finds a connection that is in step.
        let answer = timeout(Duration::from_secs(5), web.get("/orders/1")).await.unwrap();
        assert_eq!(answer.status.as_u16(), 413);
        drop(web);
        scene.finish().await;
    });
}
