//! Our client of the SPIFFE Workload API: one task that follows `FetchX509SVID` for ever.
//!
//! Every message is the full state. While the API is away the last good snapshot stands; a
//! `PermissionDenied`, or an update without the SVID that is picked, takes it back at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::metadata::MetadataValue;
use tonic_prost::ProstCodec;

use super::offers::Offers;
use super::proto::{self, X509SvidRequest, X509SvidResponse};
use super::publish::Published;
use super::{Failure, Identity, ServedBy, Settings};
use crate::clock::Clock;

/// The bundles of thousands of federated trust domains fit; tonic's own limit of 4 MiB is too small
/// for some hundred.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// An API that connects but says nothing is tried again. SPIRE's agent answers the first call when
/// it has synced with its server, which takes seconds.
const FIRST_MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);
const MIN_BACKOFF: Duration = Duration::from_millis(200);
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// Waits differ by up to a quarter, so that workloads of one node do not return all at once.
const JITTER: f64 = 0.25;

/// Starts the task that follows the API; it ends when the last [`Identity`] of it is dropped.
pub(super) fn spawn(socket: &Path, settings: &Settings, clock: Clock) -> Identity {
    let reason = format!("the Workload API at `{}` has not answered yet", socket.display());
    let (published, identity) = Published::new(settings, clock, reason);
    let offers = Offers::new(settings.pick.clone(), published);
    let mut follower = Follower { socket: socket.to_owned(), offers, answered: false };
    tokio::spawn(async move { follower.run().await });
    identity
}

/// Asks once and returns the first message.
///
/// # Errors
/// The API cannot be reached, refuses, or does not answer in time.
pub(crate) async fn fetch(socket: &Path, within: Duration) -> Result<X509SvidResponse, Failure> {
    let first = async { next(socket, &mut open(socket).await?.0).await };
    timeout(within, first).await.unwrap_or_else(|_| Err(silent(socket, within)))
}

struct Follower {
    socket: PathBuf,
    offers: Offers,
    /// Whether the present connection has given a message.
    answered: bool,
}

impl Follower {
    async fn run(&mut self) {
        let mut backoff = MIN_BACKOFF;
        let mut logged = String::new();
        let unwatched = self.offers.published.unwatched();
        tokio::pin!(unwatched);
        loop {
            self.answered = false;
            let failure = tokio::select! {
                failure = self.follow() => failure,
                () = &mut unwatched => return,
            };
            if self.answered {
                backoff = MIN_BACKOFF;
                logged.clear();
            }
            let words = failure.words();
            if words != logged {
                tracing::warn!(reason = words, "no update from the Workload API");
                logged.clone_from(&words);
            }
            self.offers.published.note(&failure, words);
            let wait = if failure.needs_a_person() { MAX_BACKOFF } else { backoff };
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(1.0 - JITTER * fastrand::f64())) => {}
                () = &mut unwatched => return,
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// One connection, from opening to its failure.
    async fn follow(&mut self) -> Failure {
        let opening = async {
            let (mut stream, served_by) = open(&self.socket).await?;
            if let Some(served_by) = served_by {
                self.offers.published.served_by(served_by);
            }
            let first = next(&self.socket, &mut stream).await?;
            Ok((stream, first))
        };
        let opened = timeout(FIRST_MESSAGE_TIMEOUT, opening);
        let (mut stream, mut message) = match opened.await {
            Ok(Ok(opened)) => opened,
            Ok(Err(failure)) => return failure,
            Err(_) => return silent(&self.socket, FIRST_MESSAGE_TIMEOUT),
        };
        loop {
            self.answered = true;
            if let Err(source) = self.offers.accept(message) {
                let failure = Failure::Update { path: self.socket.clone(), source };
                let words = failure.words();
                tracing::warn!(reason = words, "update of the Workload API discarded");
                self.offers.published.note(&failure, words);
            }
            message = match next(&self.socket, &mut stream).await {
                Ok(message) => message,
                Err(failure) => return failure,
            };
        }
    }
}

/// The stream of updates, and who serves it.
async fn open(socket: &Path) -> Result<(Streaming<X509SvidResponse>, Option<ServedBy>), Failure> {
    let stream =
        UnixStream::connect(socket).await.map_err(|error| Failure::of_connect(socket, error))?;
    // Of the process that listens: the kernel took it down at its `listen`.
    let peer = stream.peer_cred().ok();
    let served_by = peer.map(|peer| ServedBy { uid: peer.uid(), pid: peer.pid() });
    let lost = |source| Failure::Lost { path: socket.to_owned(), source };
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .map_err(|error| lost(error.into()))?;
    // It ends when the stream is dropped; its error reaches us through the stream.
    tokio::spawn(connection);
    let calls = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let mut client = tonic::client::Grpc::with_origin(calls, Uri::from_static("http://localhost"))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    client.ready().await.map_err(|error| lost(error.into()))?;
    let mut request = tonic::Request::new(X509SvidRequest {});
    request.metadata_mut().insert(proto::SECURITY_HEADER, MetadataValue::from_static("true"));
    let codec = ProstCodec::<X509SvidRequest, X509SvidResponse>::default();
    let path = PathAndQuery::from_static(proto::FETCH_X509_SVID);
    let response = client.server_streaming(request, path, codec).await;
    let stream = response.map_err(|status| Failure::of_status(socket, status))?.into_inner();
    Ok((stream, served_by))
}

async fn next(
    socket: &Path,
    stream: &mut Streaming<X509SvidResponse>,
) -> Result<X509SvidResponse, Failure> {
    match stream.message().await {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(Failure::Ended { path: socket.to_owned() }),
        Err(status) => Err(Failure::of_status(socket, status)),
    }
}

fn silent(socket: &Path, within: Duration) -> Failure {
    Failure::Silent { path: socket.to_owned(), seconds: within.as_secs() }
}
