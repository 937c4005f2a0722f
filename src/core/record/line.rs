//! One line and the buffers that a thread keeps to write the next one without allocating.

use super::json;
use super::mask::Pointers;
use crate::Timestamp;
use crate::policy::Revision;

/// A line with its newline; the tile format of the tree holds entries of up to 65,535 bytes.
pub const MAX_LINE_BYTES: usize = 65_535;
const PREFIX: &[u8] = b"{\"v\":1,\"seq\":";
/// The prefix, twenty digits and a comma: written last, when the sequence number is known.
const PREFIX_ROOM: usize = PREFIX.len() + 20 + 1;

/// A line that is complete but for its sequence number.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// Room for the prefix, then the rest with its newline.
    bytes: Vec<u8>,
}

/// What one thread keeps between lines: the buffer, and texts that seldom change.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) line: Line,
    pub(super) masked: Pointers,
    second: Option<(i64, String)>,
    revision: Option<(Revision, Vec<u8>)>,
}

impl Line {
    /// Writes the beginning of the line in front of the rest and returns the whole line.
    pub fn stamp(&mut self, seq: u64) -> &[u8] {
        let mut head = [0; PREFIX_ROOM];
        let mut start = PREFIX_ROOM - 1;
        let mut left = seq;
        if let Some(comma) = head.last_mut() {
            *comma = b',';
        }
        while let Some(slot) = start.checked_sub(1).and_then(|at| head.get_mut(at)) {
            *slot = b'0' + u8::try_from(left % 10).unwrap_or_default();
            start -= 1;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        start = start.saturating_sub(PREFIX.len());
        if let Some(slot) = head.get_mut(start..start + PREFIX.len()) {
            slot.copy_from_slice(PREFIX);
        }
        if let Some(room) = self.bytes.get_mut(..PREFIX_ROOM) {
            room.copy_from_slice(&head);
        }
        self.bytes.get(start..).unwrap_or_default()
    }

    /// The most that [`Self::stamp`] can return.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        self.bytes.clear();
        self.bytes.resize(PREFIX_ROOM, b' ');
        &mut self.bytes
    }

    pub(super) fn out(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl Scratch {
    /// Appends the quoted time, of which the part down to the second is kept for the next line.
    pub(super) fn time(&mut self, time: Timestamp) {
        let out = &mut self.line.bytes;
        let second = time.unix_seconds();
        if self.second.as_ref().is_none_or(|(kept, _)| *kept != second) {
            let mut text = time.to_string();
            text.truncate(text.len().saturating_sub("000000Z".len()));
            self.second = Some((second, text));
        }
        out.push(b'"');
        if let Some((_, text)) = &self.second {
            out.extend_from_slice(text.as_bytes());
        }
        let micros = time.unix_micros().rem_euclid(1_000_000);
        json::padded::<6>(out, u64::try_from(micros).unwrap_or_default());
        out.extend_from_slice(b"Z\"");
    }

    /// Appends `"policy":{…}`, kept until the revision changes.
    pub(super) fn revision(&mut self, revision: &Revision) {
        let is_kept = self.revision.as_ref().is_some_and(|(kept, _)| is_same(kept, revision));
        if !is_kept {
            let mut text = Vec::new();
            write_revision(&mut text, revision);
            self.revision = Some((revision.clone(), text));
        }
        if let Some((_, text)) = &self.revision {
            self.line.bytes.extend_from_slice(text);
        }
    }
}

/// The same value in memory. The kept clone holds its texts alive, so no address is used twice.
fn is_same(a: &Revision, b: &Revision) -> bool {
    let is_same = |a: &std::sync::Arc<str>, b| std::sync::Arc::ptr_eq(a, b);
    is_same(&a.digest, &b.digest)
        && is_same(&a.commit, &b.commit)
        && is_same(&a.reference, &b.reference)
        && is_same(&a.repository, &b.repository)
        && match (&a.signer, &b.signer) {
            (Some(a), Some(b)) => is_same(a, b),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
}

fn write_revision(out: &mut Vec<u8>, revision: &Revision) {
    for (key, value, max) in [
        (&b"\"policy\":{\"repository\":"[..], &revision.repository, 1_024),
        (b",\"ref\":", &revision.reference, 256),
        (b",\"commit\":", &revision.commit, 160),
        (b",\"digest\":", &revision.digest, 160),
    ] {
        out.extend_from_slice(key);
        json::string(out, value.as_bytes(), max);
    }
    out.extend_from_slice(b",\"signer\":");
    match &revision.signer {
        Some(signer) => {
            json::string(out, signer.as_bytes(), 512);
        }
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
}
