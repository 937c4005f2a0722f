//! One upstream: the pool of idle connections, sending.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::time::{Instant, timeout};

use super::connect::{Connected, Connector, OwnIdentity, Trusted};
use super::{RequestBody, UpstreamProtocol, UpstreamSettings};
use crate::tls::Refused;

/// Idle connections kept: as many as can be in use at once by a busy service, and few files.
const MAX_IDLE: usize = 256;
/// Below the keep-alive of common servers (nginx 75 s, Node 5 s is met by the retry on a fresh one).
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an idle connection may take to become ready; then the next is tried.
const READY_WAIT: Duration = Duration::from_millis(20);
/// HTTP/2 windows and buffers towards the upstream, set rather than inherited: hyper's defaults
/// allow 400 KiB of send buffer a stream.
const H2_STREAM_WINDOW: u32 = 256 << 10;
const H2_CONNECTION_WINDOW: u32 = 1 << 20;
const H2_SEND_BUFFER: usize = 64 << 10;

/// A place to forward to, with its connections.
#[derive(Debug)]
pub struct Upstream {
    settings: UpstreamSettings,
    connector: Connector,
    /// Last in, first out: the warmest connection is used, the others grow old and are dropped.
    idle: Mutex<VecDeque<Idle>>,
    shared: tokio::sync::Mutex<Option<Shared>>,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
}

/// An HTTP/1.1 connection.
#[derive(Debug)]
struct Line {
    sender: http1::SendRequest<RequestBody>,
    trusted: Option<Trusted>,
}

/// The HTTP/2 connection that all requests use.
#[derive(Debug)]
struct Shared {
    sender: http2::SendRequest<RequestBody>,
    trusted: Option<Trusted>,
}

/// A response on its way, and the connection it came on.
#[derive(Debug)]
pub struct Forwarded {
    pub response: http::Response<Incoming>,
    pub lease: Lease,
    /// 2 where a pooled connection had been closed before anything was sent on it.
    pub tries: u32,
}

/// An HTTP/1.1 connection in use; given back once both bodies are through, closed otherwise.
#[derive(Debug, Default)]
pub struct Lease(Option<(Line, Arc<Upstream>)>);

/// Why a permitted request got no response: 502, or 504 on a time limit.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error("failed to connect to upstream `{upstream}`")]
    Connect { upstream: Arc<str>, source: io::Error },
    #[error("upstream `{upstream}` is not the peer that mTLS needs")]
    Peer { upstream: Arc<str>, source: Refused },
    #[error("connecting to upstream `{upstream}` took longer than {limit:?}")]
    ConnectTimeout { upstream: Arc<str>, limit: Duration },
    #[error("upstream `{upstream}` gave no response")]
    NoResponse { upstream: Arc<str>, source: hyper::Error },
    #[error("the caller's body for upstream `{upstream}` ended in an error")]
    RequestBody { upstream: Arc<str>, source: hyper::Error },
    #[error("upstream `{upstream}` switched to a protocol that nobody asked for")]
    UnaskedUpgrade { upstream: Arc<str> },
    #[error("upstream `{upstream}` gave a response whose length has two readings")]
    Framing { upstream: Arc<str> },
    #[error("upstream `{upstream}` speaks a protocol that cannot carry this request")]
    NotExpressible { upstream: Arc<str> },
}

impl ForwardError {
    /// The stable reason code of records and metrics.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Connect { .. } => "upstream.connect",
            Self::Peer { source, .. } => source.reason,
            Self::ConnectTimeout { .. } => "upstream.connect_timeout",
            Self::NoResponse { .. } => "upstream.no_response",
            Self::RequestBody { .. } => "request.body",
            Self::UnaskedUpgrade { .. } => "upstream.unasked_upgrade",
            Self::Framing { .. } => "upstream.framing",
            Self::NotExpressible { .. } => "upstream.not_expressible",
        }
    }
}

impl Upstream {
    /// An upstream without a connection.
    ///
    /// # Errors
    /// The cryptography does not offer what its mTLS asks for.
    pub fn new(settings: UpstreamSettings, own: OwnIdentity) -> Result<Arc<Self>, rustls::Error> {
        let connector = Connector::new(&settings, own)?;
        let (idle, shared) = (Mutex::default(), tokio::sync::Mutex::default());
        Ok(Arc::new(Self { settings, connector, idle, shared }))
    }

    #[must_use]
    pub fn settings(&self) -> &UpstreamSettings {
        &self.settings
    }

