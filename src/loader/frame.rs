//! Frames: a length (u32, big endian) and that many bytes of JSON. Pure, but for the two readers.

use std::io::{self, Read};

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest body: an answer is a digest and at most a hundred findings of bounded text.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

const HEADER_BYTES: usize = 4;

/// Why bytes are no frame, or a frame no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is longer than {MAX_FRAME_BYTES}")]
    TooLong(usize),
    #[error("the frame is cut")]
    Cut,
    #[error("there are bytes after the frame")]
    Trailing,
    #[error("the frame is not a message of this protocol")]
    Message(#[source] serde_json::Error),
}

/// One message as one frame.
///
/// # Errors
/// The message is longer than [`MAX_FRAME_BYTES`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let body = serde_json::to_vec(message).map_err(FrameError::Message)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLong(body.len()))?;
    body_length(length.to_be_bytes())?;
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// The one message that these bytes are, whole and alone.
///
/// # Errors
/// The bytes are cut, too long, followed by others, or not such a message.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(FrameError::Cut)?;
    let length = body_length(*header)?;
    match body.len() {
        have if have < length => Err(FrameError::Cut),
        have if have > length => Err(FrameError::Trailing),
        _ => serde_json::from_slice(body).map_err(FrameError::Message),
    }
}

/// Reads one whole frame, header included; `None` when the other side has closed between frames.
pub(super) async fn read<R>(reader: &mut R) -> io::Result<Option<Vec<u8>>>
where
    R: AsyncRead + Unpin,
{
    let mut frame = vec![0; HEADER_BYTES];
    if reader.read(frame.split_at_mut(1).0).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(frame.split_at_mut(1).1).await?;
    let length = length_of(&frame)?;
    frame.resize(HEADER_BYTES + length, 0);
    reader.read_exact(frame.split_at_mut(HEADER_BYTES).1).await?;
    Ok(Some(frame))
}

/// Reads one whole frame on the calling thread, and not a byte after it.
pub(super) fn read_blocking(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; HEADER_BYTES];
    reader.read_exact(&mut frame)?;
    let length = length_of(&frame)?;
    frame.resize(HEADER_BYTES + length, 0);
    reader.read_exact(frame.split_at_mut(HEADER_BYTES).1)?;
    Ok(frame)
}

fn length_of(frame: &[u8]) -> io::Result<usize> {
    let header = frame.first_chunk::<HEADER_BYTES>().ok_or(io::ErrorKind::UnexpectedEof)?;
    body_length(*header).map_err(io::Error::other)
}

fn body_length(header: [u8; HEADER_BYTES]) -> Result<usize, FrameError> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length > MAX_FRAME_BYTES { Err(FrameError::TooLong(length)) } else { Ok(length) }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &str) {
        let outcome = match decode::<Value>(bytes) {
            Ok(value) => value.to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn a_message_comes_back() {
        check(&encode(&json!({"a": [1, "b"]})).unwrap(), r#"{"a":[1,"b"]}"#);
        check(b"\0\0\0\x04null", "null");
    }

    #[test]
    fn a_frame_that_is_cut_anywhere_is_refused() {
        let frame = encode(&json!({"a": 1})).unwrap();
        for length in 0..frame.len() {
            check(&frame[..length], "error: the frame is cut");
        }
    }

    #[test]
    fn bytes_that_are_no_frame_are_refused() {
        check(b"\0\0\0\x04null!", "error: there are bytes after the frame");
        check(b"\0\0\0\x04nope", "error: the frame is not a message of this protocol");
        check(b"\0\0\0\0", "error: the frame is not a message of this protocol");
        check(b"\xff\xff\xff\xff", "error: a frame of 4294967295 bytes is longer than 1048576");
        check(b"GET / HTTP/1.1\r\n", "error: a frame of 1195725856 bytes is longer than 1048576");
    }

    #[test]
    fn one_byte_over_the_limit_is_refused_before_it_is_read() {
        let longest = "x".repeat(MAX_FRAME_BYTES - 2);
        assert_eq!(decode::<String>(&encode(&longest).unwrap()).unwrap(), longest);
        let error = encode(&format!("{longest}x")).unwrap_err();
        assert!(matches!(error, FrameError::TooLong(1_048_577)), "{error}");
        let mut header: &[u8] = &1_048_577_u32.to_be_bytes();
        let error = read_blocking(&mut header).unwrap_err();
        assert_eq!(error.to_string(), "a frame of 1048577 bytes is longer than 1048576");
    }

    #[tokio::test]
    async fn a_reader_tells_the_end_from_a_cut() {
        let frame = encode(&json!(1)).unwrap();
        let mut two: &[u8] = &[frame.clone(), frame.clone()].concat();
        assert_eq!(read(&mut two).await.unwrap(), Some(frame.clone()));
        assert_eq!(read(&mut two).await.unwrap(), Some(frame.clone()));
        assert_eq!(read(&mut two).await.unwrap(), None);
        for length in 1..frame.len() {
            let cut = read(&mut &frame[..length]).await.unwrap_err();
            assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof, "cut at {length}");
        }
    }
}
