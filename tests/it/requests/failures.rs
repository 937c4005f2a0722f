//! Upstreams that fail, and listeners that only shadow: the record says what became of a permit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::BodyExt as _;
use hyper::body::Frame;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::support::*;

/// The one `end` record, which must refer to the one decision.
#[track_caller]
fn the_end(log: &[Value]) -> &Value {
    let (decisions, ends) = (decisions(log), of_kind(log, "end"));
    assert_eq!((decisions.len(), ends.len()), (1, 1), "{log:?}");
    assert_eq!(text(ends[0], "/of"), text(decisions[0], "/seq"));
    assert_eq!(text(ends[0], "/id"), text(decisions[0], "/id"));
    ends[0]
}

#[test]
fn an_upstream_that_is_down_is_502_and_the_permit_has_its_end() {
    run(async {
        for protocol in ["h1", "h2c"] {
            let setup = Setup { upstream_protocol: protocol, ..Setup::default() };
            let mut scene = setup.start().await;
            scene.upstream.stop().await;
            let answer = scene.client(WEB, "h1").await.get("/orders/1").await;
            assert_eq!(answer.status.as_u16(), 502);
            assert_eq!(answer.header("content-type"), "application/json");
            assert!(answer.text().contains(answer.decision_id()));
            let log = scene.finish().await;
            assert_eq!(text(decisions(&log)[0], "/decision/outcome"), "allow");
            let end = the_end(&log);
            assert_eq!(text(end, "/flags"), r#"["upstream.connect"]"#);
            assert_eq!(text(end, "/response/status"), "null");
        }
    });
}

async fn answer_by_hand(mut stream: UnixStream, answer: String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let _ = stream.write_all(answer.as_bytes()).await;
}

async fn with_answer(answer: &str) -> Scene {
    let answer = answer.to_owned();
    let mut scene = Scene::start().await;
    scene.upstream.stop().await;
    let socket = scene.dir.path().join("app.sock");
    scene.upstream =
        Upstream::raw(&socket, move |stream, _| answer_by_hand(stream, answer.clone()));
    scene
}

#[test]
fn an_upstream_that_answers_no_http_is_502() {
    run(async {
        for answer in [
            "",
            "garbage\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
        ] {
            let scene = with_answer(answer).await;
            let refused = scene.client(WEB, "h1").await.get("/orders/1").await;
            assert_eq!(refused.status.as_u16(), 502, "{answer:?}");
            let log = scene.finish().await;
            assert_eq!(text(the_end(&log), "/flags"), r#"["upstream.no_response"]"#, "{answer:?}");
        }
    });
}

/// A caller's own parser could take the other length, and the rest for the next response.
#[test]
fn an_answer_whose_length_has_two_readings_is_502() {
    run(async {
        for codings in [
            "Content-Length: 100\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\n{codings}\r\n\r\n2\r\nok\r\n0\r\n\r\n");
            let scene = with_answer(&answer).await;
            let refused = scene.client(WEB, "h1").await.get("/orders/1").await;
            assert_eq!(refused.status.as_u16(), 502, "{codings}");
            let log = scene.finish().await;
            assert_eq!(text(the_end(&log), "/flags"), r#"["upstream.framing"]"#, "{codings}");
        }
    });
}

#[test]
fn hop_by_hop_headers_of_an_answer_end_here_and_the_decision_is_ours() {
    run(async {
        let scene = with_answer(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close, X-Hop, Content-Length\r\n\
             X-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-Kept: 1\r\n\
             X-Portreeve-Decision-Id: forged\r\nX-Portreeve-Decision-Id: twice\r\n\r\nok",
        )
        .await;
        let answer = scene.client(WEB, "h1").await.get("/orders/1").await;
        let mut names: Vec<_> = answer.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["content-length", "x-kept", "x-portreeve-decision-id"]);
        let log = scene.finish().await;
        assert_eq!(text(decisions(&log)[0], "/id"), answer.decision_id());
    });
}

#[test]
fn an_upstream_that_breaks_off_breaks_the_answer_off() {
    run(async {
        for alpn in ["h1", "h2"] {
            // It breaks off once the caller has the head: a stream reset before that has none.
            let caller_has_head = Arc::new(Notify::new());
            let breaks_off = Arc::clone(&caller_has_head);
            let respond = respond(move |_| {
                let breaks_off = Arc::clone(&breaks_off);
                async move {
                    let (sender, body) = framed();
                    tokio::spawn(async move {
                        let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"hello")))).await;
                        breaks_off.notified().await;
                        let _ = sender.send(Err("broken".into())).await;
                    });
                    Response::builder().header("content-length", "10").body(body).unwrap()
                }
            });
            let scene = Setup { respond, ..Setup::default() }.start().await;
            let mut web = scene.client(WEB, alpn).await;
            let response = web.send(request("GET", "/orders/1", &[], empty())).await.unwrap();
            assert_eq!(response.status(), 200);
            let mut body = response.into_body();
            let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(first, "hello", "over {alpn}");
            caller_has_head.notify_one();
            assert!(body.collect().await.is_err(), "a shortened body looks whole over {alpn}");
            let log = scene.finish().await;
            let end = the_end(&log);
            assert_eq!(text(end, "/flags"), r#"["upstream.broke_off"]"#);
            assert_eq!(text(end, "/response/bytes"), "5");
        }
    });
}

