//! One request over one connection of its own.

use std::fmt;

use anyhow::Context as _;
use bytes::Bytes;
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::answer::{Answer, MAX_RESPONSE_BYTES};
use super::request::Request;
use super::watched::Watched;
use crate::tls::{self, ClientTls, Credentials, ExpectedPeer, Peer};

/// What a connection's task ends with.
type Connection = JoinHandle<Result<(), hyper::Error>>;

/// Sends the request to the peer that is expected, and nowhere else, and reads the response.
pub(super) async fn exchange(
    request: Request,
    tls: &ClientTls,
    own: &Credentials,
    expected: ExpectedPeer,
) -> anyhow::Result<Answer> {
    let (host, port) = (request.host.as_str(), request.port);
    let stream = TcpStream::connect((host, port))
        .await
        .with_context(|| format!("failed to connect to `{host}:{port}`"))?;
    let name = request.server_name.clone();
    let (stream, peer) = tls::connect(stream, tls, own, expected, name).await.map_err(Hint)?;
    let (response, connection) = send(request, stream, &peer).await?;
    let (parts, body) = response.into_parts();
    let body = read(body).await;
    connection.abort();
    let (body, truncated) = body.context("the response ended before it was complete")?;
    let peer = peer.id().cloned().context("the server proved no identity")?;
    Ok(Answer { peer, parts, body, truncated })
}

async fn send(
    request: Request,
    stream: TlsStream<TcpStream>,
    peer: &Peer,
) -> anyhow::Result<(Response<Incoming>, Connection)> {
    let (stream, alert) = Watched::new(stream);
    let sent = send_over(request, TokioIo::new(stream), peer.speaks_http2()).await;
    // In TLS 1.3 the server's refusal of our certificate arrives only now.
    sent.map_err(|error| match alert.get() {
        Some(alert) => error.context(format!(
            "the server refused our SVID: it sent the alert {alert}; its log says why"
        )),
        None => error.context("there was no response"),
    })
}

async fn send_over(
    request: Request,
    io: TokioIo<Watched<TlsStream<TcpStream>>>,
    http2: bool,
) -> anyhow::Result<(Response<Incoming>, Connection)> {
    let request = request.into_http(http2)?;
    let (sent, connection) = if http2 {
        let (mut sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(io).await?;
        let connection = tokio::spawn(connection);
        (sender.send_request(request).await, connection)
    } else {
        let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(io).await?;
        let connection = tokio::spawn(connection);
        (sender.send_request(request).await, connection)
    };
    match sent {
        Ok(response) => Ok((response, connection)),
        // The connection's own end says more than the request that it took along.
        Err(error) => match connection.await {
            Ok(Err(cause)) => Err(cause.into()),
            Ok(Ok(())) | Err(_) => Err(error.into()),
        },
    }
}

async fn read(mut body: Incoming) -> Result<(Vec<u8>, bool), hyper::Error> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = MAX_RESPONSE_BYTES - read.len();
        let Some(fits) = data.get(..room).filter(|_| data.len() > room) else {
            read.extend_from_slice(&data);
            continue;
        };
        read.extend_from_slice(fits);
        return Ok((read, true));
    }
    Ok((read, false))
}

/// A refused server, with what the caller of the command can do about it.
#[derive(Debug)]
struct Hint(tls::Refused);

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server is not trusted: {}", self.0)?;
        if self.0.reason == "peer.unexpected_id" {
            write!(f, "\nhint: --expect names the SPIFFE ID that the server should have")?;
        }
        Ok(())
    }
}

impl std::error::Error for Hint {}
