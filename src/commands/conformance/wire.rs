//! Heads as bytes through the HTTP library, over a connection in memory.
//!
//! A head that the library takes leaves as its parts, exactly as a listener would get them; one that
//! it answers or resets itself leaves as `None`.

use std::convert::Infallible;
use std::future::pending;

use anyhow::Context as _;
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

use crate::http::{HeadLimits, h1_builder, h2_builder};
use crate::listen::Limits;

/// Holds a whole head, so that writing it never waits for the reader.
const PIPE_BYTES: usize = 1 << 20;
/// RFC 9113 §6.5.2: the largest frame that a peer must take unasked.
const MAX_FRAME_BYTES: usize = 16_384;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM_AND_HEADERS: u8 = 0x1 | 0x4;

/// Runs connections one after the other on a runtime of its own.
#[derive(Debug)]
pub(super) struct Wire {
    runtime: tokio::runtime::Runtime,
}

impl Wire {
    pub(super) fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        Ok(Self { runtime: runtime.context("failed to start a runtime")? })
    }

    /// Sends an HTTP/1 head; the empty line at its end is added where it is missing.
    pub(super) fn h1(&self, head: &str) -> Option<Parts> {
        let end = match head {
            _ if head.ends_with("\r\n\r\n") || head.ends_with("\n\n") => "",
            _ if head.ends_with('\n') => "\r\n",
            _ => "\r\n\r\n",
        };
        let bytes = format!("{head}{end}").into_bytes();
        self.runtime.block_on(async {
            let (mut client, server) = duplex(PIPE_BYTES.max(bytes.len()));
            client.write_all(&bytes).await.ok()?;
            client.shutdown().await.ok()?;
            let (sender, mut heads) = mpsc::channel(1);
            let service = service_fn(move |request| take(request, sender.clone()));
            // The end of input tells a head that is cut from one that is complete; a listener has its
            // timeout for that.
            let connection = h1_builder(limits())
                .half_close(true)
                .serve_connection(TokioIo::new(server), service);
            tokio::select! {
                biased;
                head = heads.recv() => head,
                _ = connection => heads.try_recv().ok(),
            }
        })
    }

    /// Sends the fields as one HEADERS frame of stream 1; `Err` where they do not fit one.
    pub(super) fn h2(&self, fields: &[(String, String)]) -> Result<Option<Parts>, String> {
        let block =
            fields.iter().flat_map(|(name, value)| literal(name, value)).collect::<Vec<_>>();
        if block.len() > MAX_FRAME_BYTES {
            return Err(format!("the fields are longer than {MAX_FRAME_BYTES} bytes"));
        }
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block));
        Ok(self.runtime.block_on(async {
            let (mut client, server) = duplex(PIPE_BYTES);
            client.write_all(&bytes).await.ok()?;
            let (sender, mut heads) = mpsc::channel(1);
            let service = service_fn(move |request| take(request, sender.clone()));
            let connection = h2_builder(limits()).serve_connection(TokioIo::new(server), service);
            tokio::select! {
                biased;
                head = heads.recv() => head,
                () = refusal(&mut client) => None,
                _ = connection => None,
            }
        }))
    }
}

/// Those of a listener that sets none.
fn limits() -> HeadLimits {
    let Limits { header_bytes, streams, .. } = Limits::default();
    HeadLimits { header_bytes, streams }
}

/// Takes the head and never answers: the connection is dropped with it.
async fn take(
    request: Request<Incoming>,
    heads: mpsc::Sender<Parts>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let _ = heads.send(request.into_parts().0).await;
    pending().await
}

/// Ends when the server answers the stream, resets it or goes away: the head was refused.
async fn refusal(client: &mut DuplexStream) {
    let mut header = [0_u8; 9];
    while client.read_exact(&mut header).await.is_ok() {
        let [a, b, c, kind, ..] = header;
        if matches!(kind, HEADERS | RST_STREAM | GOAWAY) {
            return;
        }
        let length = u64::from(u32::from_be_bytes([0, a, b, c]));
        let mut payload = (&mut *client).take(length);
        if tokio::io::copy(&mut payload, &mut tokio::io::sink()).await.is_err() {
            return;
        }
    }
}

/// RFC 9113 §4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX); // bounded by the caller
    let mut frame = Vec::with_capacity(payload.len().saturating_add(9));
    frame.extend(length.to_be_bytes().into_iter().skip(1));
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// RFC 7541 §6.2.2: a literal field without indexing and without Huffman coding, any bytes in it.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        integer(text.len(), &mut field);
        field.extend_from_slice(text.as_bytes());
    }
    field
}

/// RFC 7541 §5.1 with a prefix of seven bits.
fn integer(value: usize, out: &mut Vec<u8>) {
    const PREFIX_MAX: u8 = 0x7f;
    match u8::try_from(value) {
        Ok(small) if small < PREFIX_MAX => out.push(small),
        _ => {
            out.push(PREFIX_MAX);
            let mut rest = value.saturating_sub(usize::from(PREFIX_MAX));
            while let low @ 0x80.. = rest {
                out.push(u8::try_from(low & 0x7f).unwrap_or(0) | 0x80);
                rest = low >> 7;
            }
            out.push(u8::try_from(rest).unwrap_or(0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_h1_head_arrives_or_is_refused() {
        let wire = Wire::new().unwrap();
        let parts = wire.h1("GET /a?b HTTP/1.1\r\nHost: x").unwrap();
        assert_eq!(
            (parts.uri.to_string().as_str(), &parts.headers["host"]),
            ("/a?b", &"x".parse().unwrap())
        );
        assert!(wire.h1("GET /a b HTTP/1.1\r\nHost: x").is_none());
        assert!(wire.h1("").is_none());
    }

    #[test]
    fn an_h2_head_arrives_or_is_refused() {
        let wire = Wire::new().unwrap();
        let mut head = fields(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "x"),
            (":path", "/a"),
            ("x-long", &"v".repeat(1000)),
        ]);
        let parts = wire.h2(&head).unwrap().unwrap();
        assert_eq!(parts.uri.path(), "/a");
        assert_eq!(parts.headers["x-long"].len(), 1000);
        head.push((":path".to_owned(), "/b".to_owned()));
        assert!(wire.h2(&head).unwrap().is_none());
        head.push(("x".to_owned(), "v".repeat(MAX_FRAME_BYTES)));
        assert!(wire.h2(&head).is_err());
    }

    #[test]
    fn integers_are_coded_as_the_specification_shows() {
        // RFC 7541 appendix C.1 has a prefix of five bits; these are the same rules with seven.
        for (value, expected) in
            [(10, vec![10]), (126, vec![126]), (127, vec![127, 0]), (1337, vec![127, 0xba, 0x09])]
        {
            let mut out = Vec::new();
            integer(value, &mut out);
            assert_eq!(out, expected);
        }
    }
}
