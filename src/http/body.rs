//! The body of a reply: our own few bytes, or the upstream's stream with the exchange it belongs to.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::HeaderMap;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use portreeve_core::request::is_reserved;

use super::exchange::Exchange;
use super::ongoing::Ended;
use super::reply::Answer;
use crate::forward::Lease;

/// What hyper streams to the caller.
#[derive(Debug)]
pub struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Fixed(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
}

/// Why a response breaks off; a stream of HTTP/2 is reset with the code of the cause.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    #[error("the upstream's response broke off")]
    Upstream(#[source] hyper::Error),
    #[error("the exchange is not permitted any more")]
    Revoked(#[source] h2::Error),
}

#[derive(Debug)]
struct UpstreamBody {
    body: Incoming,
    lease: Option<Lease>,
    exchange: Exchange,
}

impl ReplyBody {
    #[must_use]
    pub fn empty() -> Self {
        Self(Kind::Fixed(None))
    }

    #[must_use]
    pub fn fixed(bytes: Bytes) -> Self {
        Self(Kind::Fixed(Some(bytes)))
    }

    /// Streams an upstream's body; at its end the connection goes back and the exchange is complete.
    pub(super) fn upstream(body: Incoming, lease: Lease, exchange: Exchange) -> Self {
        let mut stream = UpstreamBody { body, lease: Some(lease), exchange };
        if stream.body.is_end_stream() {
            stream.complete();
        }
        Self(Kind::Upstream(Box::new(stream)))
    }
}

impl UpstreamBody {
    fn complete(&mut self) {
        self.exchange.complete();
        if let Some(lease) = self.lease.take().filter(|_| self.exchange.request_is_sent()) {
            lease.give_back();
        }
    }
}

impl ReplyError {
    /// Not `REFUSED_STREAM`, which would ask the caller to try again: some of it was processed.
    fn of(ended: &Ended) -> Self {
        let code = match ended.answer {
            Answer::Unavailable => h2::Reason::INTERNAL_ERROR,
            _ => h2::Reason::CANCEL,
        };
        Self::Revoked(code.into())
    }
}

/// A trailer may not say later what the upstream could not say in a header.
fn remove_reserved(trailers: &mut HeaderMap) {
    let reserved: Vec<_> = trailers.keys().filter(|name| is_reserved(name)).cloned().collect();
    for name in reserved {
        trailers.remove(name);
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = ReplyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReplyError>>> {
        let stream = match &mut self.0 {
            Kind::Fixed(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Upstream(stream) => stream,
        };
        let polled = Pin::new(&mut stream.body).poll_frame(context);
        if polled.is_pending() {
            stream.exchange.underway().wake(context.waker());
        }
        if let Some(ended) = stream.exchange.ended() {
            return Poll::Ready(Some(Err(ReplyError::of(ended))));
        }
        let mut frame = ready!(polled);
        if let Some(Ok(frame)) = &mut frame
            && let Some(trailers) = frame.trailers_mut()
        {
            remove_reserved(trailers);
        }
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    stream.exchange.count_response_bytes(data.remaining());
                }
                if stream.body.is_end_stream() {
                    stream.complete();
                }
            }
            Some(Err(_)) => stream.exchange.upstream_broke_off(),
            None => stream.complete(),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(ReplyError::Upstream)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Fixed(bytes) => bytes.is_none(),
            Kind::Upstream(stream) => stream.body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Fixed(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Kind::Upstream(stream) => stream.body.size_hint(),
        }
    }
}
