//! The other end of the admin socket: what `status` and its like ask with.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// What the server expects to be called.
pub(super) const HOST_NAME: &str = "portreeve";
/// The whole exchange with a process of the same machine.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The status of 16 listeners has a few kilobytes; a deny-list of ten thousand long entries has the most.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no sidecar answers on `{}`", socket.display())]
    Connect { socket: PathBuf, source: io::Error },
    #[error("the sidecar on `{}` did not answer within {}s", socket.display(), TIMEOUT.as_secs())]
    Timeout { socket: PathBuf },
    #[error("failed to ask the sidecar for `{path}`")]
    Exchange { path: String, source: hyper::Error },
    #[error("failed to read the sidecar's answer to `{path}`")]
    Body { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the sidecar answered {status} to `{path}`")]
    Status { path: String, status: StatusCode },
    #[error("the sidecar refused `{path}`: {text}")]
    Refused { path: String, text: String },
    #[error("the sidecar's answer to `{path}` is not JSON")]
    Json { path: String, source: serde_json::Error },
}

/// Asks for a path; 503 is an answer too, as readiness gives it.
///
/// # Errors
/// Nobody answers, or not with JSON.
pub async fn get(socket: &Path, path: &str) -> Result<Value, ClientError> {
    within(socket, exchange(socket, Method::GET, path, String::new())).await
}

/// Asks for a change.
///
/// # Errors
/// Nobody answers, or the change is refused.
pub async fn post(
    socket: &Path,
    path: &str,
    body: &impl serde::Serialize,
) -> Result<Value, ClientError> {
    let body = serde_json::to_string(body)
        .map_err(|error| ClientError::Body { path: path.to_owned(), source: error.into() })?;
    within(socket, exchange(socket, Method::POST, path, body)).await
}

async fn within(
    socket: &Path,
    asking: impl Future<Output = Result<Value, ClientError>>,
) -> Result<Value, ClientError> {
    tokio::time::timeout(TIMEOUT, asking)
        .await
        .unwrap_or_else(|_| Err(ClientError::Timeout { socket: socket.to_owned() }))
}

async fn exchange(
    socket: &Path,
    method: Method,
    path: &str,
    body: String,
) -> Result<Value, ClientError> {
    let unreachable = |source| ClientError::Connect { socket: socket.to_owned(), source };
    let broken = |source| ClientError::Exchange { path: path.to_owned(), source };
    let stream = UnixStream::connect(socket).await.map_err(unreachable)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = Request::builder().method(method).uri(path).header(HOST, HOST_NAME);
    let request = request.header(CONTENT_TYPE, "application/json").body(Full::<Bytes>::from(body));
    let request = request
        .map_err(|error| ClientError::Body { path: path.to_owned(), source: error.into() })?;
    // The sender goes with the answer, which ends the connection.
    let asking = async move {
        let broken = |source| ClientError::Exchange { path: path.to_owned(), source };
        let response = sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|source| ClientError::Body { path: path.to_owned(), source })?;
        Ok((status, body.to_bytes()))
    };
    let (answer, _) = tokio::join!(asking, connection);
    let (status, body) = answer?;
    if status != StatusCode::OK && status != StatusCode::SERVICE_UNAVAILABLE {
        let answer = serde_json::from_slice::<Value>(&body).ok();
        let text = answer.as_ref().and_then(|answer| answer.get("error")?.as_str());
        return Err(match text {
            Some(text) => ClientError::Refused { path: path.to_owned(), text: text.to_owned() },
            None => ClientError::Status { path: path.to_owned(), status },
        });
    }
    serde_json::from_slice(&body)
        .map_err(|source| ClientError::Json { path: path.to_owned(), source })
}
