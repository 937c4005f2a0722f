//! One connection of a caller: mTLS or a bare Unix socket, HTTP/1.1 written by hand or HTTP/2.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use portreeve::clock::Clock;
use portreeve::identity::{Pick, Settings, Source, State};
use portreeve::tls::{self, Alpn, ClientTls, Credentials, ExpectedPeer};
use portreeve_core::spiffe::SpiffeId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::{CALLER_ID, SERVICE_ID};

/// The sizes of a head and of a piece of a body that the load ever sees.
const BUFFER_BYTES: usize = 16 << 10;
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// What a browser sends beside host, user-agent and accept.
const BROWSER: &str = "accept-encoding: gzip, deflate, br\r\n\
    accept-language: en-GB,en;q=0.9,de;q=0.8\r\n\
    cache-control: no-cache\r\n\
    cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n\
    referer: https://shop.bench.test/account/orders\r\n\
    sec-fetch-dest: empty\r\n\
    sec-fetch-mode: cors\r\n\
    sec-fetch-site: same-origin\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// `https://IP:PORT/path` for mTLS, `unix:/socket` for a bare upstream.
    #[arg(long)]
    url: String,
    /// The Workload API's socket.
    #[arg(long)]
    identity: Option<PathBuf>,
    #[arg(long)]
    h2: bool,
    /// Send the twelve headers of a browser in place of three.
    #[arg(long)]
    browser: bool,
}

/// Where requests go and what they are, shared by all connections.
#[derive(Debug)]
pub(crate) struct Target {
    place: Place,
    path: String,
    host: String,
    is_h2: bool,
    head: Bytes,
}

#[derive(Debug)]
enum Place {
    Unix(PathBuf),
    Mtls { address: SocketAddr, tls: Arc<ClientTls>, own: Arc<Credentials>, expected: ExpectedPeer },
}

/// An open connection.
pub(crate) enum Connection {
    Http1 { stream: Box<dyn Stream>, buffer: Vec<u8>, head: Bytes },
    Http2 { sender: http2::SendRequest<Empty<Bytes>>, uri: http::Uri },
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Target {
    /// Reads the URL and, for mTLS, asks the Workload API who we are.
    pub(crate) async fn new(args: &Args) -> anyhow::Result<Self> {
        let (place, host, path) = match args.url.strip_prefix("unix:") {
            Some(socket) => (Place::Unix(socket.into()), "upstream".to_owned(), "/".to_owned()),
            None => {
                let rest = args.url.strip_prefix("https://").context("the URL is not https")?;
                let (host, path) = rest.split_once('/').context("the URL has no path")?;
                let (tls, own) = client_tls(args).await?;
                let expected = ExpectedPeer::Id(SpiffeId::parse(SERVICE_ID)?);
                let place = Place::Mtls { address: host.parse()?, tls, own, expected };
                (place, host.to_owned(), format!("/{path}"))
            }
        };
        let more = if args.browser { BROWSER } else { "" };
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\n\
             accept: */*\r\n{more}\r\n"
        );
        Ok(Self { place, path, host, is_h2: args.h2, head: head.into() })
    }

    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream: Box<dyn Stream> = match &self.place {
            Place::Unix(socket) => Box::new(UnixStream::connect(socket).await?),
            Place::Mtls { address, tls, own, expected } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::IpAddress(address.ip().into());
                let connected = tls::connect(stream, tls, own, expected.clone(), name).await;
                Box::new(connected.map_err(|refused| anyhow!("{refused}"))?.0)
            }
        };
        if !self.is_h2 {
            let (buffer, head) = (vec![0; BUFFER_BYTES], self.head.clone());
            return Ok(Connection::Http1 { stream, buffer, head });
        }
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let uri = format!("https://{}{}", self.host, self.path).parse()?;
        Ok(Connection::Http2 { sender, uri })
    }
}

impl Connection {
    /// Asks once and reads the whole answer; its status leaves.
    pub(crate) async fn ask(&mut self) -> anyhow::Result<u16> {
        match self {
            Self::Http1 { stream, buffer, head } => {
                stream.write_all(head).await?;
                stream.flush().await?;
                Ok(read_answer(stream, buffer).await?)
            }
            Self::Http2 { sender, uri } => {
                let mut request = http::Request::new(Empty::new());
                *request.uri_mut() = uri.clone();
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                let status = response.status().as_u16();
                response.into_body().collect().await?;
                Ok(status)
            }
        }
    }

    /// Another stream of the same connection, where the protocol has streams.
    pub(crate) fn another_stream(&self) -> Option<Self> {
        match self {
            Self::Http1 { .. } => None,
            Self::Http2 { sender, uri } => {
                Some(Self::Http2 { sender: sender.clone(), uri: uri.clone() })
            }
        }
    }
}

async fn client_tls(args: &Args) -> anyhow::Result<(Arc<ClientTls>, Arc<Credentials>)> {
    let socket = args.identity.clone().context("mTLS needs --identity")?;
    let pick = Some(Pick::SpiffeId(SpiffeId::parse(CALLER_ID)?));
    let settings = Settings { pick, ..Settings::new(Source::WorkloadApi { socket }) };
    let identity = portreeve::identity::spawn(&settings, Clock::system());
    let mut updates = identity.updates();
    updates.wait_for(|state| matches!(state, State::Ready(_))).await?;
    let snapshot = identity.current()?;
    let alpn = if args.h2 { Alpn::Http2 } else { Alpn::Http1 };
    let settings = tls::Settings { alpn, ..tls::Settings::default() };
    Ok((ClientTls::new(&Clock::system(), &settings)?, Credentials::new(&snapshot)))
}

/// Reads an answer with `Content-Length`: what all three upstreams of the scene give.
async fn read_answer(stream: &mut Box<dyn Stream>, buffer: &mut [u8]) -> io::Result<u16> {
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    let mut filled = 0;
    let (head_end, status, length) = loop {
        let room = buffer.get_mut(filled..).filter(|room| !room.is_empty());
        let read = stream.read(room.ok_or_else(unreadable)?).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let so_far = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = so_far.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = so_far.get(..end).and_then(|head| std::str::from_utf8(head).ok());
            let (status, length) = head.and_then(read_head).ok_or_else(unreadable)?;
            break (end + 4, status, length);
        }
    };
    let mut left = (head_end + length).saturating_sub(filled);
    while left > 0 {
        let read = stream.read(buffer).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        left = left.saturating_sub(read);
    }
    Ok(status)
}

fn read_head(head: &str) -> Option<(u16, usize)> {
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut pairs = lines.filter_map(|line| line.split_once(':'));
    let (_, length) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    Some((status, length.trim().parse().ok()?))
}
