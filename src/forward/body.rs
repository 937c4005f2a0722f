//! The body of a request on its way to an upstream.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use atomic_waker::AtomicWaker;
use bytes::{Buf as _, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// Streams what the caller sends. Trailers are dropped: policy decided without them, and they may
/// not say later what a header could not.
#[derive(Debug)]
pub enum RequestBody {
    Empty,
    Streamed { body: Incoming, progress: Arc<Progress> },
}

/// How far a streamed request body has come; its sender is a task of the connection.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    sent: AtomicBool,
    stopped: AtomicBool,
    /// Of the upstream's connection, while it waits for the caller.
    waker: AtomicWaker,
}

/// Why a request body broke off on its way to an upstream.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    #[error("the caller's body broke off")]
    Caller(#[source] hyper::Error),
    #[error("the exchange has ended")]
    Stopped(#[source] h2::Error),
}

impl RequestBody {
    /// Wraps a caller's body; the progress is `None` where there is nothing to send.
    #[must_use]
    pub fn new(body: Incoming) -> (Self, Option<Arc<Progress>>) {
        if body.is_end_stream() {
            return (Self::Empty, None);
        }
        let progress = Arc::new(Progress::default());
        (Self::Streamed { body, progress: Arc::clone(&progress) }, Some(progress))
    }
}

impl Progress {
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether all of the body has been taken by the upstream's connection.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Acquire)
    }

    /// Breaks the body off: the upstream's connection gets no byte more of it.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.waker.wake();
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let Self::Streamed { body, progress } = &mut *self else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *body).poll_frame(context);
        if polled.is_pending() {
            progress.waker.register(context.waker());
        }
        if progress.stopped.load(Ordering::Acquire) {
            *self = Self::Empty;
            let reason = h2::Error::from(h2::Reason::CANCEL);
            return Poll::Ready(Some(Err(RequestBodyError::Stopped(reason))));
        }
        let frame = ready!(polled);
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            progress.bytes.fetch_add(data.remaining() as u64, Ordering::Relaxed);
        }
        let is_last = frame.as_ref().is_none_or(|f| matches!(f, Ok(f) if f.is_trailers()));
        if is_last || body.is_end_stream() {
            progress.sent.store(true, Ordering::Release);
        }
        if is_last {
            *self = Self::Empty;
            return Poll::Ready(None);
        }
        Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Caller)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Streamed { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Streamed { body, .. } => body.size_hint(),
        }
    }
}
