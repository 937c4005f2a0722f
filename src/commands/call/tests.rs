use std::convert::Infallible;
use std::sync::Arc;

use clap::Parser as _;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve_core::request::DECISION_ID_HEADER;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::*;
use crate::dev::{Entry, Settings as DomainSettings, WorkloadApi};
use crate::tls::{Credentials, ServerTls, accept};

const WEB: &str = "spiffe://demo.test/ns/shop/sa/web";
const ORDERS: &str = "spiffe://demo.test/ns/shop/sa/orders";

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// A trust domain that issues `web` to us, and a server `orders` in it.
struct World {
    api: WorkloadApi,
    address: String,
    _directory: TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|api| api.bundle()).await
    }

    /// The server trusts these roots for the trust domain.
    async fn start_with(roots: fn(&WorkloadApi) -> Vec<CertificateDer<'static>>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let domain = TrustDomain::parse("demo.test").unwrap();
        let mut settings = DomainSettings::new(domain.clone(), directory.path().join("api.sock"));
        settings.entries = vec![Entry::any(SpiffeId::parse(WEB).unwrap())];
        let api = WorkloadApi::start(settings).unwrap();
        let snapshot = Snapshot {
            sequence: 1,
            svid: api.issue(&SpiffeId::parse(ORDERS).unwrap()).unwrap().svid().unwrap(),
            bundles: [(domain, roots(&api))].into(),
            crls: Vec::new(),
            received: Clock::system().now(),
        };
        let tls = ServerTls::new(&Clock::system(), &Settings::default()).unwrap();
        let own = Credentials::new(&snapshot);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve(listener, tls, own));
        Self { api, address, _directory: directory }
    }

    /// What the command prints to standard output and standard error, and how it ends.
    async fn call(&self, path: &str, arguments: &[&str]) -> anyhow::Result<(String, String, Exit)> {
        let (url, socket) = (format!("https://{}{path}", self.address), self.api.endpoint());
        let line = [&["call", &url, "--socket", &socket], arguments].concat();
        let (mut out, mut talk) = (Vec::new(), Vec::new());
        let exit = call(&Cli::try_parse_from(line)?.args, &mut out, &mut talk).await?;
        Ok((String::from_utf8(out)?, String::from_utf8(talk)?, exit))
    }

    async fn error(&self, path: &str, arguments: &[&str]) -> String {
        format!("{:#}", self.call(path, arguments).await.unwrap_err())
    }
}

async fn serve(listener: TcpListener, tls: Arc<ServerTls>, own: Arc<Credentials>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, own) = (Arc::clone(&tls), Arc::clone(&own));
        tokio::spawn(async move {
            let Ok((stream, peer)) = accept(stream, &tls, &own).await else { return };
            let (http2, id) = (peer.speaks_http2(), peer.id().unwrap().to_string());
            let service = service_fn(move |request| echo(request, id.clone()));
            let io = TokioIo::new(stream);
            let _ = if http2 {
                let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                builder.serve_connection(io, service).await
            } else {
                hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
            };
        });
    }
}

/// Says what it got; `/denied` is a denial, `/big` is larger than is read, `/raw` is not text.
async fn echo(
    request: http::Request<Incoming>,
    id: String,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |headers: &HeaderMap, name: &str| {
        headers.get(name).map_or("-", |value| value.to_str().unwrap()).to_owned()
    };
    let text = format!(
        "{:?} {} {} from {id}, content-type {}, x-try {}, body {}\n",
        head.version,
        head.method,
        head.uri.path_and_query().unwrap(),
        header(&head.headers, "content-type"),
        header(&head.headers, "x-try"),
        String::from_utf8_lossy(&body),
    );
    let body = match head.uri.path() {
        "/big" => vec![b'x'; answer::MAX_RESPONSE_BYTES + 1],
        "/raw" => vec![0xff, 0x00],
        _ => text.into_bytes(),
    };
    let mut response = Response::new(Full::new(body.into()));
    if head.uri.path() == "/denied" {
        *response.status_mut() = StatusCode::FORBIDDEN;
        let id = "01939a2e-0000-7000-8000-000000000000".parse().unwrap();
        response.headers_mut().insert(DECISION_ID_HEADER, id);
    }
    Ok(response)
}

#[tokio::test]
async fn a_call_presents_our_svid_and_prints_the_body() {
    let world = World::start().await;
    let (out, talk, exit) = world.call("/a/%2e%2e/b?c=d", &["--expect", ORDERS]).await.unwrap();
    let expected = "HTTP/2.0 GET /a/%2e%2e/b?c=d from spiffe://demo.test/ns/shop/sa/web, \
                    content-type -, x-try -, body \n";
    assert_eq!(out, expected);
    assert_eq!(talk, format!("200 from {ORDERS}\n"));
    assert_eq!(exit, Exit::Good);
}

#[tokio::test]
async fn a_denial_ends_with_no_and_names_the_decision() {
    let world = World::start().await;
    let (_, talk, exit) = world.call("/denied", &[]).await.unwrap();
    let id = "01939a2e-0000-7000-8000-000000000000";
    assert_eq!(talk, format!("403 from {ORDERS} (decision {id})\n"));
    assert_eq!(exit, Exit::No);
}

