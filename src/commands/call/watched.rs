//! A TLS stream that remembers the alert by which the server ended it: HTTP/2's errors keep only
//! the words of their cause, and a write that fails ends a connection before the alert is read.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::tls::alert_received;

/// How long a server that hears us no more may still speak: what it has said is here already.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) struct Watched<S> {
    stream: S,
    alert: Arc<OnceLock<&'static str>>,
    unheard: Option<Unheard>,
}

/// The write that failed, kept back until the server's last words are read.
struct Unheard {
    error: io::Error,
    limit: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    /// The stream, and where the alert will stand.
    pub(super) fn new(stream: S) -> (Self, Arc<OnceLock<&'static str>>) {
        let alert = Arc::new(OnceLock::new());
        (Self { stream, alert: Arc::clone(&alert), unheard: None }, alert)
    }

    /// A write that fails counts as done: what was read before the end says why it failed.
    fn keep_back<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        done: T,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        let Poll::Ready(Err(error)) = written else { return written };
        let mut limit = Box::pin(sleep(LAST_WORDS));
        if limit.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(error));
        }
        self.unheard = Some(Unheard { error, limit });
        Poll::Ready(Ok(done))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if let Poll::Ready(Err(error)) = &read
            && let Some(alert) = alert_received(error)
        {
            let _ = self.alert.set(alert);
        }
        if read.is_pending()
            && let Some(unheard) = &mut self.unheard
            && unheard.limit.as_mut().poll(context).is_ready()
        {
            let kind = unheard.error.kind();
            return Poll::Ready(Err(std::mem::replace(&mut unheard.error, kind.into())));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.unheard.is_some() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.keep_back(written, bytes.len(), context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unheard.is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.keep_back(flushed, (), context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
