//! The request that the arguments describe.

use std::io::Read;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, Method, Uri};
use rustls::pki_types::ServerName;

use super::Args;

/// A body is held in memory whole; what is larger is no call by hand.
const MAX_BODY_BYTES: u64 = 16 << 20;
const HTTPS_PORT: u16 = 443;

/// One request and where it goes.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) authority: Authority,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) server_name: ServerName<'static>,
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn read(args: &Args) -> anyhow::Result<Self> {
        let (authority, target) = read_url(&args.url)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let server_name = ServerName::try_from(host.clone())
            .with_context(|| format!("`{host}` is neither a DNS name nor an IP address"))?;
        let body = args.data.as_deref().map(read_body).transpose()?;
        let method = match &args.method {
            Some(text) => Method::from_bytes(text.as_bytes())
                .with_context(|| format!("`{text}` is not a method"))?,
            None if body.is_some() => Method::POST,
            None => Method::GET,
        };
        let mut headers = HeaderMap::new();
        for text in &args.headers {
            let (name, value) = read_header(text)?;
            headers.append(name, value);
        }
        if args.jwt.is_some() && headers.contains_key(AUTHORIZATION) {
            bail!("--jwt sets the header `authorization` itself");
        }
        let default = |headers: &mut HeaderMap, name, value| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        default(&mut headers, USER_AGENT, concat!("portreeve/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            default(&mut headers, CONTENT_TYPE, "application/json");
        }
        let port = authority.port_u16().unwrap_or(HTTPS_PORT);
        let body = body.unwrap_or_default();
        Ok(Self { authority, host, port, server_name, method, target, headers, body })
    }

    /// Sends a JWT-SVID along.
    pub(super) fn add_token(&mut self, token: &str) -> anyhow::Result<()> {
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))
            .context("the Workload API gave a JWT-SVID that no header can hold")?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    /// The request as hyper sends it: HTTP/2 has the whole URI, HTTP/1.1 the path and a Host header.
    pub(super) fn into_http(
        self,
        http2: bool,
    ) -> anyhow::Result<http::Request<http_body_util::Full<Bytes>>> {
        let mut request = http::Request::new(http_body_util::Full::new(self.body));
        *request.method_mut() = self.method;
        *request.headers_mut() = self.headers;
        let mut parts = http::uri::Parts::default();
        parts.path_and_query = Some(self.target);
        if http2 {
            parts.scheme = Some(http::uri::Scheme::HTTPS);
            parts.authority = Some(self.authority);
            *request.version_mut() = http::Version::HTTP_2;
        } else {
            let host = HeaderValue::from_str(self.authority.as_str())?;
            request.headers_mut().entry(HOST).or_insert(host);
        }
        *request.uri_mut() = Uri::from_parts(parts)?;
        Ok(request)
    }
}

fn read_url(text: &str) -> anyhow::Result<(Authority, PathAndQuery)> {
    let uri: Uri = text.parse().with_context(|| format!("`{text}` is not a URL"))?;
    if uri.scheme_str() != Some("https") {
        bail!("`{text}` must begin with `https://`: a call is always mTLS");
    }
    let parts = uri.into_parts();
    let Some(authority) = parts.authority.filter(|authority| !authority.as_str().contains('@'))
    else {
        bail!("`{text}` must have a host and no user name");
    };
    Ok((authority, parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"))))
}

fn read_header(text: &str) -> anyhow::Result<(HeaderName, HeaderValue)> {
    let Some((name, value)) = text.split_once(':') else {
        bail!("a header is written `name: value`, with a colon");
    };
    let name = HeaderName::from_bytes(name.trim().as_bytes())
        .with_context(|| format!("`{}` is not a header's name", name.escape_debug()))?;
    // The value may be a token, so it stands in no message.
    let value = HeaderValue::from_bytes(value.trim().as_bytes())
        .with_context(|| format!("the value of header `{name}` has a byte that may not be sent"))?;
    Ok((name, value))
}

fn read_body(data: &str) -> anyhow::Result<Bytes> {
    match data.strip_prefix('@') {
        Some(path) => {
            let file = std::fs::File::open(path)
                .with_context(|| format!("failed to open the body's file `{path}`"))?;
            read_bounded(file, path)
        }
        None if data == "-" => read_bounded(std::io::stdin().lock(), "standard input"),
        None => Ok(Bytes::copy_from_slice(data.as_bytes())),
    }
}

fn read_bounded(from: impl Read, name: &str) -> anyhow::Result<Bytes> {
    let mut body = Vec::new();
    from.take(MAX_BODY_BYTES + 1)
        .read_to_end(&mut body)
        .with_context(|| format!("failed to read the body from `{name}`"))?;
    if u64::try_from(body.len()).is_ok_and(|length| length > MAX_BODY_BYTES) {
        bail!("the body in `{name}` is longer than {MAX_BODY_BYTES} bytes");
    }
    Ok(body.into())
}
