//! The admin interface on its Unix socket, in JSON: `GET /status`, `GET /readyz`, `GET /blocked`,
//! `POST /block`, `POST /unblock`.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::{Method, Request, StatusCode};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::net::unix::UCred;
use tokio::sync::Semaphore;

use super::serve::{self, Reply, ServeError, Server};
use super::socket::{PrivateSocket, SocketFile};
use super::{Control, Report, Settings, control};

/// Commands at once; further ones wait in the backlog.
const MAX_CONNECTIONS: usize = 32;
/// A page of another origin names its own host, whatever socket the request came by.
const HOSTS: [&str; 2] = ["localhost", super::client::HOST_NAME];

/// A socket that listens but is not served yet: bind first, lock the process down, then serve.
#[derive(Debug)]
pub struct BoundAdmin(PrivateSocket);

impl BoundAdmin {
    /// Listens on the socket of the settings.
    ///
    /// # Errors
    /// The folder or the socket cannot be made, or another process answers on it.
    pub fn bind(settings: &Settings) -> Result<Self, ServeError> {
        PrivateSocket::bind(&settings.socket).map(Self)
    }

    /// Answers from a thread of its own until the [`Server`] is dropped.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn serve(
        self,
        report: Arc<dyn Report>,
        control: Arc<dyn Control>,
    ) -> Result<Server, ServeError> {
        let PrivateSocket { listener, file } = self.0;
        serve::on_own_thread("admin", move || {
            let listener = UnixListener::from_std(listener)?;
            Ok(accept(listener, file, report, control))
        })
    }
}

async fn accept(
    listener: UnixListener,
    file: SocketFile,
    report: Arc<dyn Report>,
    control: Arc<dyn Control>,
) -> Infallible {
    // Removed when the loop is dropped.
    let _file = file;
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed; without a slot the connection would only be unbounded.
        let slot = Arc::clone(&slots).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "failed to accept on the admin socket");
                tokio::time::sleep(serve::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(peer) = stream.peer_cred().ok().filter(may_ask) else {
            tracing::warn!("another user tried the admin socket");
            continue;
        };
        let (report, control) = (Arc::clone(&report), Arc::clone(&control));
        tokio::spawn(async move {
            let answer = |request: &_| answer(&*report, &*control, request, peer.uid());
            serve::connection(stream, answer).await;
            drop(slot);
        });
    }
}

/// The mode of the file says the same; this holds where a folder of another owner replaced it.
fn may_ask(peer: &UCred) -> bool {
    peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw()
}

fn answer(
    report: &dyn Report,
    control: &dyn Control,
    request: &Request<Bytes>,
    user: u32,
) -> Reply {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if !host.is_some_and(|host| HOSTS.contains(&host)) {
        return serve::text(StatusCode::MISDIRECTED_REQUEST, "unknown host\n");
    }
    match (request.uri().path(), request.method() == Method::GET) {
        ("/block" | "/unblock", _) if request.method() == Method::POST => {
            control::answer(control, request, user)
        }
        ("/block" | "/unblock", _) => serve::only("POST"),
        ("/status" | "/readyz" | "/blocked", false) => serve::only("GET"),
        ("/blocked", true) => serve::json(StatusCode::OK, &json!({ "blocked": control.blocked() })),
        ("/status", true) => {
            let status = serde_json::to_value(report.status()).unwrap_or_default();
            serve::json(StatusCode::OK, &status)
        }
        ("/readyz", true) => {
            let readiness = report.readiness();
            let is_ready = readiness.is_ready();
            let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let state = readiness.state();
            let body = json!({ "ready": is_ready, "state": state, "parts": readiness.parts });
            serve::json(status, &body)
        }
        _ => serve::not_found(),
    }
}
