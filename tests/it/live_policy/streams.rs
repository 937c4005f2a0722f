//! Responses that stream while the policy changes.

use std::error::Error as _;

use super::*;

async fn open(client: &mut Client, streams: &Streams, path: &str) -> Incoming {
    let response = client.send(request("GET", path, &[], empty())).await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.into_body();
    streams.send(path, "data: 1\n\n").await;
    assert_eq!(next_text(&mut body).await, "data: 1\n\n");
    body
}

/// Two streams of one connection: the one that is no longer permitted ends, the other is completed.
async fn check_siblings(upstream: &'static str, file: &str, policy: &str, outcome: &str) {
    let streams = Streams::default();
    let respond = streams.respond();
    let setup =
        Setup { policies: ALLOW_ALL, respond, upstream_protocol: upstream, ..Setup::default() };
    let scene = setup.start().await;
    let mut web = scene.client(WEB, "h2").await;
    let mut dropped = open(&mut web, &streams, "/drop").await;
    let mut kept = open(&mut web, &streams, "/keep").await;
    change(&scene, file, policy).await;
    decided_again(&scene, 2).await;
    let error = next(&mut dropped).await.unwrap().unwrap_err();
    let reset = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>()).unwrap();
    let (flag, code) = match outcome {
        "deny" => ("policy.revoked", h2::Reason::CANCEL),
        _ => ("policy.error", h2::Reason::INTERNAL_ERROR),
    };
    assert_eq!(reset.reason(), Some(code));
    let sender = streams.take("/drop");
    assert!(timeout(PATIENCE, sender.closed()).await.is_ok(), "the upstream is let go");

    streams.send("/keep", "data: 2\n\n").await;
    assert_eq!(next_text(&mut kept).await, "data: 2\n\n");
    drop(streams.take("/keep"));
    assert!(is_at_its_end(kept).await);
    let refused = web.get("/drop/2").await.status.as_u16();
    assert_eq!(refused, if outcome == "deny" { 403 } else { 503 });
    drop(web);
    let log = scene.finish().await;
    check_again(&log, &[("/drop", outcome), ("/keep", "allow")]);
    assert_eq!(end_of(&log, "/drop"), ("200".to_owned(), format!("[\"{flag}\"]")));
    assert_eq!(end_of(&log, "/keep"), ("200".to_owned(), "[]".to_owned()));
}

#[test]
fn of_two_streams_the_denied_one_is_reset_and_its_sibling_completes() {
    run(async {
        check_siblings("h1", "a.cedar", KEEP, "deny").await;
        check_siblings("h2c", "a.rego", KEEP_IN_REGO, "deny").await;
    });
}

#[test]
fn a_policy_that_raises_for_one_request_ends_that_one() {
    run(async {
        check_siblings("h2c", "a.cedar", KEEP_OR_RAISE, "error").await;
        check_siblings("h1", "a.rego", KEEP_OR_RAISE_IN_REGO, "error").await;
    });
}

#[test]
fn a_stream_over_http1_is_broken_off_without_its_end() {
    run(async {
        let streams = Streams::default();
        let setup = Setup { policies: ALLOW_ALL, respond: streams.respond(), ..Setup::default() };
        let scene = setup.start().await;
        let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let mut raws = Vec::new();
        for path in ["/drop", "/keep"] {
            let mut raw = scene.raw(WEB).await;
            raw.write(ask(path)).await;
            assert!(raw.read_until("\r\n\r\n").await.starts_with("HTTP/1.1 200"));
            streams.send(path, "data: 1\n\n").await;
            assert_eq!(raw.read_until("data: 1\n\n\r\n").await, "9\r\ndata: 1\n\n\r\n");
            raws.push(raw);
        }
        change(&scene, "a.cedar", KEEP).await;
        decided_again(&scene, 2).await;
        assert_eq!(
            raws[0].read_all().await,
            "",
            "no last chunk: the caller sees that it is not all"
        );
        streams.send("/keep", "data: 2\n\n").await;
        drop(streams.take("/keep"));
        assert_eq!(raws[1].read_until("0\r\n\r\n").await, "9\r\ndata: 2\n\n\r\n0\r\n\r\n");
        raws[1].write(ask("/drop")).await;
        assert!(raws[1].read_response().await.starts_with("HTTP/1.1 403"));
        drop(raws);
        let log = scene.finish().await;
        check_again(&log[..], &[("/drop", "deny"), ("/keep", "allow")]);
        assert_eq!(end_of(&log, "/drop"), ("200".to_owned(), "[\"policy.revoked\"]".to_owned()));
        assert_eq!(end_of(&log, "/keep"), ("200".to_owned(), "[]".to_owned()));
    });
}

#[test]
fn a_listener_that_shadows_records_and_ends_nothing() {
    run(async {
        let streams = Streams::default();
        let respond = streams.respond();
        let setup = Setup { policies: ALLOW_ALL, respond, mode: "shadow", ..Setup::default() };
        let scene = setup.start().await;
        let mut web = scene.client(WEB, "h1").await;
        let mut body = open(&mut web, &streams, "/drop").await;
        change(&scene, "a.cedar", KEEP).await;
        decided_again(&scene, 1).await;
        streams.send("/drop", "data: 2\n\n").await;
        assert_eq!(next_text(&mut body).await, "data: 2\n\n");
        drop(streams.take("/drop"));
        assert!(is_at_its_end(body).await);
        drop(web);
        let log = scene.finish().await;
        check_again(&log, &[("/drop", "deny")]);
        assert_eq!(text(again(&log)[0], "/decision/ground"), "shadow");
        assert_eq!(end_of(&log, "/drop"), ("200".to_owned(), "[]".to_owned()));
    });
}

#[test]
fn a_policy_that_is_broken_or_the_same_decides_nothing_again() {
    run(async {
        let streams = Streams::default();
        let respond = streams.respond();
        let scene = Setup { policies: ALLOW_ALL, respond, ..Setup::default() }.start().await;
        let mut web = scene.client(WEB, "h2").await;
        let body = open(&mut web, &streams, "/keep").await;
        scene.repository.commit(&[("a.cedar", "permit(")]);
        scene.sidecar.store().refresh();
        let is_rejected =
            |record: &Value| record["kind"] == "policy" && record["event"] == "rejected";
        scene.until_record(is_rejected).await;
        // The same policy by another commit, then one that differs: its pass is the first.
        change(&scene, "a.cedar", "permit(principal, action, resource);").await;
        change(&scene, "a.cedar", KEEP).await;
        decided_again(&scene, 1).await;
        drop(streams.take("/keep"));
        assert!(is_at_its_end(body).await);
        let commit = scene.repository.head();
        drop(web);
        let log = scene.finish().await;
        check_again(&log, &[("/keep", "allow")]);
        assert_eq!(text(again(&log)[0], "/policy/commit"), commit);
    });
}
