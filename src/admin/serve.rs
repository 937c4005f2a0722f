//! What both servers share: a thread of their own, one bounded request per connection, small replies.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

pub(super) type Reply = Response<Full<Bytes>>;

/// From accepting a connection to the last byte of its one reply.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(10);
/// A probe's head has a few hundred bytes; hyper's own smallest buffer is 8 KiB.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// A change that is asked for is a SPIFFE ID and a sentence.
const MAX_BODY_BYTES: usize = 16 << 10;
/// After a failed accept, such as without free file descriptors: neither spin nor give up.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("failed to listen on `{address}`")]
    Listen { address: String, source: io::Error },
    #[error("`{}` is answered by another process", path.display())]
    Taken { path: PathBuf },
    #[error("`{}` is there and is not a socket", path.display())]
    NotASocket { path: PathBuf },
    #[error("failed to start the thread `{name}`")]
    Thread { name: &'static str, source: io::Error },
}

/// A server that runs; it stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Stops accepting and waits for the thread.
    pub fn stop(mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of its thread has been told by the panic hook.
            let _ = thread.join();
        }
    }
}

/// Runs a server's accept loop on a thread of its own until the [`Server`] goes. `start` is called on
/// that thread, where the loop's sockets belong.
pub(super) fn on_own_thread<F>(
    name: &'static str,
    start: impl FnOnce() -> io::Result<F> + Send + 'static,
) -> Result<Server, ServeError>
where
    F: Future<Output = Infallible>,
{
    let failed = |source| ServeError::Thread { name, source };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || {
        runtime.block_on(async {
            match start() {
                Ok(accepting) => tokio::select! {
                    _ = stopped => {}
                    never = accepting => match never {},
                },
                Err(error) => tracing::error!(%error, server = name, "server did not start"),
            }
        });
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(failed)?;
    Ok(Server { stop: Some(stop), thread: Some(thread) })
}

/// Serves one request of a connection; whatever goes wrong ends it.
pub(super) async fn connection<S, A>(stream: S, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(&Request<Bytes>) -> Reply,
{
    let service = service_fn(async |request: Request<Incoming>| {
        let (parts, body) = request.into_parts();
        Ok::<_, Infallible>(match Limited::new(body, MAX_BODY_BYTES).collect().await {
            Ok(body) => answer(&Request::from_parts(parts, body.to_bytes())),
            Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or broke off\n"),
        })
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        // A kept connection would hold one of few slots while it says nothing.
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, serving).await {
        tracing::debug!(%error, "connection of a probe or of the admin socket failed");
    }
}

pub(super) fn reply(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::from(body));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}

pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Reply {
    reply(status, "text/plain; charset=utf-8", body.into())
}

pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    reply(status, "application/json", format!("{body}\n"))
}

pub(super) fn not_found() -> Reply {
    text(StatusCode::NOT_FOUND, "not found\n")
}

pub(super) fn only(method: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, format!("only {method} is allowed\n"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(method));
    reply
}
