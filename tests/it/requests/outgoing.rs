//! Upstreams that are reached by mTLS: known by their SPIFFE ID, and by nothing else.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::clock::Clock;
use portreeve::dev::WorkloadApi;
use portreeve::identity::Snapshot;
use portreeve::tls::{self, Credentials, ServerTls};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::*;

/// A server with an SVID that answers with the identity of whoever asks.
struct MtlsUpstream {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl MtlsUpstream {
    async fn start(api: &WorkloadApi, spiffe_id: &str) -> Self {
        let clock = Clock::system();
        let snapshot = Snapshot {
            sequence: 1,
            svid: api.issue(&id(spiffe_id)).unwrap().svid().unwrap(),
            bundles: BTreeMap::from([(trust_domain(), api.bundle())]),
            crls: Vec::new(),
            received: clock.now(),
        };
        let own = Credentials::new(&snapshot);
        let tls = ServerTls::new(&clock, &tls::Settings::default()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, own, counter) = (Arc::clone(&tls), Arc::clone(&own), counter.clone());
                serving.spawn(async move { serve(stream, &tls, &own, &counter).await });
            }
        });
        Self { address, connections, _tasks: tasks }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn serve(stream: TcpStream, tls: &ServerTls, own: &Credentials, counter: &AtomicUsize) {
    let Ok((stream, peer)) = tls::accept(stream, tls, own).await else { return };
    counter.fetch_add(1, Ordering::Relaxed);
    let asked_by = peer.id().unwrap().to_string();
    let service = service_fn(move |request: Request<Incoming>| {
        let text = format!("{:?} {asked_by}", request.version());
        async move { Ok::<_, Infallible>(Response::new(whole(text))) }
    });
    let io = TokioIo::new(stream);
    let _ = match peer.speaks_http2() {
        true => http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await,
        false => http1::Builder::new().serve_connection(io, service).await,
    };
}

/// A sidecar whose upstream is at this address and must prove what `tls` says.
async fn sidecar_to(upstream: &MtlsUpstream, protocol: &str, tls: &str, stage: Stage) -> Scene {
    let mut stage = stage;
    let plain = format!("address: unix:{}/app.sock", stage.dir.path().display());
    let address = upstream.address;
    stage.config = stage.config.replace(&plain, &format!("address: {address}\n    tls: {tls}"));
    let old = "protocol: h1";
    stage.config = stage.config.replace(old, &format!("protocol: {protocol}"));
    let scene = stage.start().await;
    scene.until_ready().await;
    scene
}

/// Asks once; the status, the text, and the flags of the record of a failure.
async fn ask(server: &str, protocol: &str, tls: &str) -> (u16, String, Option<String>) {
    let stage = Setup { policies: ALLOW_ALL, ..Setup::default() }.stage();
    let upstream = MtlsUpstream::start(&stage.workload_api, server).await;
    let scene = sidecar_to(&upstream, protocol, tls, stage).await;
    let answer = scene.client(WEB, "h2").await.get("/orders/1").await;
    let log = scene.finish().await;
    let flags = of_kind(&log, "end").first().map(|end| text(end, "/flags"));
    (answer.status.as_u16(), answer.text().to_owned(), flags)
}

#[test]
fn an_upstream_that_proves_the_expected_identity_is_used_and_hears_ours() {
    run(async {
        for (protocol, version) in [("h1", "HTTP/1.1"), ("h2", "HTTP/2.0")] {
            for tls in [&format!("{{spiffe_id: '{PAYMENTS}'}}"), "{trust_domain: demo.test}"] {
                let seen = ask(PAYMENTS, protocol, tls).await;
                assert_eq!(seen, (200, format!("{version} {ORDERS}"), None), "{tls}");
            }
        }
    });
}

#[test]
fn an_upstream_with_another_identity_gets_nothing_and_the_record_says_why() {
    run(async {
        let flags = Some(r#"["peer.unexpected_id"]"#.to_owned());
        for protocol in ["h1", "h2"] {
            for tls in [&format!("{{spiffe_id: '{BATCH}'}}"), "{trust_domain: other.test}"] {
                let (status, text, seen) = ask(PAYMENTS, protocol, tls).await;
                assert_eq!((status, &seen), (502, &flags), "{tls}");
                assert!(!text.contains("spiffe://"), "{text}");
            }
        }
    });
}

#[test]
fn a_plaintext_server_is_no_upstream_of_mtls() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let plain = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await.unwrap();
        });
        let stage = Setup { policies: ALLOW_ALL, ..Setup::default() }.stage();
        let (connections, tasks) = (Arc::default(), JoinSet::new());
        let upstream = MtlsUpstream { address, connections, _tasks: tasks };
        let scene = sidecar_to(&upstream, "h1", "{trust_domain: demo.test}", stage).await;
        let answer = scene.client(WEB, "h1").await.get("/orders/1").await;
        assert_eq!(answer.status.as_u16(), 502);
        plain.await.unwrap();
        let log = scene.finish().await;
        assert_eq!(text(of_kind(&log, "end")[0], "/flags"), r#"["tls.not_tls"]"#);
    });
}

#[test]
fn a_pooled_connection_ends_with_the_identity_that_it_was_made_with() {
    run(async {
        for protocol in ["h1", "h2"] {
            let stage = Setup { policies: ALLOW_ALL, ..Setup::default() }.stage();
            let upstream = MtlsUpstream::start(&stage.workload_api, PAYMENTS).await;
            let tls = "{trust_domain: demo.test}";
            let scene = sidecar_to(&upstream, protocol, tls, stage).await;
            let mut web = scene.client(WEB, "h1").await;
            for _ in 0..3 {
                assert_eq!(web.get("/orders/1").await.status.as_u16(), 200);
            }
            assert_eq!(upstream.connections(), 1, "{protocol}");

            let before = scene.sidecar.identity().current().unwrap().sequence;
            scene.workload_api.rotate_svids().unwrap();
            let rotated = |r: &serde_json::Value| {
                r["event"] == "updated" && r["update"].as_u64() > Some(before)
            };
            scene.until_record(rotated).await;
            assert_eq!(web.get("/orders/1").await.status.as_u16(), 200);
            assert_eq!(upstream.connections(), 2, "{protocol}");
            scene.finish().await;
        }
    });
}
