//! Serves one connection in the protocol that ALPN chose, until it ends or is told to.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use ::http::StatusCode;
use ::http::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::goaway::{self, Lent};
use super::{Connection, handle};
use crate::connections::Order;
use crate::telemetry::{ConnectionState, OpenConnection};

/// HTTP/2 windows and buffers, set rather than inherited: hyper's defaults are 1 MiB of window and
/// 400 KiB of send buffer a stream, which 10,000 connections would turn into an out-of-memory.
const H2_STREAM_WINDOW: u32 = 64 << 10;
const H2_CONNECTION_WINDOW: u32 = 256 << 10;
const H2_SEND_BUFFER: usize = 64 << 10;
/// Streams reset by the peer before we accepted them (rapid reset, CVE-2023-44487).
const H2_PENDING_RESETS: usize = 20;
/// Streams that we had to reset because of the peer's errors (`MadeYouReset`).
const H2_LOCAL_RESETS: usize = 100;
/// hyper's smallest read buffer is 8 KiB; a head must fit.
const H1_MIN_BUFFER: usize = 8 << 10;
const H1_MAX_HEADERS: usize = 100;

/// What one connection may send at once.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of one request head.
    pub header_bytes: u32,
    /// HTTP/2 streams of one connection.
    pub streams: u32,
}

/// Serves requests until the peer leaves, an error ends the connection, or an order does. What hyper
/// refuses by itself, before there is a request, is counted here (invariant 7).
///
/// # Errors
/// What hyper found wrong with the connection; malformed heads are among it.
pub async fn serve<S>(
    stream: S,
    is_h2: bool,
    limits: HeadLimits,
    connection: Arc<Connection>,
    open: &mut OpenConnection,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let ended = until_ended(stream, is_h2, limits, Arc::clone(&connection), open).await;
    if let Err(error) = &ended
        && let Some(reason) = refusal(error, is_h2)
    {
        connection.refused(reason, Some(error.to_string()));
    }
    ended
}

/// The reason of a refusal by the protocol layer; `None` for a connection that merely broke.
fn refusal(error: &hyper::Error, is_h2: bool) -> Option<&'static str> {
    let is_io = std::error::Error::source(error).is_some_and(|cause| cause.is::<std::io::Error>());
    match is_h2 {
        _ if error.is_parse_too_large() => Some("request.head_too_large"),
        _ if error.is_parse() => Some("request.malformed"),
        // Of HTTP/1 the rest is about exchanges that were decided, and they end in their own records.
        false => None,
        true => (!is_io).then_some("http.protocol"),
    }
}

async fn until_ended<S>(
    stream: S,
    is_h2: bool,
    limits: HeadLimits,
    connection: Arc<Connection>,
    open: &mut OpenConnection,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let slot = Arc::clone(connection.registration.slot());
    let service = service_fn(move |request| {
        let connection = Arc::clone(&connection);
        async move {
            let mut response = handle(&connection, request).await;
            let is_tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            // An idle HTTP/1.1 connection that is closed may cross a request; a response may say so.
            if !is_h2 && !is_tunnel && connection.registration.slot().order().is_some() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response)
        }
    });
    // Two arms of one shape: the two connection types share no trait.
    if is_h2 {
        let (lent, back) = Lent::new(stream);
        let ended = {
            let io = TokioIo::new(lent);
            let mut served = pin!(h2_builder(limits).serve_connection(io, service));
            let mut seen = None;
            loop {
                let order = tokio::select! {
                    ended = served.as_mut() => break Some(ended),
                    order = slot.ordered(seen) => order,
                };
                open.turn(ConnectionState::Draining);
                match order {
                    Order::Cut => break None,
                    Order::Retire | Order::Close => served.as_mut().graceful_shutdown(),
                }
                seen = Some(order);
            }
        };
        match ended {
            Some(ended) => return ended,
            None => goaway::say(back).await,
        }
    } else {
        let io = TokioIo::new(stream);
        let mut served = pin!(h1_builder(limits).serve_connection(io, service).with_upgrades());
        let mut seen = None;
        loop {
            let order = tokio::select! {
                ended = served.as_mut() => return ended,
                order = slot.ordered(seen) => order,
            };
            open.turn(ConnectionState::Draining);
            match order {
                Order::Cut => break,
                Order::Close => served.as_mut().graceful_shutdown(),
                // The next response says it.
                Order::Retire => {}
            }
            seen = Some(order);
        }
    }
    Ok(())
}

/// How every HTTP/1 connection is served.
pub(crate) fn h1_builder(limits: HeadLimits) -> http1::Builder {
    let header_bytes = usize::try_from(limits.header_bytes).unwrap_or(H1_MIN_BUFFER);
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        .max_headers(H1_MAX_HEADERS)
        .max_buf_size(header_bytes.max(H1_MIN_BUFFER))
        .header_read_timeout(None)
        .auto_date_header(false);
    builder
}

/// How every HTTP/2 connection is served.
pub(crate) fn h2_builder(limits: HeadLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_SEND_BUFFER)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .max_pending_accept_reset_streams(H2_PENDING_RESETS)
        .max_local_error_reset_streams(H2_LOCAL_RESETS)
        .auto_date_header(false);
    builder
}