#[test]
fn a_caller_that_leaves_is_told_from_an_upstream_that_does() {
    run(async {
        let respond = respond(|_| async {
            let (sender, body) = framed();
            tokio::spawn(async move {
                while sender.send(Ok(Frame::data(Bytes::from_static(b"more")))).await.is_ok() {}
            });
            Response::new(body)
        });
        let scene = Setup { respond, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h2").await;
        let response = web.send(request("GET", "/orders/1", &[], empty())).await.unwrap();
        drop((response, web));
        scene.until_record(|record| text(record, "/kind") == "end").await;
        let log = scene.finish().await;
        assert_eq!(text(the_end(&log), "/flags"), r#"["caller.broke_off"]"#);
    });
}

#[test]
fn an_exchange_longer_than_a_second_has_an_end_and_a_shorter_one_has_none() {
    run(async {
        let respond = respond(|arrived| async move {
            let is_slow = arrived.request.uri().path() == "/orders/slow";
            let (sender, body) = framed();
            tokio::spawn(async move {
                let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"first")))).await;
                if is_slow {
                    tokio::time::sleep(Duration::from_millis(1_100)).await;
                }
                let _ = sender.send(Ok(Frame::data(Bytes::from_static(b"second")))).await;
            });
            Response::new(body)
        });
        let scene = Setup { respond, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h1").await;
        assert_eq!(web.get("/orders/fast").await.text(), "firstsecond");
        assert_eq!(web.get("/orders/slow").await.text(), "firstsecond");
        drop(web);
        let log = scene.finish().await;
        let ends = of_kind(&log, "end");
        assert_eq!(ends.len(), 1);
        assert_eq!(text(ends[0], "/of"), text(decisions(&log)[1], "/seq"));
        assert_eq!(text(ends[0], "/response/bytes"), "11");
        assert!(ends[0]["duration_us"].as_u64().unwrap() > 1_000_000);
    });
}

#[test]
fn with_end_records_every_exchange_has_an_end() {
    run(async {
        let log = "\n  end_records: true".to_owned();
        let scene = Setup { log, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h1").await;
        let asked = request("POST", "/orders", &[("x-tenant", "a")], body("hello"));
        assert_eq!(web.ask(asked).await.status.as_u16(), 200);
        drop(web);
        let log = scene.finish().await;
        let end = the_end(&log);
        assert_eq!(text(end, "/flags"), "[]");
        assert_eq!(text(end, "/request/bytes"), "5");
        assert_eq!(text(end, "/response/bytes"), "4");
        assert_eq!(text(end, "/tries"), "1");
    });
}

#[test]
fn a_shadowed_denial_is_forwarded_and_recorded_as_what_it_would_have_been() {
    run(async {
        let scene = Setup { mode: "shadow", ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h2").await;
        for target in ["/orders/1", "/reports/1"] {
            let answer = web.get(target).await;
            assert_eq!((answer.status.as_u16(), answer.text()), (200, "seen"));
        }
        drop(web);
        let readiness = scene.sidecar.report().readiness();
        assert!(readiness.parts.iter().any(|part| part.reason == "mode.shadow"));
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(seen.len(), 2);
        assert_eq!(decisions(&log).len(), 2);
        let (allowed, denied) = (decisions(&log)[0], decisions(&log)[1]);
        let words = |record| (text(record, "/decision/outcome"), text(record, "/decision/ground"));
        assert_eq!(words(allowed), ("allow".to_owned(), "allowed".to_owned()));
        assert_eq!(words(denied), ("deny".to_owned(), "shadow".to_owned()));
        let ends = of_kind(&log, "end");
        assert_eq!(ends.len(), 1);
        assert_eq!(text(ends[0], "/of"), text(denied, "/seq"));
        assert_eq!(text(ends[0], "/response/status"), "200");
    });
}

#[test]
fn a_shadowed_error_is_forwarded_and_recorded_as_an_error() {
    run(async {
        let policies = Policies::Files(&[(
            "a.cedar",
            "permit(principal, action in Action::\"http\", resource)
             when { context.segment_count + 9223372036854775806 == 0 };",
        )]);
        let scene = Setup { policies, mode: "shadow", ..Setup::default() }.start().await;
        let answer = scene.client(WEB, "h1").await.get("/orders/1").await;
        assert_eq!(answer.status.as_u16(), 200);
        let log = scene.finish().await;
        the_end(&log);
        assert_eq!(text(decisions(&log)[0], "/decision/outcome"), "error");
        assert_eq!(text(decisions(&log)[0], "/decision/ground"), "shadow");
    });
}
