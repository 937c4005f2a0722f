//! How the service behind the sidecar answers: at once, late, without end, or as a WebSocket.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::support::{Reply, Upstream, respond};

/// Serves on `app.sock` of the directory; `…/slow` is answered once it is released.
pub(super) fn start(dir: &Path, released: &watch::Sender<bool>) -> Upstream {
    let released = released.clone();
    let answers = respond(move |arrived| answer(released.subscribe(), arrived.request));
    Upstream::start(&dir.join("app.sock"), "h1", answers, None)
}

async fn answer(mut released: watch::Receiver<bool>, request: Request<Incoming>) -> Reply {
    match request.uri().path() {
        path if path.ends_with("/slow") => {
            let _ = released.wait_for(|released| *released).await;
            text("slow")
        }
        path if path.ends_with("/endless") => {
            let ticks = futures_util::stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Some((Ok(Frame::data(Bytes::from_static(b"tick\n"))), ()))
            });
            Response::new(StreamBody::new(ticks).boxed_unsync())
        }
        path if path.ends_with("/socket") => echo(request),
        _ => text("here"),
    }
}

fn text(text: &'static str) -> Reply {
    Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync())
}

/// A WebSocket that says everything back.
fn echo(mut request: Request<Incoming>) -> Reply {
    let accept = derive_accept_key(request.headers()[SEC_WEBSOCKET_KEY].as_bytes());
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Ok(stream) = upgraded.await else { return };
        let stream = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, None);
        let (mut out, mut messages) = stream.await.split();
        while let Some(Ok(message)) = messages.next().await {
            if out.send(message).await.is_err() {
                return;
            }
        }
    });
    let mut response = text("");
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, "upgrade".parse().unwrap());
    headers.insert(UPGRADE, "websocket".parse().unwrap());
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.parse().unwrap());
    response
}
