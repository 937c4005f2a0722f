//! A workload with an SVID of a test's own, on connections whose end it notices.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::clock::Clock;
use portreeve::dev::{Authority, Issued};
use portreeve::tls::Alpn;
use portreeve_core::spiffe::TrustDomain;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::support::*;

pub(super) const PARTNER: &str = "partner.test";
pub(super) const GUEST: &str = "spiffe://partner.test/guest";
const HOUR: Duration = Duration::from_secs(3_600);

/// Another trust domain with an authority of its own.
pub(super) struct Partner {
    pub(super) authority: Authority,
    name: TrustDomain,
}

impl Partner {
    pub(super) fn new(clock: &Clock) -> Self {
        let name = TrustDomain::parse(PARTNER).unwrap();
        Self { authority: Authority::new(name.clone(), clock.clone()).unwrap(), name }
    }

    /// Has the sidecar trust it, and waits until it does.
    pub(super) async fn federate(&self, scene: &Scene) {
        scene.workload_api.federate(&self.name, self.authority.root().to_vec());
        until(async || self.guest(scene, Alpn::Http1).await.is_ok()).await;
    }

    pub(super) fn defederate(&self, scene: &Scene) {
        scene.workload_api.defederate(&self.name);
    }

    pub(super) fn issue(&self, ttl: Duration) -> Issued {
        self.authority.issue(&id(GUEST), ttl).unwrap()
    }

    /// A connection of [`GUEST`] that was served once.
    pub(super) async fn guest(&self, scene: &Scene, alpn: Alpn) -> Result<Guest, String> {
        Guest::served(scene, &self.issue(HOUR), alpn).await
    }
}

/// One connection.
pub(super) struct Guest {
    sender: Sender,
    connection: JoinHandle<Result<(), hyper::Error>>,
}

enum Sender {
    H1(http1::SendRequest<Empty<Bytes>>),
    H2(http2::SendRequest<Empty<Bytes>>),
}

impl Guest {
    pub(super) async fn connect(
        address: SocketAddr,
        scene: &Scene,
        issued: &Issued,
        alpn: Alpn,
    ) -> Result<Self, String> {
        let stream = handshake(address, &scene.workload_api, issued, alpn).await;
        let io = TokioIo::new(stream.map_err(|refused| refused.to_string())?);
        if alpn == Alpn::Http2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.handshake(io).await.map_err(debug)?;
            return Ok(Self { sender: Sender::H2(sender), connection: tokio::spawn(connection) });
        }
        let (sender, connection) = http1::handshake(io).await.map_err(debug)?;
        Ok(Self { sender: Sender::H1(sender), connection: tokio::spawn(connection) })
    }

    /// In TLS 1.3 a refusal may come after the client's end of the handshake, so it asks once.
    pub(super) async fn served(scene: &Scene, issued: &Issued, alpn: Alpn) -> Result<Self, String> {
        let mut guest = Self::connect(scene.address(), scene, issued, alpn).await?;
        let answer = guest.get("/a").await?;
        assert_eq!(answer.0, 200);
        Ok(guest)
    }

    /// The status, and whether the response says that the connection closes.
    pub(super) async fn get(&mut self, path: &str) -> Result<(u16, bool), String> {
        let getting = async {
            let response = self.open(path).await?;
            let closes = response.headers().get("connection").is_some_and(|value| value == "close");
            let status = response.status().as_u16();
            response.into_body().collect().await.map_err(debug)?;
            Ok((status, closes))
        };
        timeout(PATIENCE, getting).await.map_err(|_| "no answer".to_owned())?
    }

    /// A response whose body has not been read.
    pub(super) async fn open(&mut self, path: &str) -> Result<Response<Incoming>, String> {
        let sent = match &mut self.sender {
            Sender::H1(sender) => {
                sender.ready().await.map_err(debug)?;
                let request = Request::get(path).header("host", "orders.shop.test");
                sender.send_request(request.body(Empty::new()).unwrap()).await
            }
            Sender::H2(sender) => {
                sender.ready().await.map_err(debug)?;
                let request = Request::get(format!("https://orders.shop.test{path}"));
                sender.send_request(request.body(Empty::new()).unwrap()).await
            }
        };
        sent.map_err(debug)
    }

    pub(super) fn is_open(&self) -> bool {
        !self.connection.is_finished()
    }

    /// Waits until the sidecar has ended the connection; the error, if it was one.
    pub(super) async fn ended(self) -> Option<String> {
        let ended = timeout(PATIENCE, self.connection).await;
        ended.unwrap_or_else(|_| panic!("the connection stays open")).unwrap().err().map(debug)
    }
}

pub(super) type Socket = WebSocketStream<TlsStream<TcpStream>>;

pub(super) async fn websocket(scene: &Scene, issued: &Issued) -> Socket {
    let stream = handshake(scene.address(), &scene.workload_api, issued, Alpn::Http1).await;
    let asked = "wss://orders.shop.test/socket".into_client_request().unwrap();
    let (mut socket, _) = client_async(asked, stream.unwrap()).await.unwrap();
    assert!(echoes(&mut socket).await);
    socket
}

/// Whether the service at the other end answers.
pub(super) async fn echoes(socket: &mut Socket) -> bool {
    if socket.send(Message::text("here")).await.is_err() {
        return false;
    }
    timeout(PATIENCE, socket.next()).await.unwrap().is_some_and(|message| message.is_ok())
}

/// Waits until the tunnel has ended.
pub(super) async fn ended(socket: &mut Socket) {
    while timeout(PATIENCE, socket.next()).await.unwrap().is_some_and(|message| message.is_ok()) {}
}

/// Allows everything; `/endless` never ends, `/silent` is never answered, `/socket` is a WebSocket that says everything back.
pub(super) fn setup() -> Setup {
    let respond = respond(|arrived| async move {
        match arrived.request.uri().path() {
            "/endless" => endless(),
            "/socket" => socket(arrived.request),
            "/silent" => std::future::pending().await,
            _ => Response::new(whole("here")),
        }
    });
    Setup { policies: ALLOW_ALL, respond, ..Setup::default() }
}

fn endless() -> Reply {
    let (frames, body) = framed();
    tokio::spawn(async move {
        while frames.send(Ok(Frame::data(Bytes::from_static(b"tick\n")))).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    Response::new(body)
}

fn socket(mut request: Request<Incoming>) -> Reply {
    let key = request.headers().get("sec-websocket-key").unwrap().clone();
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if socket.send(message).await.is_err() {
                return;
            }
        }
    });
    let response = Response::builder().status(101).header("connection", "Upgrade");
    let response = response.header("upgrade", "websocket");
    let accept = derive_accept_key(key.as_bytes());
    response.header("sec-websocket-accept", accept).body(whole("")).unwrap()
}

/// Looks again and again; what it waits for has no event that a test could await.
#[track_caller]
pub(super) fn until(holds: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    async move {
        let looking = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(PATIENCE, looking).await.is_ok(), "waited in vain at {place}");
    }
}

/// Whether the body goes on.
pub(super) async fn ticks(response: &mut Response<Incoming>) -> bool {
    timeout(PATIENCE, response.frame()).await.unwrap().is_some_and(|frame| frame.is_ok())
}

/// Reads a body to the error that it ends with.
pub(super) async fn broken_off(mut response: Response<Incoming>) -> String {
    loop {
        match timeout(PATIENCE, response.frame()).await.unwrap() {
            Some(Ok(_)) => {}
            Some(Err(error)) => return debug(error),
            None => panic!("the body ended as if it were whole"),
        }
    }
}

fn debug(error: hyper::Error) -> String {
    format!("{error:?}")
}
