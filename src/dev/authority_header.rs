//! Lets gRPC's C, C++, Python, Ruby and PHP libraries in: over a Unix socket they send the socket's
//! percent-encoded path as `:authority`, which is no authority by RFC 3986, and the HTTP/2 library
//! under us resets every such stream (hyperium/h2 pull request 487, grpc/grpc issue 38142).
//!
//! The client's bytes enter; the same bytes leave, but for `%` and `/` in the value of `:authority`,
//! which become `-`. No length changes, so the compression state of both ends stays the same. Nobody
//! reads that value: the caller is known by its socket. A Huffman-coded value is left as it is.

use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `PRI * HTTP/2.0 …` (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
const FRAME_HEADER_BYTES: usize = 9;
/// What a client may send as long as nobody announces more (RFC 9113 §4.2); a longer frame is handed
/// on as it is, for the HTTP/2 library to refuse.
const MAX_FRAME_BYTES: usize = 16_384;
const READ_BYTES: usize = 8 * 1024;
const HEADERS: u8 = 0x1;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
/// `:authority` in HPACK's static table (RFC 7541 appendix A).
const AUTHORITY_INDEX: usize = 1;
const AUTHORITY: &[u8] = b":authority";

/// A connection whose reads are rewritten; writes go through.
pub(super) struct Rewritten<S> {
    inner: S,
    frames: Frames,
    ended: bool,
}

/// Splits the client's bytes into frames.
#[derive(Default)]
struct Frames {
    preface_done: bool,
    /// Bytes of a frame that is not whole yet.
    pending: BytesMut,
    ready: BytesMut,
}

impl Frames {
    fn push(&mut self, bytes: &[u8]) {
        self.pending.put_slice(bytes);
        if !self.preface_done {
            if self.pending.len() < PREFACE_BYTES {
                return;
            }
            self.ready.unsplit(self.pending.split_to(PREFACE_BYTES));
            self.preface_done = true;
        }
        while let Some(&[a, b, c, kind, flags]) = self.pending.first_chunk() {
            let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
            if length > MAX_FRAME_BYTES {
                return self.finish();
            }
            if self.pending.len() < FRAME_HEADER_BYTES + length {
                return;
            }
            let mut frame = self.pending.split_to(FRAME_HEADER_BYTES + length);
            if kind == HEADERS {
                let _ = rewrite_headers(&mut frame, flags);
            }
            self.ready.unsplit(frame);
        }
    }

    /// Hands on what is left as it is.
    fn finish(&mut self) {
        self.ready.unsplit(self.pending.split());
    }
}

/// `None` if the block is cut or malformed, which the HTTP/2 library finds too.
fn rewrite_headers(frame: &mut [u8], flags: u8) -> Option<()> {
    let padding = if flags & PADDED == 0 { 0 } else { 1 };
    let priority = if flags & PRIORITY == 0 { 0 } else { 5 };
    let block = frame.get_mut(FRAME_HEADER_BYTES + padding + priority..)?;
    let mut at = 0;
    while let Some(first) = block.get(at).copied() {
        // RFC 7541 §6: indexed; literal that is added; size of the table; other literals.
        let (prefix_bits, literal) = match first {
            0x80.. => (7, false),
            0x40.. => (6, true),
            0x20.. => (5, false),
            _ => (4, true),
        };
        let index = integer(block, &mut at, prefix_bits)?;
        if !literal {
            continue;
        }
        let is_authority = if index == 0 {
            let (_, name) = string(block, &mut at)?;
            block.get(name)? == AUTHORITY
        } else {
            index == AUTHORITY_INDEX
        };
        let (huffman, value) = string(block, &mut at)?;
        if is_authority && !huffman {
            let value = block.get_mut(value)?.iter_mut();
            value.filter(|byte| matches!(**byte, b'%' | b'/')).for_each(|byte| *byte = b'-');
        }
    }
    Some(())
}

/// RFC 7541 §5.1; at most three continuation bytes, more than any length here.
fn integer(block: &[u8], at: &mut usize, prefix_bits: u32) -> Option<usize> {
    let mask = (1 << prefix_bits) - 1;
    let mut value = usize::from(*block.get(*at)?) & mask;
    *at += 1;
    if value < mask {
        return Some(value);
    }
    for shift in [0, 7, 14] {
        let byte = usize::from(*block.get(*at)?);
        *at += 1;
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// RFC 7541 §5.2: whether it is Huffman-coded, and where it stands.
fn string(block: &[u8], at: &mut usize) -> Option<(bool, Range<usize>)> {
    let huffman = block.get(*at)? & 0x80 != 0;
    let length = integer(block, at, 7)?;
    let start = *at;
    *at += length;
    Some((huffman, start..*at))
}

impl<S> Rewritten<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, frames: Frames::default(), ended: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewritten<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.frames.ready.is_empty() && !self.ended {
            let mut bytes = [0; READ_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                self.ended = true;
                self.frames.finish();
            } else {
                self.frames.push(read.filled());
            }
        }
        let count = out.remaining().min(self.frames.ready.len());
        out.put_slice(self.frames.ready.get(..count).unwrap_or_default());
        self.frames.ready.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewritten<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// Whatever the pieces that the bytes come in.
    #[track_caller]
    fn check(sent: &[u8], expected: &[u8]) {
        let preface = [b'p'; PREFACE_BYTES];
        let sent = [&preface, sent].concat();
        for piece in [1, 7, sent.len()] {
            let mut frames = Frames::default();
            sent.chunks(piece).for_each(|bytes| frames.push(bytes));
            frames.finish();
            assert_eq!(frames.ready, [&preface, expected].concat(), "pieces of {piece}");
        }
    }

    #[test]
    fn a_path_as_authority_is_made_harmless_in_every_form_that_clients_send() {
        for (flags, before) in
            [(0x4, &b""[..]), (0x4 | PADDED | PRIORITY, b"\x00\x00\x00\x00\x00\x10")]
        {
            for field in [&b"\x41"[..], b"\x01", b"\x11", b"\x40\x0a:authority"] {
                let block = |value: &[u8]| {
                    [before, b"\x83\x3f\x10", field, b"\x09", value, b"\x84"].concat()
                };
                let sent = frame(HEADERS, flags, &block(b"tmp%2Fa/b"));
                check(&sent, &frame(HEADERS, flags, &block(b"tmp-2Fa-b")));
            }
        }
    }

    #[test]
    fn everything_else_stays_as_it_is() {
        let path = frame(HEADERS, 0x4, b"\x44\x05/a%2F\x41\x09localhost");
        check(&path, &path);
        let data = frame(0x0, 0x1, b"\x41\x05a%2Fb");
        check(&data, &data);
        let huffman = frame(HEADERS, 0x4, b"\x41\x85a%2Fb");
        check(&huffman, &huffman);
        for cut in [&b"\x41"[..], b"\x41\x7f\xff\xff\xff\xff", b"\x40\x0a:auth", b"\x41\x10a%"] {
            let cut = frame(HEADERS, 0x4, cut);
            check(&cut, &cut);
        }
        let mut too_long = frame(HEADERS, 0x4, b"\x41\x02a%");
        too_long[0] = 0x7f;
        check(&too_long, &too_long);
        let unfinished = &frame(HEADERS, 0x4, b"\x41\x02a%")[..12];
        check(unfinished, unfinished);
    }
}
