//! The directory of a log: its lock, the names of its files, how they are opened.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use portreeve_core::Timestamp;

const PREFIX: &str = "decisions-";
const SUFFIX: &str = ".ndjson";
const LOCK: &str = "lock";

/// A file of the log as its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    /// The number of its first line.
    pub(super) first_seq: u64,
    pub(super) path: PathBuf,
}

/// `decisions-20261121T100000Z-00000000000000000001.ndjson`: when it was begun and its first number.
pub(super) fn name(begun: Timestamp, first_seq: u64) -> String {
    let time: String = begun.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let time = time.split_once('.').map_or(time.as_str(), |(second, _)| second);
    format!("{PREFIX}{time}Z-{first_seq:020}{SUFFIX}")
}

/// The files in the order of their numbers, which no clock can disturb.
pub(super) fn list(dir: &Path) -> io::Result<Vec<LogFile>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if let Some(first_seq) = first_seq(&path) {
            files.push(LogFile { first_seq, path });
        }
    }
    files.sort_by(|a, b| (a.first_seq, &a.path).cmp(&(b.first_seq, &b.path)));
    Ok(files)
}

fn first_seq(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    stem.rsplit_once('-')?.1.parse().ok()
}

/// Makes the directory with its missing parents, each for us alone.
pub(super) fn make_directory(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// Takes the lock; `None` where another process holds it.
pub(super) fn lock(dir: &Path) -> io::Result<Option<File>> {
    let file = options().write(true).create(true).truncate(false).open(dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the lock that we hold is still the one that others would take.
pub(super) fn holds_lock(dir: &Path, lock: &File) -> bool {
    is_at(lock, &dir.join(LOCK))
}

/// Whether this open file is the one that the path names.
pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

pub(super) fn create(path: &Path) -> io::Result<File> {
    options().append(true).create_new(true).open(path)
}

pub(super) fn open_to_append(path: &Path) -> io::Result<File> {
    options().read(true).append(true).open(path)
}

pub(super) fn open_quarantine(path: &Path) -> io::Result<File> {
    options().append(true).create(true).open(path)
}

/// For us alone, and never through a link that someone else has put there.
fn options() -> OpenOptions {
    let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(no_follow);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_in_the_order_of_their_numbers_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let at = |time| Timestamp::parse(time).unwrap();
        let later = name(at("2026-11-21T10:00:00.5Z"), 1);
        assert_eq!(later, "decisions-20261121T100000Z-00000000000000000001.ndjson");
        let earlier = name(at("2020-01-01T00:00:00Z"), 100);
        for name in [&later, &earlier, "lock", "decisions-x.ndjson", "decisions-1-2.ndjson.torn"] {
            File::create(dir.path().join(name)).unwrap();
        }
        let files: Vec<_> = list(dir.path()).unwrap();
        let numbers: Vec<_> = files.iter().map(|file| file.first_seq).collect();
        assert_eq!(numbers, [1, 100]);
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        File::create(&target).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(open_to_append(&target).is_ok());
        assert!(open_to_append(&link).is_err());
        assert!(open_quarantine(&link).is_err());
    }
}
