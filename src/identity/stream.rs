//! Calls of the Workload API: one connection for each, its failures in words.

use std::path::Path;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic_prost::ProstCodec;
use tower::Service;

use super::{Failure, ServedBy, proto};

/// The bundles of thousands of federated trust domains fit; tonic's own limit of 4 MiB is too small
/// for some hundred.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Opens a stream of messages, and says who serves it.
pub(super) async fn open<Q, M>(
    socket: &Path,
    call: &'static str,
    question: Q,
) -> Result<(Streaming<M>, Option<ServedBy>), Failure>
where
    Q: prost::Message + 'static,
    M: prost::Message + Default + 'static,
{
    let (service, served_by) = connect(socket).await?;
    let mut client = Grpc::with_origin(service, Uri::from_static(ORIGIN))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    client.ready().await.map_err(|error| lost(socket, error))?;
    let codec = ProstCodec::<Q, M>::default();
    let path = PathAndQuery::from_static(call);
    let response = client.server_streaming(with_security_header(question), path, codec).await;
    let stream = response.map_err(|status| Failure::of_status(socket, status))?.into_inner();
    Ok((stream, served_by))
}

/// The next message of a stream.
pub(super) async fn next<M>(socket: &Path, stream: &mut Streaming<M>) -> Result<M, Failure> {
    match stream.message().await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(Failure::Ended { path: socket.to_owned() }),
        Err(status) => Err(Failure::of_status(socket, status)),
    }
}

/// Asks once for one message.
pub(super) async fn ask<Q, M>(
    socket: &Path,
    call: &'static str,
    question: Q,
    within: Duration,
) -> Result<M, Failure>
where
    Q: prost::Message + 'static,
    M: prost::Message + Default + 'static,
{
    let asked = async {
        let mut client = Grpc::with_origin(connect(socket).await?.0, Uri::from_static(ORIGIN));
        client.ready().await.map_err(|error| lost(socket, error))?;
        let codec = ProstCodec::<Q, M>::default();
        let path = PathAndQuery::from_static(call);
        let response = client.unary(with_security_header(question), path, codec).await;
        Ok(response.map_err(|status| Failure::of_status(socket, status))?.into_inner())
    };
    timeout(within, asked).await.unwrap_or_else(|_| Err(silent(socket, within)))
}

pub(super) fn silent(socket: &Path, within: Duration) -> Failure {
    Failure::Silent { path: socket.to_owned(), seconds: within.as_secs() }
}

/// A Unix socket has no host; HTTP/2 wants one.
const ORIGIN: &str = "http://localhost";

async fn connect(
    socket: &Path,
) -> Result<
    (
        impl Service<
            http::Request<Body>,
            Response = http::Response<Incoming>,
            Error = hyper::Error,
            Future: Send,
        >,
        Option<ServedBy>,
    ),
    Failure,
> {
    let stream =
        UnixStream::connect(socket).await.map_err(|error| Failure::of_connect(socket, error))?;
    // Of the process that listens: the kernel took it down at its `listen`.
    let peer = stream.peer_cred().ok();
    let served_by = peer.map(|peer| ServedBy { uid: peer.uid(), pid: peer.pid() });
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| lost(socket, error))?;
    // It ends when the stream is dropped; its error reaches us through the stream.
    tokio::spawn(connection);
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    Ok((service, served_by))
}

fn with_security_header<Q>(question: Q) -> tonic::Request<Q> {
    let mut request = tonic::Request::new(question);
    request.metadata_mut().insert(proto::SECURITY_HEADER, MetadataValue::from_static("true"));
    request
}

fn lost(socket: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Lost { path: socket.to_owned(), source: error.into() }
}
