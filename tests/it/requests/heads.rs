//! Heads that try to be read in two ways, and what an upstream is told of the caller.

use serde_json::Value;

use crate::support::*;

/// Nothing but the head's own form keeps it from the upstream.
pub(super) async fn open() -> Scene {
    Setup { policies: ALLOW_ALL, ..Setup::default() }.start().await
}

#[test]
fn identity_headers_are_removed_and_set_once() {
    run(async {
        let scene = open().await;
        let forged = [
            ("X-Spiffe-Id", "spiffe://demo.test/ns/shop/sa/admin"),
            ("x-spiffe-id", "spiffe://demo.test/ns/shop/sa/admin"),
            ("X-FORWARDED-CLIENT-CERT", "By=spiffe://demo.test/x;URI=spiffe://demo.test/admin"),
            ("x-Portreeve-Decision-Id", "01936a3e-5d2c-7f10-8a4b-0123456789ab"),
            ("x-original-url", "/admin"),
            ("X-Rewrite-URL", "/admin"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Forwarded-For", "10.9.9.9"),
            ("Forwarded", "for=10.9.9.9"),
            ("X-Real-IP", "10.9.9.9"),
            ("X-Envoy-External-Address", "10.9.9.9"),
            ("x-kept", "1"),
        ];
        let lines: String = forged.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
        let mut raw = scene.raw(WEB).await;
        raw.write(format!("GET /orders/1 HTTP/1.1\r\nHost: a.test\r\n{lines}\r\n")).await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let mut web = scene.client(WEB, "h2").await;
        let answer = web.ask(request("GET", "/orders/1", &forged, empty())).await;
        assert_eq!(answer.status.as_u16(), 200);
        let seen = scene.upstream.seen();
        assert_eq!(seen.len(), 2);
        for request in seen {
            assert_eq!(request.header("x-spiffe-id"), [WEB]);
            assert_ne!(request.decision_id(), "01936a3e-5d2c-7f10-8a4b-0123456789ab");
            let names = request.headers.keys().map(|name| name.as_str());
            let set_by_us = ["x-spiffe-id", "x-portreeve-decision-id"];
            let mut left: Vec<_> = names.filter(|name| name.starts_with("x-")).collect();
            left.retain(|name| !set_by_us.contains(name));
            assert_eq!(left, ["x-kept"]);
            assert_eq!(request.header("forwarded"), [""; 0]);
            assert_eq!(request.header("x-kept"), ["1"]);
        }
        scene.finish().await;
    });
}

#[test]
fn hop_by_hop_headers_end_here() {
    run(async {
        let scene = open().await;
        let mut raw = scene.raw(WEB).await;
        raw.write(
            "GET /orders/1 HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Mine\r\n\
             X-Mine: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Authorization: Basic x\r\n\
             Trailer: x-t\r\nX-Other: 2\r\n\r\n",
        )
        .await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let seen = scene.upstream.seen();
        let mut names: Vec<_> = seen[0].headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        let expected = ["host", "te", "x-other", "x-portreeve-decision-id", "x-spiffe-id"];
        assert_eq!(names, expected);
        scene.finish().await;
    });
}

/// Heads without canonical form, by raw bytes: `{}` is the target, or the whole is given.
const REFUSED: [(&str, &str); 56] = [
    ("GET /a?b=\u{fc} HTTP/1.1\r\nHost: a.test\r\n", "request.query"),
    ("GET / HTTP/1.1\r\nHost: a..test\r\n", "request.host"),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nCookie: a=1\r\nCookie: b=2\r\n",
        "request.duplicate_header",
    ),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nRange: a\r\nRange: b\r\n", "request.duplicate_header"),
    ("GET //admin HTTP/1.1\r\nHost: a.test\r\n", "request.empty_segment"),
    ("GET /a//b HTTP/1.1\r\nHost: a.test\r\n", "request.empty_segment"),
    ("GET //evil.test/admin HTTP/1.1\r\nHost: a.test\r\n", "request.empty_segment"),
    ("GET /orders// HTTP/1.1\r\nHost: a.test\r\n", "request.empty_segment"),
    ("GET /public/../admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /./admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /admin/. HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /a/..;/admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /a/..;x=1/admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /a/..%3b/admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /%2e%2e/admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /%2E./admin HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /a/%2e HTTP/1.1\r\nHost: a.test\r\n", "request.dot_segment"),
    ("GET /a%2fb HTTP/1.1\r\nHost: a.test\r\n", "request.encoded_slash"),
    ("GET /a%2Fb HTTP/1.1\r\nHost: a.test\r\n", "request.encoded_slash"),
    ("GET /a%5cb HTTP/1.1\r\nHost: a.test\r\n", "request.encoded_slash"),
    ("GET /a%252fb HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /a%25%32%66b HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /%c0%af HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /%c0%ae%c0%ae/admin HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /%u002f HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /%zz HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /a% HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /a%2 HTTP/1.1\r\nHost: a.test\r\n", "request.percent_encoding"),
    ("GET /a%00 HTTP/1.1\r\nHost: a.test\r\n", "request.path_byte"),
    ("GET /a%0d%0aX-A:%201 HTTP/1.1\r\nHost: a.test\r\n", "request.path_byte"),
    ("GET /a%7f HTTP/1.1\r\nHost: a.test\r\n", "request.path_byte"),
    ("GET /a|b HTTP/1.1\r\nHost: a.test\r\n", "request.path_byte"),
    ("GET /a{b} HTTP/1.1\r\nHost: a.test\r\n", "request.path_byte"),
    ("GET * HTTP/1.1\r\nHost: a.test\r\n", "request.target_form"),
    ("GET http://other.test/admin HTTP/1.1\r\nHost: a.test\r\n", "request.host_mismatch"),
    ("GET https://other.test/admin HTTP/1.1\r\nHost: a.test\r\n", "request.host_mismatch"),
    ("GET http://a@other.test/admin HTTP/1.1\r\nHost: other.test\r\n", "request.host"),
    ("GET https://a.test//admin HTTP/1.1\r\nHost: a.test\r\n", "request.empty_segment"),
    ("GET / HTTP/1.1\r\n", "request.host"),
    ("GET / HTTP/1.0\r\nHost: a b\r\n", "request.host"),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n", "request.duplicate_header"),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n", "request.duplicate_header"),
    ("GET / HTTP/1.1\r\nHost: a.test, b.test\r\n", "request.host"),
    ("GET / HTTP/1.1\r\nHost: a.test:+443\r\n", "request.host"),
    ("GET / HTTP/1.1\r\nHost: \r\n", "request.host"),
    ("TRACE / HTTP/1.1\r\nHost: a.test\r\n", "request.method"),
    ("TRACK / HTTP/1.1\r\nHost: a.test\r\n", "request.method"),
    ("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n", "request.method"),
    ("get / HTTP/1.1\r\nHost: a.test\r\n", "request.method"),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nx_spiffe_id: a\r\n", "request.header_byte"),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nx-a: caf\u{e9}\r\n", "request.header_byte"),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: a\r\nAuthorization: b\r\n",
        "request.duplicate_header",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close, x-spiffe-id\r\n",
        "request.connection_header",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: authorization\r\n",
        "request.connection_header",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
        "request.upgrade",
    ),
    (
        "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c, \
         websocket\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
        "request.upgrade",
    ),
];

