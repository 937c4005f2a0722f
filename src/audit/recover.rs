//! The end of a log that a process has left behind: where it goes on, and what is cut off.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use portreeve_core::record::MAX_LINE_BYTES;

use super::files;

/// A crash leaves at most one line incomplete; loss of power leaves some pages of zeros.
const MAX_TAIL_BYTES: u64 = 16 * MAX_LINE_BYTES as u64;

/// The last file, ready to be appended to.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) file: File,
    pub(super) size: u64,
    pub(super) next_seq: u64,
    /// Bytes that were moved to the side file.
    pub(super) quarantined: u64,
}

/// Finds the last good line; what follows it is moved to `….torn` and cut off.
pub(super) fn recover(path: &Path, first_seq: u64) -> io::Result<Recovered> {
    let mut file = files::open_to_append(path)?;
    let length = file.metadata()?.len();
    let tail_start = length.saturating_sub(MAX_TAIL_BYTES);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(tail_start))?;
    (&file).take(MAX_TAIL_BYTES).read_to_end(&mut tail)?;
    let (good, next_seq) = match last_good_line(&tail) {
        Some((end, seq)) => (end, seq.saturating_add(1)),
        None if tail_start == 0 => (0, first_seq),
        None => return Err(io::Error::new(io::ErrorKind::InvalidData, "no record at its end")),
    };
    let torn = tail.get(good..).unwrap_or_default();
    let quarantined = u64::try_from(torn.len()).unwrap_or(u64::MAX);
    let size = length.saturating_sub(quarantined);
    if quarantined > 0 {
        let mut side = files::open_quarantine(&quarantine_path(path))?;
        side.write_all(torn)?;
        side.sync_all()?;
        file.set_len(size)?;
        file.sync_all()?;
    }
    Ok(Recovered { file, size, next_seq, quarantined })
}

pub(super) fn quarantine_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".torn");
    name.into()
}

/// Where the last good line ends, and its number.
fn last_good_line(tail: &[u8]) -> Option<(usize, u64)> {
    let mut end = tail.len();
    loop {
        let lines = tail.get(..end)?;
        let last = lines.strip_suffix(b"\n");
        let start = last.unwrap_or(lines).iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        if let Some(seq) = last.and_then(|last| last.get(start..)).and_then(seq_of) {
            return Some((end, seq));
        }
        if start == 0 {
            return None;
        }
        end = start;
    }
}

/// The number of a line without its newline, where it is a whole record.
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Record {
        seq: u64,
    }
    serde_json::from_slice::<Record>(line).ok().map(|record| record.seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tail: &[u8], expected: Option<(usize, u64)>) {
        assert_eq!(last_good_line(tail), expected, "{}", String::from_utf8_lossy(tail));
    }

    #[test]
    fn the_last_whole_record_is_found() {
        check(b"", None);
        check(b"{\"v\":1,\"seq\":7}\n", Some((16, 7)));
        check(b"{\"v\":1,\"seq\":7}\n{\"v\":1,\"se", Some((16, 7)));
        check(b"{\"v\":1,\"seq\":7}\n{\"v\":1,\"seq\":8}", Some((16, 7)));
        check(b"{\"v\":1,\"seq\":7}\n\0\0\0\n\0\0", Some((16, 7)));
        check(b"{\"v\":1,\"seq\":7}\n\n\n", Some((16, 7)));
        check(b"{\"v\":1,\"seq\"", None);
        check(b"\0\0\0\0", None);
    }
}
