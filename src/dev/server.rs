//! The Workload API's wire: gRPC over HTTP/2 on a Unix socket, each caller known by its `uid`.

use std::convert::Infallible;
use std::time::Duration;

use http::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use super::authority_header::Rewritten;
use super::domain::Domain;
use crate::identity::proto::{self, JwtSvidRequest, ValidateJwtSvidRequest};

/// A developer's machine has few workloads.
const MAX_CONNECTIONS: usize = 256;
/// A workload has four streams at most, and a call or two.
const MAX_STREAMS: u32 = 64;
/// The largest request holds one JWT-SVID.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// After a failed accept (no file descriptor is left): time for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until it is dropped; connections end with it.
pub(super) async fn serve(listener: UnixListener, domain: watch::Receiver<Domain>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(connection(stream, domain.clone()));
                }
                Ok(_) => tracing::warn!("Workload API connection refused: too many are open"),
                Err(error) => {
                    tracing::warn!(%error, "Workload API connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: UnixStream, domain: watch::Receiver<Domain>) {
    let uid = match stream.peer_cred() {
        Ok(credentials) => credentials.uid(),
        Err(error) => {
            tracing::warn!(%error, "Workload API caller not known");
            return;
        }
    };
    let calls = service_fn(move |request| {
        let domain = domain.clone();
        async move { Ok::<_, Infallible>(answer(request, domain, uid).await) }
    });
    let served = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(MAX_STREAMS)
        .serve_connection(TokioIo::new(Rewritten::new(stream)), calls)
        .await;
    if let Err(error) = served {
        tracing::debug!(uid, %error, "Workload API connection broke");
    }
}

async fn answer(
    request: http::Request<Incoming>,
    domain: watch::Receiver<Domain>,
    uid: u32,
) -> http::Response<Body> {
    if !has_security_header(request.headers()) {
        return Status::invalid_argument("security header missing from request").into_http();
    }
    match request.uri().path() {
        proto::FETCH_X509_SVID => {
            let compose = move |domain: &Domain| domain.x509_svids(uid);
            streamed::<proto::X509SvidRequest, _>(request, domain, compose).await
        }
        proto::FETCH_X509_BUNDLES => {
            let compose = move |domain: &Domain| domain.x509_bundles(uid);
            streamed::<proto::X509BundlesRequest, _>(request, domain, compose).await
        }
        proto::FETCH_JWT_BUNDLES => {
            let compose = move |domain: &Domain| domain.jwt_bundles(uid);
            streamed::<proto::JwtBundlesRequest, _>(request, domain, compose).await
        }
        proto::FETCH_JWT_SVID => {
            let compose = |wanted: &JwtSvidRequest| domain.borrow().jwt_svids(uid, wanted);
            single(request, compose).await
        }
        proto::VALIDATE_JWT_SVID => {
            let compose = |token: &ValidateJwtSvidRequest| domain.borrow().validate_jwt_svid(token);
            single(request, compose).await
        }
        _ => Status::unimplemented("not a call of this Workload API").into_http(),
    }
}

/// Exactly one, as SPIRE has it: a second value may come from a confused intermediary.
fn has_security_header(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(proto::SECURITY_HEADER).iter();
    values.next().is_some_and(|value| value == "true") && values.next().is_none()
}

async fn single<Q, M>(
    request: http::Request<Incoming>,
    compose: impl Fn(&Q) -> Result<M, Status>,
) -> http::Response<Body>
where
    Q: prost::Message + Default + 'static,
    M: prost::Message + Default + 'static,
{
    let call = tower::service_fn(|question: Request<Q>| {
        std::future::ready(compose(question.get_ref()).map(Response::new))
    });
    let grpc = Grpc::new(ProstCodec::<M, Q>::default());
    grpc.max_decoding_message_size(MAX_REQUEST_BYTES).unary(call, request).await
}

/// Answers at once and again at every change of the domain, until the first refusal.
async fn streamed<Q, M>(
    request: http::Request<Incoming>,
    domain: watch::Receiver<Domain>,
    compose: impl Fn(&Domain) -> Result<M, Status> + Clone + Send + 'static,
) -> http::Response<Body>
where
    Q: prost::Message + Default + 'static,
    M: prost::Message + Default + 'static,
{
    let call = tower::service_fn(|_: Request<Q>| {
        let (messages, stream) = mpsc::channel(1); // the newest state alone is of use
        tokio::spawn(push(domain.clone(), compose.clone(), messages));
        std::future::ready(Ok(Response::new(ReceiverStream::new(stream))))
    });
    let grpc = Grpc::new(ProstCodec::<M, Q>::default());
    grpc.max_decoding_message_size(MAX_REQUEST_BYTES).server_streaming(call, request).await
}

async fn push<M>(
    mut domain: watch::Receiver<Domain>,
    compose: impl Fn(&Domain) -> Result<M, Status>,
    messages: mpsc::Sender<Result<M, Status>>,
) {
    let began = domain.borrow().streams;
    loop {
        let message = {
            let now = domain.borrow_and_update();
            if now.streams == began {
                compose(&now)
            } else {
                Err(Status::unavailable("stream dropped by a test"))
            }
        };
        let last = message.is_err();
        if messages.send(message).await.is_err() || last {
            return;
        }
        tokio::select! {
            changed = domain.changed() => if changed.is_err() { return },
            () = messages.closed() => return,
        }
    }
}
