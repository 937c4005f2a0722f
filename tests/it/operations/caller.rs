//! A workload that calls the sidecar with its SVID, on one connection that it keeps.

use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::dev::{Issued, WorkloadApi};
use portreeve::tls::Alpn;
use rustls::pki_types::CertificateDer;
use tokio::task::JoinHandle;

use super::world::PATIENCE;
use crate::support::{WEB, handshake, id};

/// Both protocols, for tests that hold for both.
pub(super) const BOTH: [Alpn; 2] = [Alpn::Http1, Alpn::Http2];

/// A kept connection.
pub(super) struct Caller {
    sender: Sender,
    /// Ends with the connection.
    connection: JoinHandle<()>,
    /// The SVID of the sidecar.
    pub(super) presented: CertificateDer<'static>,
}

enum Sender {
    H1(http1::SendRequest<Full<Bytes>>),
    H2(http2::SendRequest<Full<Bytes>>),
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The decision's.
    pub(super) id: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Caller {
    pub(super) async fn connect(
        api: &WorkloadApi,
        address: SocketAddr,
        alpn: Alpn,
    ) -> Result<Self, String> {
        Self::connect_with(api, &api.issue(&id(WEB)).unwrap(), address, alpn).await
    }

    pub(super) async fn connect_with(
        api: &WorkloadApi,
        issued: &Issued,
        address: SocketAddr,
        alpn: Alpn,
    ) -> Result<Self, String> {
        let stream = handshake(address, api, issued, alpn).await;
        let stream = stream.map_err(|refused| refused.to_string())?;
        let presented = stream.get_ref().1.peer_certificates().unwrap()[0].clone();
        let io = TokioIo::new(stream);
        let text = |error: hyper::Error| format!("{error:?}");
        if alpn == Alpn::Http2 {
            let builder = http2::Builder::new(TokioExecutor::new());
            let (sender, connection) = builder.handshake(io).await.map_err(text)?;
            let connection = tokio::spawn(async move { drop(connection.await) });
            Ok(Self { sender: Sender::H2(sender), connection, presented })
        } else {
            let (sender, connection) = http1::handshake(io).await.map_err(text)?;
            let connection = tokio::spawn(async move { drop(connection.await) });
            Ok(Self { sender: Sender::H1(sender), connection, presented })
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Result<Answer, String> {
        let getting = async { read(self.open(path).await?).await };
        tokio::time::timeout(PATIENCE, getting).await.map_err(|_| "no answer".to_owned())?
    }

    /// A GET whose response's body has not been read.
    pub(super) async fn open(&mut self, path: &str) -> Result<Response<Incoming>, String> {
        let sent = match &mut self.sender {
            Sender::H1(sender) => {
                sender.ready().await.map_err(|error| format!("{error:?}"))?;
                let request = Request::get(path).header(HOST, "orders.test");
                sender.send_request(request.body(Full::default()).unwrap()).await
            }
            Sender::H2(sender) => {
                sender.ready().await.map_err(|error| format!("{error:?}"))?;
                let request = Request::get(format!("https://orders.test{path}"));
                sender.send_request(request.body(Full::default()).unwrap()).await
            }
        };
        sent.map_err(|error| format!("{error:?}"))
    }

    /// Another handle on the same connection; HTTP/1.1 has none.
    pub(super) fn another_stream(&self) -> http2::SendRequest<Full<Bytes>> {
        match &self.sender {
            Sender::H1(_) => panic!("HTTP/1.1 has one stream"),
            Sender::H2(sender) => sender.clone(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.connection.is_finished()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

pub(super) async fn read(response: Response<Incoming>) -> Result<Answer, String> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
    let id = parts.headers["x-portreeve-decision-id"].to_str().unwrap().to_owned();
    Ok(Answer { status: parts.status.as_u16(), id, headers: parts.headers, body })
}
