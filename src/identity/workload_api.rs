//! Our client of the SPIFFE Workload API: one task that follows `FetchX509SVID` for ever.
//!
//! Every message is the full state. While the API is away the last good snapshot stands; a
//! `PermissionDenied`, or an update without the SVID that is picked, takes it back at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::uri::PathAndQuery;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::Streaming;
use tonic::metadata::MetadataValue;
use tonic_prost::ProstCodec;

use super::proto::{self, X509SvidRequest, X509SvidResponse};
use super::{Failure, Identity, Pick, Settings, Snapshot, Source, State, Svid, update};
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
/// So many SVIDs are named when the picked one is not among them.
const MAX_NAMED_SVIDS: usize = 8;

/// Starts the task that follows the source; it ends when the last [`Identity`] of it is dropped.
#[must_use]
pub fn spawn(settings: &Settings, clock: Clock) -> Identity {
    let Source::WorkloadApi { socket } = &settings.source;
    let reason = format!("the Workload API at `{}` has not answered yet", socket.display());
    let (state, receiver) = watch::channel(State::Waiting { reason });
    let mut follower = Follower {
        socket: socket.clone(),
        pick: settings.pick.clone(),
        clock: clock.clone(),
        state,
        sequence: 0,
        answered: false,
        last: None,
    };
    tokio::spawn(async move { follower.run().await });
    Identity::new(receiver, clock)
}

/// Asks once and returns the first message.
///
/// # Errors
/// The API cannot be reached, refuses, or does not answer in time.
pub(crate) async fn fetch(socket: &Path, within: Duration) -> Result<X509SvidResponse, Failure> {
    let first = async { next(socket, &mut open(socket).await?).await };
    timeout(within, first).await.unwrap_or_else(|_| Err(silent(socket, within)))
}

struct Follower {
    socket: PathBuf,
    pick: Option<Pick>,
    clock: Clock,
    state: watch::Sender<State>,
    sequence: u64,
    /// Whether the present connection has given a message.
    answered: bool,
    /// The message that the present snapshot was made of: the same again is no update.
    last: Option<X509SvidResponse>,
}

impl Follower {
    async fn run(&mut self) {
        let mut backoff = MIN_BACKOFF;
        let mut logged = String::new();
        let state = self.state.clone();
        loop {
            self.answered = false;
            let failure = tokio::select! {
                failure = self.follow() => failure,
                () = state.closed() => return,
            };
            let words = failure.words();
            if words != logged {
                tracing::warn!(reason = words, "no update from the Workload API");
                logged.clone_from(&words);
            }
            self.note(&failure, words);
            if self.answered {
                backoff = MIN_BACKOFF;
            }
            let wait = if failure.needs_a_person() { MAX_BACKOFF } else { backoff };
            tokio::select! {
                () = tokio::time::sleep(wait.mul_f64(1.0 - JITTER * fastrand::f64())) => {}
                () = state.closed() => return,
            }
            backoff = (backoff * 2).min(MAX_BACKOFF);
        }
    }

    /// One connection, from opening to its failure.
    async fn follow(&mut self) -> Failure {
        let opening = async {
            let mut stream = open(&self.socket).await?;
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
            self.accept(message);
            message = match next(&self.socket, &mut stream).await {
                Ok(message) => message,
                Err(failure) => return failure,
            };
        }
    }

    /// Publishes what a message says. One that cannot be used is discarded, the stream goes on.
    fn accept(&mut self, message: X509SvidResponse) {
        let ready = matches!(*self.state.borrow(), State::Ready(_));
        if ready && self.last.as_ref() == Some(&message) {
            return;
        }
        let read = update::picked(&message, self.pick.as_ref()).and_then(|picked| {
            let Some(own) = picked else { return Ok(None) };
            let svid = update::read_svid(own)?;
            let bundles = update::read_bundles(&message, own, &svid.id)?;
            Ok(Some((svid, bundles)))
        });
        match read {
            Ok(Some((svid, bundles))) => {
                self.publish(svid, bundles);
                self.last = Some(message);
            }
            Ok(None) => self.withdraw(not_offered(&message, self.pick.as_ref())),
            Err(source) => {
                let failure = Failure::Update { path: self.socket.clone(), source };
                let words = failure.words();
                tracing::warn!(reason = words, "update of the Workload API discarded");
                self.note(&failure, words);
            }
        }
    }

    fn publish(&mut self, svid: Svid, bundles: update::Bundles) {
        self.sequence += 1;
        tracing::info!(
            spiffe_id = %svid.id,
            not_after = %svid.not_after,
            trust_domains = bundles.len(),
            update = self.sequence,
            "SVID received"
        );
        let received = self.clock.now();
        let snapshot = Snapshot { sequence: self.sequence, svid, bundles, received };
        self.state.send_replace(State::Ready(Arc::new(snapshot)));
    }

    fn note(&mut self, failure: &Failure, words: String) {
        if matches!(failure, Failure::Denied { .. }) {
            return self.withdraw(words);
        }
        self.state.send_if_modified(|state| match state {
            State::Waiting { reason } if *reason != words => {
                *reason = words;
                true
            }
            State::Waiting { .. } | State::Ready(_) | State::Withdrawn { .. } => false,
        });
    }

    /// The source says that we have no identity: one that we had is gone at once.
    fn withdraw(&mut self, words: String) {
        self.last = None;
        self.state.send_if_modified(|state| {
            let (changed, new) = match state {
                State::Ready(_) => {
                    tracing::error!(reason = words, "our SVID was withdrawn");
                    (true, State::Withdrawn { reason: words })
                }
                State::Withdrawn { reason } => {
                    (*reason != words, State::Withdrawn { reason: words })
                }
                State::Waiting { reason } => (*reason != words, State::Waiting { reason: words }),
            };
            *state = new;
            changed
        });
    }
}

async fn open(socket: &Path) -> Result<Streaming<X509SvidResponse>, Failure> {
    let stream =
        UnixStream::connect(socket).await.map_err(|error| Failure::of_connect(socket, error))?;
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
    Ok(response.map_err(|status| Failure::of_status(socket, status))?.into_inner())
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

fn not_offered(message: &X509SvidResponse, pick: Option<&Pick>) -> String {
    let wanted = match pick {
        Some(Pick::Hint(hint)) => format!("hint `{hint}`"),
        Some(Pick::SpiffeId(id)) => format!("ID `{id}`"),
        None => String::from("any ID"),
    };
    let offered: Vec<String> = message
        .svids
        .iter()
        .take(MAX_NAMED_SVIDS)
        .map(|svid| format!("`{}` (hint `{}`)", svid.spiffe_id, svid.hint))
        .collect();
    format!("the Workload API issues no SVID with {wanted}, it issues {}", offered.join(", "))
}
