//! A bundle file: OPA's `.tar.gz`, whose names are rooted at `/`.
//!
//! It is read whole and in memory. Plain files with plain names leave, but for hidden ones, as from a
//! folder; a link, a device, a name that leaves the bundle or stands twice, and an archive beyond its
//! limits are refused by name.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use portreeve_core::policy::{Files, FilesError};
use tar::{Archive, Entry, EntryType};

use super::local::is_shown;

/// Of the file itself.
pub const MAX_ARCHIVE_BYTES: u64 = 64 << 20;
/// The limit of a bundle's files and what tar puts around them.
const MAX_UNPACKED_BYTES: u64 = 96 << 20;
/// Text packs to a tenth; OPA's own bundles never come near this.
const MAX_RATIO: u64 = 200;
/// A small archive may be all alike.
const FREE_BYTES: u64 = 4 << 20;
/// Folders and global headers are entries too.
const MAX_ENTRIES: usize = 40_000;
/// What OPA calls the only file of a delta bundle.
const DELTA: &str = "patch.json";

/// Why an archive is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("the archive is larger than {MAX_ARCHIVE_BYTES} bytes")]
    Packed,
    #[error("the archive unpacked is larger than {bytes} bytes{why}")]
    Unpacked { bytes: u64, why: &'static str },
    #[error("the archive has more than {MAX_ENTRIES} entries")]
    Entries,
    #[error("the archive is broken")]
    Broken(#[source] io::Error),
    #[error("entry {number} of the archive is broken")]
    Entry { number: usize, source: io::Error },
    #[error("`{path}` is {what}, which a bundle may not hold")]
    Kind { path: String, what: &'static str },
    #[error("`{path}` stands twice in the archive")]
    Twice { path: String },
    #[error("the name `{path}` is not UTF-8")]
    NotUtf8 { path: String },
    #[error("`{path}` says that this is a delta bundle: only whole bundles are supported")]
    Delta { path: String },
    #[error("failed to read `{path}`")]
    Read { path: String, source: io::Error },
    #[error("the files are refused")]
    Files(#[source] FilesError),
}

/// Whether bytes begin as a gzip file does.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// Reads a bundle file.
///
/// # Errors
/// It is broken, beyond a limit, or holds what is no plain file.
pub fn read_archive(packed: &[u8]) -> Result<Files, ArchiveError> {
    let length = u64::try_from(packed.len()).unwrap_or(u64::MAX);
    if length > MAX_ARCHIVE_BYTES {
        return Err(ArchiveError::Packed);
    }
    let by_ratio = length.saturating_mul(MAX_RATIO).max(FREE_BYTES);
    let most = MAX_UNPACKED_BYTES.min(by_ratio);
    // Every read below ends here, also that of a name which the archive says is long.
    let mut unpacked = MultiGzDecoder::new(packed).take(most);
    let read = read_entries(&mut unpacked);
    // Behind the last entry is the checksum.
    let rest = io::copy(&mut unpacked, &mut io::sink());
    if unpacked.limit() == 0 {
        let why = match by_ratio < MAX_UNPACKED_BYTES {
            true => ", which is far more than it is packed",
            false => "",
        };
        return Err(ArchiveError::Unpacked { bytes: most, why });
    }
    let files = read?;
    rest.map_err(ArchiveError::Broken)?;
    files.check_case().map_err(ArchiveError::Files)?;
    Ok(files)
}

fn read_entries(unpacked: &mut impl Read) -> Result<Files, ArchiveError> {
    let mut files = Files::default();
    let mut archive = Archive::new(unpacked);
    for (number, entry) in archive.entries().map_err(ArchiveError::Broken)?.enumerate() {
        if number >= MAX_ENTRIES {
            return Err(ArchiveError::Entries);
        }
        add(entry.map_err(|source| ArchiveError::Entry { number, source })?, &mut files)?;
    }
    Ok(files)
}

fn add(mut entry: Entry<'_, impl Read>, files: &mut Files) -> Result<(), ArchiveError> {
    let name = entry.path_bytes().into_owned();
    if std::str::from_utf8(&name).is_ok_and(|name| is_hidden(rootless(name))) {
        return Ok(());
    }
    let shown = name.escape_ascii().to_string();
    let what = match entry.header().entry_type() {
        EntryType::Regular => None,
        // `git archive` says which commit it packed.
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        EntryType::Symlink => Some("a symbolic link"),
        EntryType::Link => Some("a hard link"),
        EntryType::Char | EntryType::Block => Some("a device"),
        EntryType::Fifo => Some("a pipe"),
        _ => Some("not a plain file"),
    };
    if let Some(what) = what {
        return Err(ArchiveError::Kind { path: shown, what });
    }
    let name = String::from_utf8(name).map_err(|_| ArchiveError::NotUtf8 { path: shown })?;
    let path = rootless(&name);
    if path == DELTA {
        return Err(ArchiveError::Delta { path: path.to_owned() });
    }
    let bytes = usize::try_from(entry.size()).unwrap_or(usize::MAX);
    files.check(path, bytes).map_err(ArchiveError::Files)?;
    if files.get(path).is_some() {
        return Err(ArchiveError::Twice { path: path.to_owned() });
    }
    let mut content = Vec::new();
    let read = entry.read_to_end(&mut content);
    read.map_err(|source| ArchiveError::Read { path: path.to_owned(), source })?;
    files.insert(path, content).map_err(ArchiveError::Files)
}

/// `opa build` roots names at `/`, and `tar -c .` at `./`.
fn rootless(name: &str) -> &str {
    name.strip_prefix("./").or_else(|| name.strip_prefix('/')).unwrap_or(name)
}

/// A name that leaves the bundle is not hidden, but refused.
fn is_hidden(path: &str) -> bool {
    Files::default().check(path, 0).is_ok() && !is_shown(path)
}

#[cfg(test)]
mod tests;