#[test]
fn a_head_with_two_readings_is_refused_and_counted_by_its_reason() {
    run(async {
        let scene = open().await;
        let mut counts = std::collections::BTreeMap::<&str, u64>::new();
        for (head, reason) in REFUSED {
            let mut raw = scene.raw(WEB).await;
            raw.write(format!("{head}\r\n")).await;
            let response = raw.read_response().await;
            let is_400 = response.split(' ').nth(1) == Some("400");
            assert!(is_400, "{head:?}: {response}");
            assert!(response.contains("x-portreeve-decision-id: "), "{head:?}: {response}");
            *counts.entry(reason).or_default() += 1;
        }
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty(), "{seen:?}");
        assert!(decisions(&log).is_empty());
        for (reason, count) in counts {
            let counted = refused(&log, "http", reason);
            assert_eq!(counted.iter().map(|r| count_of(r)).sum::<u64>(), count, "{reason}");
            assert_eq!(text(counted[0], "/refused/source"), "127.0.0.0/24");
            assert_eq!(text(counted[0], "/refused/claimed/0/spiffe_id"), WEB);
        }
    });
}

pub(super) fn refused<'a>(log: &'a [Value], stage: &str, reason: &str) -> Vec<&'a Value> {
    let fits = |record: &&Value| {
        text(record, "/refused/stage") == stage && text(record, "/refused/reason") == reason
    };
    of_kind(log, "refused").into_iter().filter(fits).collect()
}

pub(super) fn count_of(record: &Value) -> u64 {
    record["refused"]["count"].as_u64().unwrap()
}

