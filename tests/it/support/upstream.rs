//! An upstream on a Unix socket that remembers every request and answers as a test says.

use std::convert::Infallible;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::audit;
use portreeve_core::record::DecisionId;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

/// What an upstream answers; its body may break off.
pub(crate) type Reply = Response<UnsyncBoxBody<Bytes, Broken>>;
pub(crate) type Broken = Box<dyn std::error::Error + Send + Sync>;
/// Sends the frames of a body one by one; it ends when this is dropped.
pub(crate) type Frames<E> = mpsc::Sender<Result<Frame<Bytes>, E>>;
/// How it comes to that answer.
pub(crate) type Respond =
    Arc<dyn Fn(Arrived) -> Pin<Box<dyn Future<Output = Reply> + Send>> + Send + Sync>;

/// A request as the upstream saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// The bytes of the request target.
    pub(crate) target: String,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// What [`Arrived::collect`] read.
    pub(crate) body: Option<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    /// Whether its decision stood in the log when it arrived; `None` where nobody looked.
    pub(crate) was_recorded: Option<bool>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The one decision id that a request must carry.
    #[track_caller]
    pub(crate) fn decision_id(&self) -> String {
        let ids = self.header("x-portreeve-decision-id");
        assert_eq!(ids.len(), 1, "{} {} has the ids {ids:?}", self.method, self.target);
        ids[0].to_owned()
    }
}

/// One request in the upstream's hands; its head is remembered already.
pub(crate) struct Arrived {
    pub(crate) request: Request<Incoming>,
    log: Arc<Mutex<Vec<Seen>>>,
    index: usize,
}

impl Arrived {
    /// Reads and remembers the whole body.
    pub(crate) async fn collect(self) -> (http::request::Parts, Bytes) {
        let Self { request, log, index } = self;
        let (parts, body) = request.into_parts();
        let Ok(collected) = body.collect().await else { return (parts, Bytes::new()) };
        let trailers = collected.trailers().cloned();
        let bytes = collected.to_bytes();
        let mut log = log.lock().unwrap();
        log[index].body = Some(bytes.clone());
        log[index].trailers = trailers;
        (parts, bytes)
    }
}

/// A way to answer, from an async closure.
pub(crate) fn respond<F, Fut>(how: F) -> Respond
where
    F: Fn(Arrived) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Reply> + Send + 'static,
{
    Arc::new(move |arrived| Box::pin(how(arrived)))
}

/// Reads the body, then answers 200 with this text.
pub(crate) fn answer_with(text: &'static str) -> Respond {
    respond(move |arrived| async move {
        arrived.collect().await;
        Response::new(whole(text))
    })
}

/// The body of an answer that is there at once.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> UnsyncBoxBody<Bytes, Broken> {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// The body of an answer, frame by frame.
pub(crate) fn framed() -> (Frames<Broken>, UnsyncBoxBody<Bytes, Broken>) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, StreamBody::new(ReceiverStream::new(receiver)).boxed_unsync())
}

/// The running upstream.
pub(crate) struct Upstream {
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    socket: PathBuf,
    tasks: JoinSet<()>,
}

impl Upstream {
    /// Serves HTTP/1.1 (`h1`) or HTTP/2 by prior knowledge (`h2c`); looks into `log` at each arrival.
    pub(crate) fn start(
        socket: &Path,
        protocol: &str,
        respond: Respond,
        log: Option<PathBuf>,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let is_h2 = protocol == "h2c";
        let remembered = Arc::clone(&seen);
        Self::accept(socket, seen, move |stream, _| {
            let (seen, respond, log) = (Arc::clone(&remembered), respond.clone(), log.clone());
            async move {
                let service = service_fn(move |request| {
                    let arrived = arrive(&seen, request, log.as_deref());
                    let reply = respond(arrived);
                    async move { Ok::<_, Infallible>(reply.await) }
                });
                let io = TokioIo::new(stream);
                // A caller that goes away is its own affair.
                let _ = match is_h2 {
                    true => {
                        http2::Builder::new(TokioExecutor::new())
                            .serve_connection(io, service)
                            .await
                    }
                    false => {
                        let served = http1::Builder::new().serve_connection(io, service);
                        served.with_upgrades().await
                    }
                };
            }
        })
    }

    /// Hands each connection to a test, with its number from 0.
    pub(crate) fn raw<F, Fut>(socket: &Path, serve: F) -> Self
    where
        F: Fn(UnixStream, usize) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::accept(socket, Arc::default(), serve)
    }

    fn accept<F, Fut>(socket: &Path, seen: Arc<Mutex<Vec<Seen>>>, serve: F) -> Self
    where
        F: Fn(UnixStream, usize) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let _ = std::fs::remove_file(socket);
        let listener = UnixListener::bind(socket).unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                serving.spawn(serve(stream, counter.fetch_add(1, Ordering::Relaxed)));
                while serving.try_join_next().is_some() {}
            }
        });
        Self { seen, connections, socket: socket.to_owned(), tasks }
    }

    /// The requests so far, in order of arrival.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Ends all connections and takes the socket away.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn arrive(seen: &Arc<Mutex<Vec<Seen>>>, request: Request<Incoming>, log: Option<&Path>) -> Arrived {
    let target = request.uri().path_and_query().map_or("", |target| target.as_str());
    let arrived = Seen {
        method: request.method().clone(),
        target: target.to_owned(),
        version: request.version(),
        headers: request.headers().clone(),
        body: None,
        trailers: None,
        was_recorded: log.map(|log| is_recorded(log, request.headers())),
    };
    let mut log = seen.lock().unwrap();
    log.push(arrived);
    let index = log.len() - 1;
    drop(log);
    Arrived { request, log: Arc::clone(seen), index }
}

fn is_recorded(log: &Path, headers: &HeaderMap) -> bool {
    let id = headers.get("x-portreeve-decision-id").and_then(|id| id.to_str().ok());
    let Some(id) = id.and_then(|id| DecisionId::parse(id).ok()) else { return false };
    let found = audit::find(log, &id).unwrap();
    found.iter().any(|record| record["kind"] == "decision")
}