#[tokio::test]
async fn method_headers_body_and_protocol_are_sent_as_asked() {
    let world = World::start().await;
    let (out, _, _) =
        world.call("/", &["--http1", "-d", r#"{"a":1}"#, "-H", "X-Try: me", "-i"]).await.unwrap();
    assert!(out.starts_with("HTTP/1.1 200 OK\n"), "{out}");
    assert!(
        out.contains("\n\nHTTP/1.1 POST / from "),
        "the head, an empty line and the body: {out}"
    );
    assert!(out.ends_with("content-type application/json, x-try me, body {\"a\":1}\n"), "{out}");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from a file").unwrap();
    let data = format!("@{}", file.path().display());
    let arguments = ["--http2", "-X", "PUT", "-d", &data, "-H", "content-type: text/plain"];
    let (out, _, _) = world.call("/", &arguments).await.unwrap();
    assert!(out.starts_with("HTTP/2.0 PUT / "), "{out}");
    assert!(out.ends_with("content-type text/plain, x-try -, body from a file\n"), "{out}");
}

#[tokio::test]
async fn json_carries_all_that_came_back() {
    let world = World::start().await;
    let (out, _, exit) = world.call("/denied", &["--format", "json"]).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["status"], 403);
    assert_eq!(report["peer"], ORDERS);
    assert_eq!(report["protocol"], "HTTP/2.0");
    assert_eq!(report["decision_id"], "01939a2e-0000-7000-8000-000000000000");
    assert_eq!(report["body_truncated"], false);
    assert_eq!(exit, Exit::No);
    let (out, _, _) = world.call("/raw", &["--format", "json"]).await.unwrap();
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["body_base64"], &report["body"]), (&"/wA=".into(), &().into()));
}

#[tokio::test]
async fn a_server_that_is_not_the_expected_one_gets_no_request() {
    let world = World::start().await;
    let error = world.error("/", &["--expect", WEB]).await;
    assert!(error.starts_with("the server is not trusted: peer.unexpected_id: "), "{error}");
    assert!(error.contains("hint: --expect"), "{error}");
    let error = world.error("/", &["--expect-trust-domain", "other.test"]).await;
    assert!(error.contains("a workload of trust domain `other.test` was expected"), "{error}");
    assert!(world.call("/", &["--expect-trust-domain", "demo.test"]).await.is_ok());
}

#[tokio::test]
async fn a_server_that_refuses_our_svid_is_quoted() {
    let world = World::start_with(|_| Vec::new()).await;
    // Whether our write fails before the alert is read is up to chance.
    for protocol in ["--http1", "--http2"].repeat(25) {
        let error = world.error("/", &[protocol]).await;
        assert!(
            error.starts_with("the server refused our SVID: it sent the alert unknown_ca"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_our_bundle_does_not_vouch_for_gets_no_request() {
    let (world, other) = (World::start().await, World::start().await);
    // Both worlds have one name but keys of their own.
    let (url, socket) = (format!("https://{}/", world.address), other.api.endpoint());
    let args = Cli::try_parse_from(["call", &url, "--socket", &socket]).unwrap().args;
    let (mut out, mut talk) = (Vec::new(), Vec::new());
    let error = call(&args, &mut out, &mut talk).await.unwrap_err();
    let error = format!("{error:#}");
    assert!(error.starts_with("the server is not trusted: trust."), "{error}");
    assert!(out.is_empty() && talk.is_empty());
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_cut_and_that_is_said() {
    let world = World::start().await;
    let (out, talk, exit) = world.call("/big", &[]).await.unwrap();
    assert_eq!(out.trim_end().len(), answer::MAX_RESPONSE_BYTES);
    assert!(talk.ends_with("16777216 bytes: the rest was not read\n"), "{talk}");
    assert_eq!(exit, Exit::CouldNotRun);
}

#[tokio::test]
async fn without_identity_or_with_a_wrong_argument_nothing_is_sent() {
    let world = World::start().await;
    let picked = world.error("/", &["--pick", "spiffe://demo.test/nobody"]).await;
    assert!(picked.contains("spiffe://demo.test/nobody"), "{picked}");
    world.api.set_fault(crate::dev::Fault::Denied);
    let denied = world.error("/", &[]).await;
    assert!(denied.contains("no SVID yet") || denied.contains("withdrawn"), "{denied}");
    for (arguments, expected) in [
        (["-H", "no colon"], "a header is written `name: value`"),
        (["-X", "GE T"], "`GE T` is not a method"),
        (["--expect", "spiffe://Demo/x"], "--expect: `spiffe://Demo/x`"),
        (["-d", "@/does/not/exist"], "failed to open the body's file `/does/not/exist`"),
    ] {
        let error = world.error("/", &arguments).await;
        assert!(error.contains(expected), "{error}");
    }
    for url in ["http://a/", "https://user@a/", "a/b", "https://a b/"] {
        let args = Cli::try_parse_from(["call", url, "--socket", "/s"]).unwrap().args;
        assert!(Request::read(&args).is_err(), "{url}");
    }
}