    /// Sends one request. A request that a pooled connection gave back unsent is tried once more on
    /// a fresh one; nothing is sent twice.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: http::Request<RequestBody>,
    ) -> Result<Forwarded, ForwardError> {
        match self.settings.protocol {
            UpstreamProtocol::H1 => self.send_h1(request).await,
            UpstreamProtocol::H2 => self.send_h2(request).await,
        }
    }

    async fn send_h1(
        self: &Arc<Self>,
        mut request: http::Request<RequestBody>,
    ) -> Result<Forwarded, ForwardError> {
        let mut tries = 1;
        if let Some(mut line) = self.take_idle().await {
            match line.sender.try_send_request(request).await {
                Ok(response) => return Ok(self.forwarded(response, Some(line), tries)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(self.no_response(error.into_error())),
                },
            }
            tries = 2;
        }
        let mut line = self.connect_h1().await?;
        let response = line.sender.send_request(request).await.map_err(|e| self.no_response(e))?;
        Ok(self.forwarded(response, Some(line), tries))
    }

    async fn send_h2(
        self: &Arc<Self>,
        mut request: http::Request<RequestBody>,
    ) -> Result<Forwarded, ForwardError> {
        let mut tries = 1;
        loop {
            let mut sender = self.shared_h2(tries > 1).await?;
            match sender.try_send_request(request).await {
                Ok(response) => return Ok(self.forwarded(response, None, tries)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if tries == 1 => request = unsent,
                    _ => return Err(self.no_response(error.into_error())),
                },
            }
            tries = 2;
        }
    }

    fn forwarded(
        self: &Arc<Self>,
        response: http::Response<Incoming>,
        line: Option<Line>,
        tries: u32,
    ) -> Forwarded {
        let lease = Lease(line.map(|line| (line, Arc::clone(self))));
        Forwarded { response, lease, tries }
    }

    async fn take_idle(&self) -> Option<Line> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back()?;
            let Idle { mut line, since } = idle;
            let holds = self.connector.still_holds(line.trusted.as_ref());
            if line.sender.is_closed() || since.elapsed() > IDLE_TIMEOUT || !holds {
                continue;
            }
            // The connection's task may be a moment behind the body whose end gave it back. It is longer
            // behind where the upstream answered and then stopped reading: a fresh one is better.
            let sender = &mut line.sender;
            let is_ready = sender.is_ready()
                || timeout(READY_WAIT, sender.ready()).await.is_ok_and(|ready| ready.is_ok());
            if is_ready {
                return Some(line);
            }
        }
    }

    async fn connect_h1(&self) -> Result<Line, ForwardError> {
        let Connected { stream, trusted } = self.connector.connect(&self.settings).await?;
        let handshake = http1::Builder::new().handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| self.no_response(error))?;
        let upstream = Arc::clone(&self.settings.name);
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%upstream, %error, "an upstream connection ended");
            }
        });
        Ok(Line { sender, trusted })
    }

    /// The one HTTP/2 connection; `fresh` asks for another because the last would not take a request.
    async fn shared_h2(
        &self,
        fresh: bool,
    ) -> Result<http2::SendRequest<RequestBody>, ForwardError> {
        // Whoever waits for another's attempt to connect waits no longer than for one of its own.
        let limit = self.settings.connect_timeout;
        let Ok(mut shared) = timeout(limit, self.shared.lock()).await else {
            let upstream = Arc::clone(&self.settings.name);
            return Err(ForwardError::ConnectTimeout { upstream, limit });
        };
        if let Some(Shared { sender, trusted }) = shared.as_ref().filter(|_| !fresh)
            && !sender.is_closed()
            && self.connector.still_holds(trusted.as_ref())
        {
            return Ok(sender.clone());
        }
        let Connected { stream, trusted } = self.connector.connect(&self.settings).await?;
        let handshake = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONNECTION_WINDOW)
            .max_send_buf_size(H2_SEND_BUFFER)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = handshake.map_err(|error| self.no_response(error))?;
        let upstream = Arc::clone(&self.settings.name);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%upstream, %error, "an upstream connection ended");
            }
        });
        *shared = Some(Shared { sender: sender.clone(), trusted });
        Ok(sender)
    }

    fn no_response(&self, source: hyper::Error) -> ForwardError {
        let upstream = Arc::clone(&self.settings.name);
        // The body is the caller's: of what we send, nothing else can fail by itself.
        match source.is_user() {
            true => ForwardError::RequestBody { upstream, source },
            false => ForwardError::NoResponse { upstream, source },
        }
    }
}

impl Lease {
    /// Puts the connection back. Only for an exchange whose two bodies have ended.
    pub fn give_back(self) {
        let Some((line, upstream)) = self.0 else { return };
        if line.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = upstream.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // The oldest are at the front, where nobody takes them from.
        while idle.front().is_some_and(|oldest| now - oldest.since > IDLE_TIMEOUT) {
            idle.pop_front();
        }
        if idle.len() < MAX_IDLE {
            idle.push_back(Idle { line, since: now });
        }
    }
}
