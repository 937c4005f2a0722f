//! GOAWAY with an error code on a connection that is cut: hyper can only end one politely.
//!
//! The stream is lent to hyper, comes back when hyper's connection is dropped, and gets the last
//! frame from us, provided that what was written before ends with a whole frame.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::oneshot;

/// RFC 9113 §4.1: length (3 bytes), type, flags, stream (4 bytes).
const HEAD_BYTES: usize = 9;
const GOAWAY: u8 = 7;
/// RFC 9113 §7: the transport is not fit for what is asked; so is one whose peer is not trusted.
const INADEQUATE_SECURITY: u32 = 0xc;
/// RFC 9113 §6.8: any stream may have been acted on, so none of them is safe to repeat unasked.
const ANY_STREAM: u32 = (1 << 31) - 1;
/// For the last frame and its way to the peer: a reset that overtakes it would hide it.
const FAREWELL: Duration = Duration::from_millis(250);

/// A stream that is lent, and that knows where the frames written to it end.
#[derive(Debug)]
pub(super) struct Lent<S> {
    stream: Option<(S, Written)>,
    back: Option<oneshot::Sender<(S, Written)>>,
}

/// Where a lent stream comes back to.
pub(super) type Back<S> = oneshot::Receiver<(S, Written)>;

/// What was written, as far as it must be known to write one more frame after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    head: [u8; HEAD_BYTES],
    /// Of the present frame's head.
    head_bytes: usize,
    /// Of the present frame's payload, still to come.
    payload: usize,
    /// The last stream that a GOAWAY has named; a later one may not name a higher one.
    last_stream: Option<u32>,
    /// Of a GOAWAY's first four bytes.
    naming: Option<(u32, u8)>,
}

impl<S> Lent<S> {
    pub(super) fn new(stream: S) -> (Self, Back<S>) {
        let (back, returned) = oneshot::channel();
        (Self { stream: Some((stream, Written::default())), back: Some(back) }, returned)
    }

    fn parts(&mut self) -> io::Result<(&mut S, &mut Written)> {
        let gone = || io::Error::other("the stream has been given back");
        self.stream.as_mut().map(|(stream, written)| (stream, written)).ok_or_else(gone)
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (Some(stream), Some(back)) = (self.stream.take(), self.back.take()) {
            // Where nobody waits for it, it ends here.
            let _ = back.send(stream);
        }
    }
}

/// Says GOAWAY with an error code and ends the connection; whatever fails, it ends.
pub(super) async fn say<S>(back: Back<S>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let saying = async {
        let Ok((mut stream, written)) = back.await else { return };
        if let Some(frame) = written.last_frame() {
            let _ = stream.write_all(&frame).await;
        }
        let _ = stream.shutdown().await;
        // What the peer still sends is read and thrown away: unread, it would have the kernel reset
        // the connection, and the frame be lost with it.
        let mut rest = [0; 4096];
        while stream.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    };
    let _ = tokio::time::timeout(FAREWELL, saying).await;
}

impl Written {
    /// Follows what was written, frame by frame.
    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, is_head) = if self.payload == 0 {
                (bytes.len().min(HEAD_BYTES - self.head_bytes), true)
            } else {
                (bytes.len().min(self.payload), false)
            };
            let (now, later) = bytes.split_at(taken);
            if is_head {
                self.follow_head(now);
            } else {
                self.follow_payload(now);
            }
            bytes = later;
        }
    }

    fn follow_head(&mut self, bytes: &[u8]) {
        for (place, byte) in self.head.iter_mut().skip(self.head_bytes).zip(bytes) {
            *place = *byte;
        }
        self.head_bytes += bytes.len();
        if self.head_bytes == HEAD_BYTES {
            let [high, middle, low, kind, ..] = self.head;
            self.payload = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
            self.naming = (kind == GOAWAY).then_some((0, 0));
            self.head_bytes = 0;
        }
    }

    fn follow_payload(&mut self, bytes: &[u8]) {
        if let Some((mut id, mut read)) = self.naming {
            for byte in bytes.iter().take(usize::from(4 - read)) {
                id = id << 8 | u32::from(*byte);
                read += 1;
            }
            self.naming = (read < 4).then_some((id, read));
            if read == 4 {
                self.last_stream = Some(id & ANY_STREAM);
            }
        }
        self.payload -= bytes.len();
    }

    /// `None` in the middle of a frame, which no other may follow.
    fn last_frame(&self) -> Option<[u8; HEAD_BYTES + 8]> {
        if self.head_bytes > 0 || self.payload > 0 {
            return None;
        }
        let mut frame = [0; HEAD_BYTES + 8];
        let stream = self.last_stream.unwrap_or(ANY_STREAM).to_be_bytes();
        let head = [0, 0, 8, GOAWAY, 0, 0, 0, 0, 0];
        let payload = stream.into_iter().chain(INADEQUATE_SECURITY.to_be_bytes());
        for (place, byte) in frame.iter_mut().zip(head.into_iter().chain(payload)) {
            *place = byte;
        }
        Some(frame)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(self.parts()?.0).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let (stream, written) = self.parts()?;
        let count = ready!(Pin::new(stream).poll_write(context, bytes))?;
        written.follow(bytes.get(..count).unwrap_or(bytes));
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let (stream, written) = self.parts()?;
        let count = ready!(Pin::new(stream).poll_write_vectored(context, slices))?;
        let mut left = count;
        for slice in slices {
            let taken = left.min(slice.len());
            written.follow(slice.get(..taken).unwrap_or(slice));
            left -= taken;
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.parts()?.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.parts()?.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; 12] = [0, 0, 3, 0, 1, 0, 0, 0, 1, 97, 98, 99];
    /// Names stream 5, `NO_ERROR`.
    const POLITE: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0];

    #[track_caller]
    fn check(written: &[&[u8]], expected: Option<u32>) {
        let all = written.concat();
        for chunk in 1..=all.len().max(1) {
            let mut followed = Written::default();
            all.chunks(chunk).for_each(|bytes| followed.follow(bytes));
            let named = followed.last_frame().map(|frame| {
                assert_eq!(frame[..9], [0, 0, 8, 7, 0, 0, 0, 0, 0]);
                assert_eq!(frame[13..], [0, 0, 0, 0xc]);
                u32::from_be_bytes([frame[9], frame[10], frame[11], frame[12]])
            });
            assert_eq!(named, expected, "in chunks of {chunk}");
        }
    }

    #[test]
    fn the_last_frame_names_any_stream_and_none_above_what_was_named_before() {
        check(&[], Some(ANY_STREAM));
        check(&[&DATA], Some(ANY_STREAM));
        check(&[&DATA, &POLITE], Some(5));
        check(&[&POLITE, &DATA, &DATA], Some(5));
    }

    #[test]
    fn in_the_middle_of_a_frame_there_is_no_last_one() {
        check(&[&DATA, &DATA[..4]], None);
        check(&[&DATA, &DATA[..11]], None);
        check(&[&DATA, &POLITE[..13]], None);
    }

    #[tokio::test]
    async fn the_peer_of_a_stream_that_was_lent_reads_the_last_frame_and_then_its_end() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let (mut lent, back) = Lent::new(ours);
        lent.write_all(&DATA).await.unwrap();
        drop(lent);
        let read = async {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).await.unwrap();
            drop(theirs);
            read
        };
        let ((), read) = tokio::join!(say(back), read);
        assert_eq!(read[..12], DATA);
        assert_eq!(read[12..16], [0, 0, 8, 7]);
        assert_eq!(read.len(), 12 + 17);
    }
}
