//! Callers: HTTP over mTLS with an identity of one's choice, or raw bytes inside the same TLS.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::clock::Clock;
use portreeve::dev::{Issued, WorkloadApi};
use portreeve::identity::Snapshot;
use portreeve::tls::{self, Alpn, ClientTls, Credentials, ExpectedPeer};
use portreeve_core::spiffe::SpiffeId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_stream::wrappers::ReceiverStream;

use super::{Frames, ORDERS, PATIENCE, WEB, id, trust_domain};

pub(crate) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// One connection that speaks HTTP.
pub(crate) enum Client {
    H1(http1::SendRequest<Body>),
    H2(http2::SendRequest<Body>),
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Client {
    pub(crate) async fn connect(
        address: SocketAddr,
        api: &WorkloadApi,
        spiffe_id: &SpiffeId,
        alpn: &str,
    ) -> Self {
        let alpn = if alpn == "h2" { Alpn::Http2 } else { Alpn::Http1 };
        let issued = api.issue(spiffe_id).unwrap();
        let stream = handshake(address, api, &issued, alpn).await.unwrap();
        Self::over(stream, alpn == Alpn::Http2).await
    }

    pub(crate) async fn over(stream: TlsStream<TcpStream>, is_h2: bool) -> Self {
        let io = TokioIo::new(stream);
        if is_h2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.handshake(io).await.unwrap();
            tokio::spawn(connection);
            return Self::H2(sender);
        }
        let (sender, connection) = http1::handshake(io).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        Self::H1(sender)
    }

    /// Sends a request; HTTP/2 gets its scheme and authority from the `host` header.
    pub(crate) async fn send(
        &mut self,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::H1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Self::H2(sender) => {
                sender.ready().await?;
                sender.send_request(with_authority(request)).await
            }
        }
    }

    /// Sends a request and reads the whole response.
    pub(crate) async fn ask(&mut self, request: Request<Body>) -> Answer {
        let response = timeout(PATIENCE, self.send(request)).await.unwrap().unwrap();
        Answer::read(response).await
    }

    /// The common case: no body.
    pub(crate) async fn get(&mut self, target: &str) -> Answer {
        self.ask(request("GET", target, &[], empty())).await
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let collected = timeout(PATIENCE, body.collect()).await.unwrap().unwrap();
        let trailers = collected.trailers().cloned();
        let (status, headers) = (parts.status, parts.headers);
        Self { status, headers, body: collected.to_bytes(), trailers }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn decision_id(&self) -> &str {
        self.header("x-portreeve-decision-id")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// A request to host `orders.shop.test`, unless the headers name another.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Body,
) -> Request<Body> {
    let mut builder = Request::builder().method(method).uri(target);
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        builder = builder.header("host", "orders.shop.test");
    }
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body).unwrap()
}

pub(crate) fn empty() -> Body {
    Empty::new().boxed_unsync()
}

pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body whose frames a test sends one by one; it ends when the sender is dropped.
pub(crate) fn streamed() -> (Frames<Infallible>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, StreamBody::new(ReceiverStream::new(receiver)).boxed_unsync())
}

fn with_authority(request: Request<Body>) -> Request<Body> {
    let (mut parts, body) = request.into_parts();
    if let Some(host) = parts.headers.remove("host") {
        let target = parts.uri.path_and_query().cloned().unwrap();
        let host = host.to_str().unwrap();
        let uri = http::Uri::builder().scheme("https").authority(host).path_and_query(target);
        parts.uri = uri.build().unwrap();
    }
    Request::from_parts(parts, body)
}

/// Shakes hands with the sidecar, which must be the service.
pub(crate) async fn handshake(
    address: SocketAddr,
    api: &WorkloadApi,
    issued: &Issued,
    alpn: Alpn,
) -> Result<TlsStream<TcpStream>, tls::Refused> {
    handshake_as(ClientTls::new, address, api, issued, alpn).await
}

/// The same without a certificate of one's own.
pub(crate) async fn handshake_without_svid(
    address: SocketAddr,
    api: &WorkloadApi,
    alpn: Alpn,
) -> Result<TlsStream<TcpStream>, tls::Refused> {
    let unused = api.issue(&id(WEB)).unwrap();
    handshake_as(ClientTls::without_svid, address, api, &unused, alpn).await
}

async fn handshake_as(
    prepare: fn(&Clock, &tls::Settings) -> Result<Arc<ClientTls>, rustls::Error>,
    address: SocketAddr,
    api: &WorkloadApi,
    issued: &Issued,
    alpn: Alpn,
) -> Result<TlsStream<TcpStream>, tls::Refused> {
    let clock = Clock::system();
    let snapshot = Snapshot {
        sequence: 1,
        svid: issued.svid().unwrap(),
        bundles: BTreeMap::from([(trust_domain(), api.bundle())]),
        crls: Vec::new(),
        received: clock.now(),
    };
    let settings = tls::Settings { alpn, ..tls::Settings::default() };
    let tls = prepare(&clock, &settings).unwrap();
    let own = Credentials::new(&snapshot);
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("orders.shop.test").unwrap();
    let (stream, _) = tls::connect(stream, &tls, &own, ExpectedPeer::Id(id(ORDERS)), name).await?;
    Ok(stream)
}

/// HTTP/1.1 written by hand.
pub(crate) struct Raw {
    pub(crate) stream: TlsStream<TcpStream>,
}

impl Raw {
    pub(crate) async fn connect(
        address: SocketAddr,
        api: &WorkloadApi,
        spiffe_id: &SpiffeId,
    ) -> Self {
        let issued = api.issue(spiffe_id).unwrap();
        Self { stream: handshake(address, api, &issued, Alpn::Http1).await.unwrap() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads until the text so far ends as `end` says.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = timeout(PATIENCE, async {
            while !read.ends_with(end.as_bytes()) {
                let byte = self.stream.read_u8().await;
                let Ok(byte) = byte else { break };
                read.push(byte);
            }
        });
        let in_time = reading.await.is_ok();
        let text = String::from_utf8_lossy(&read).into_owned();
        assert!(in_time, "no {end:?} in {text:?}");
        text
    }

    /// Reads one head and the body that its `content-length` announces.
    pub(crate) async fn read_response(&mut self) -> String {
        let mut text = self.read_until("\r\n\r\n").await;
        let lower = text.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        timeout(PATIENCE, self.stream.read_exact(&mut body)).await.unwrap().unwrap();
        text.push_str(&String::from_utf8_lossy(&body));
        text
    }

    /// Reads until the sidecar closes.
    pub(crate) async fn read_all(&mut self) -> String {
        let mut read = Vec::new();
        let reading = timeout(PATIENCE, self.stream.read_to_end(&mut read)).await;
        let text = String::from_utf8_lossy(&read).into_owned();
        assert!(reading.is_ok(), "not closed after {text:?}");
        text
    }

    /// Whether nothing comes within a short time.
    pub(crate) async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_millis(150), self.stream.read_u8()).await.is_err()
    }
}
