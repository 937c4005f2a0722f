//! What the protocol layers refuse by themselves: answered where it can be, closed, and counted.

use portreeve::tls::Alpn;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::heads::{count_of, open, refused};
use crate::support::*;

/// What the parser itself refuses: answered, closed and counted like the rest.
#[test]
fn a_head_that_does_not_parse_is_refused_closed_and_counted() {
    let heads: [&[u8]; 11] = [
        b"GET /a\x80 HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5, 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\n x-folded: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.test\r\nx-a: a\x00b\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a.test\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    run(async move {
        let scene = open().await;
        for head in heads {
            let mut raw = scene.raw(WEB).await;
            raw.write(head).await;
            let answer = raw.read_all().await;
            let shown = String::from_utf8_lossy(head);
            let is_refused = answer.starts_with("HTTP/1.1 400 ") || answer.is_empty();
            assert!(is_refused, "{shown:?}: {answer}");
        }
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty(), "{seen:?}");
        let counted = refused(&log, "http", "request.malformed");
        assert_eq!(counted.iter().map(|record| count_of(record)).sum::<u64>(), 11, "{counted:?}");
        assert_eq!(counted[0]["refused"]["claimed"][0]["spiffe_id"], WEB);
    });
}

#[test]
fn a_broken_http2_connection_is_counted_and_one_that_ends_is_not() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Settings belong to the connection, not to a stream.
    const SETTINGS_OF_A_STREAM: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 1];
    run(async {
        let scene = open().await;
        let issued = scene.workload_api.issue(&id(WEB)).unwrap();
        let mut broken = Vec::new();
        for frame in [SETTINGS, SETTINGS_OF_A_STREAM] {
            let stream = handshake(scene.address(), &scene.workload_api, &issued, Alpn::Http2);
            let mut stream = stream.await.unwrap();
            stream.write_all(&[PREFACE, SETTINGS, frame].concat()).await.unwrap();
            stream.shutdown().await.unwrap();
            let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut broken)).await.unwrap();
        }
        let log = scene.finish().await;
        let counted = of_kind(&log, "refused");
        assert_eq!(counted.len(), 1, "{counted:?}");
        assert_eq!(count_of(refused(&log, "http", "http.protocol")[0]), 1);
    });
}

#[test]
fn a_head_that_is_too_large_is_refused_and_counted() {
    run(async {
        let scene = open().await;
        let long = "a".repeat(64 << 10);
        let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
        for (head, status) in [
            (format!("GET /{long} HTTP/1.1\r\nHost: a.test\r\n\r\n"), ["431", "414"]),
            (format!("GET / HTTP/1.1\r\nHost: a.test\r\nx-a: {long}\r\n\r\n"), ["431", "431"]),
            (format!("GET / HTTP/1.1\r\nHost: a.test\r\n{many}\r\n"), ["431", "431"]),
        ] {
            let mut raw = scene.raw(WEB).await;
            // The sidecar may close before it has read everything.
            let _ = raw.stream.write_all(head.as_bytes()).await;
            let _ = raw.stream.flush().await;
            let answer = raw.read_all().await;
            let got = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            assert!(status.contains(&&*got), "{answer:?}");
        }
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty());
        let counted = refused(&log, "http", "request.head_too_large");
        assert_eq!(counted.iter().map(|record| count_of(record)).sum::<u64>(), 3, "{counted:?}");
    });
}