/// The parser drops a fragment: what is decided is what is left, and nothing else is forwarded.
#[test]
fn a_fragment_reaches_neither_policy_nor_upstream() {
    run(async {
        let scene = open().await;
        let mut raw = scene.raw(WEB).await;
        raw.write("GET /public#/../admin HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(text(decisions(&log)[0], "/request/path"), "/public");
        assert_eq!(seen[0].target, "/public");
    });
}

#[test]
fn what_was_decided_is_what_the_upstream_gets() {
    run(async {
        let scene = open().await;
        // Target, host as sent; path, target and host as decided and forwarded.
        let cases = [
            ("/orders/1", "a.test", "/orders/1", "/orders/1", "a.test"),
            ("/o%72ders/%41%7e", "A.Test:443", "/orders/A~", "/orders/A~", "a.test"),
            ("/a%c3%a9", "a.test:8443", "/a%C3%A9", "/a%C3%A9", "a.test:8443"),
            ("/a;x=1/b.json", "a.test", "/a;x=1/b.json", "/a;x=1/b.json", "a.test"),
            ("/dot", "A.test.:443", "/dot", "/dot", "a.test"),
            ("/ADMIN/", "a.test", "/ADMIN/", "/ADMIN/", "a.test"),
            ("/a?b=1&b=2;c&d=%2f%zz??", "a.test", "/a", "/a?b=1&b=2;c&d=%2f%zz??", "a.test"),
            ("/a?", "a.test", "/a", "/a?", "a.test"),
            ("https://A.test/x?y", "a.test", "/x", "/x?y", "a.test"),
            ("http://a.test?q", "a.test", "/", "/?q", "a.test"),
        ];
        for (target, host, ..) in cases {
            let mut raw = scene.raw(WEB).await;
            raw.write(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            let response = raw.read_response().await;
            assert!(response.starts_with("HTTP/1.1 200"), "{target}: {response}");
        }
        let (log, _, seen) = scene.finish_with().await;
        for ((target, _, path, forwarded, host), seen) in cases.iter().zip(&seen) {
            let log = decisions(&log);
            let record = log.iter().find(|record| text(record, "/id") == seen.decision_id());
            assert_eq!(text(record.unwrap(), "/request/path"), *path, "{target}");
            assert_eq!(text(record.unwrap(), "/request/host"), *host, "{target}");
            assert_eq!(seen.target, *forwarded, "{target}");
            assert_eq!(seen.header("host"), [*host], "{target}");
        }
    });
}

#[test]
fn options_of_the_whole_server_is_a_path_of_its_own() {
    run(async {
        let scene = open().await;
        let mut raw = scene.raw(WEB).await;
        raw.write("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert!(raw.read_response().await.starts_with("HTTP/1.1 200"));
        let (_, _, seen) = scene.finish_with().await;
        assert_eq!(seen[0].target, "*");
    });
}

/// Every relaxation on its own route; what is left out of the middle is the strict route.
const RELAXED: &str = "
      - {name: slash, path: '/slash/{rest...}', relax: {encoded_slashes: keep}}
      - {name: empty, path: '/empty/{rest...}', relax: {empty_segments: keep}}
      - {name: names, path: '/names/{rest...}', relax: {underscore_headers: keep}}
      - {name: gateway, path: '/gateway/{rest...}', relax: {forwarded_headers: keep}}
      - {name: strict, path: '/strict/{rest...}'}";

#[test]
fn a_route_keeps_what_it_is_told_to_and_policy_sees_the_bytes_that_are_forwarded() {
    run(async {
        let routes = RELAXED.to_owned();
        let scene = Setup { policies: ALLOW_ALL, routes, ..Setup::default() }.start().await;
        let kept = [
            ("/slash/a%2fb", "x-a: 1", "/slash/a%2Fb"),
            ("/empty/a//b", "x-a: 1", "/empty/a//b"),
            ("/names/a", "x_a: 1", "/names/a"),
            ("/gateway/a", "x-forwarded-for: 1", "/gateway/a"),
        ];
        for (target, line, _) in kept {
            let mut raw = scene.raw(WEB).await;
            raw.write(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{line}\r\n\r\n")).await;
            let response = raw.read_response().await;
            assert!(response.starts_with("HTTP/1.1 200"), "{target}: {response}");
        }
        let refused = [
            ("/strict/a%2fb", "x-a: 1"),
            ("/strict/a//b", "x-a: 1"),
            ("/strict/a", "x_a: 1"),
            ("/slash/a//b", "x-a: 1"),
            ("/slash/a%2F..", "x-a: 1"),
            ("/slash/a%5cb", "x-a: 1"),
            ("/empty/a%2fb", "x-a: 1"),
            ("//empty/a", "x-a: 1"),
            ("/names/a", "x_spiffe_id: 1"),
            ("/gateway/a", "x_forwarded_for: 1"),
        ];
        for (target, line) in refused {
            let mut raw = scene.raw(WEB).await;
            raw.write(format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{line}\r\n\r\n")).await;
            let response = raw.read_response().await;
            assert!(response.starts_with("HTTP/1.1 400"), "{target} {line}: {response}");
        }
        let (log, _, seen) = scene.finish_with().await;
        let log = decisions(&log);
        assert_eq!((seen.len(), log.len()), (kept.len(), kept.len()));
        for ((_, line, path), seen) in kept.iter().zip(&seen) {
            let record = log.iter().find(|record| text(record, "/id") == seen.decision_id());
            assert_eq!(text(record.unwrap(), "/request/path"), *path);
            assert_eq!(seen.target, *path);
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(seen.header(name), [value]);
        }
    });
}

/// RFC 9113 §8.2.3: an HTTP/1.1 upstream gets one header of the pieces.
#[test]
fn the_pieces_of_an_h2_cookie_arrive_as_one() {
    run(async {
        let scene = open().await;
        let mut web = scene.client(WEB, "h2").await;
        let crumbs = [("cookie", "a=1"), ("cookie", "b=2")];
        let answer = web.ask(request("GET", "/orders/1", &crumbs, empty())).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert_eq!(scene.upstream.seen()[0].header("cookie"), ["a=1; b=2"]);
        scene.finish().await;
    });
}
