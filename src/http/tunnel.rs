//! `Upgrade: websocket` after an allow: two upgraded connections joined until one side ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ::http::header::{CONNECTION, HeaderValue, UPGRADE};
use ::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use portreeve_core::policy::Effects;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::exchange::Exchange;
use super::{ReplyBody, reply};
use crate::connections::Order;
use crate::forward::Forwarded;

/// Takes the caller's half of an upgrade out of a request, where it asks for one.
pub(super) fn caller_side(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    request.headers().contains_key(UPGRADE).then(|| hyper::upgrade::on(request))
}

/// Makes the reply of a forwarded request: a stream, or a tunnel where both sides switch.
pub(super) fn or_stream(
    forwarded: Forwarded,
    mut exchange: Exchange,
    caller: Option<OnUpgrade>,
    effects: &Effects,
) -> Response<ReplyBody> {
    let Forwarded { mut response, lease, tries } = forwarded;
    let id = reply::id_value(exchange.receipt().id());
    exchange.answered(response.status(), tries);
    match caller.filter(|_| response.status() == StatusCode::SWITCHING_PROTOCOLS) {
        Some(caller) => {
            let upstream = hyper::upgrade::on(&mut response);
            let (mut parts, _) = response.into_parts();
            reply::change_response(&mut parts, id, effects);
            parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            tokio::spawn(join(caller, upstream, exchange));
            Response::from_parts(parts, ReplyBody::empty())
        }
        None => {
            let (mut parts, body) = response.into_parts();
            reply::change_response(&mut parts, id, effects);
            parts.extensions.clear();
            Response::from_parts(parts, ReplyBody::upstream(body, lease, exchange))
        }
    }
}

/// Copies both ways until an end, an error or an order to the connection.
async fn join(caller: OnUpgrade, upstream: OnUpgrade, mut exchange: Exchange) {
    exchange.is_tunnel();
    let underway = Arc::clone(exchange.underway());
    let switched = tokio::select! {
        switched = async { tokio::try_join!(caller, upstream) } => switched,
        _ = underway.until_ended() => return,
    };
    let (caller, mut upstream) = match switched {
        Ok((caller, upstream)) => (TokioIo::new(caller), TokioIo::new(upstream)),
        Err(_) => return exchange.failed("tunnel.not_upgraded"),
    };
    let mut caller = Counted { stream: caller, read: 0, written: 0 };
    let slot = Arc::clone(exchange.slot());
    let failure = tokio::select! {
        copied = copy_bidirectional(&mut caller, &mut upstream) => {
            copied.err().map(|_| "tunnel.broke_off")
        }
        // A tunnel has no message boundary to wait for: it cannot be asked to retire, and is cut
        // where other connections close.
        _ = slot.ordered(Some(Order::Retire)) => Some(slot.reason().unwrap_or("tunnel.cut")),
        ended = underway.until_ended() => Some(ended.reason),
    };
    exchange.tunnelled(caller.read, caller.written);
    match failure {
        None => exchange.complete(),
        Some(reason) => exchange.failed(reason),
    }
}

/// Counts what passes, so that a tunnel that is cut has its bytes in the record too.
struct Counted {
    stream: TokioIo<Upgraded>,
    read: u64,
    written: u64,
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            // Without `close_notify` the caller has left all the same; the protocol inside has an
            // end of its own.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other?,
        }
        self.read += buffer.filled().len().saturating_sub(before) as u64;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
