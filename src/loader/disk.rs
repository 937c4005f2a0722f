//! Where bundles lie in the store's directory, and how a file gets there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use portreeve_core::policy::{Files, digest_of};
use serde::{Deserialize, Serialize};

/// A bundle's byte form is its files and their lengths; see the limits of [`Files`].
pub(super) const MAX_BUNDLE_BYTES: u64 = 96 << 20;

/// The two folders for bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Written by a fetch worker, not checked yet.
    Candidates,
    /// Activated once.
    Bundles,
}

impl Place {
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Candidates => "candidates",
            Self::Bundles => "bundles",
        }
    }
}

/// The file of a digest, `None` if the text is no digest (it names a file, so it must be one).
#[must_use]
pub fn bundle_path(store: &Path, place: Place, digest: &str) -> Option<PathBuf> {
    let hex = digest.strip_prefix("sha256:")?;
    let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (hex.len() == 64 && is_hex).then(|| store.join(place.folder()).join(hex))
}

/// Reads a bundle's bytes and proves that they are the ones that the digest names.
///
/// # Errors
/// The file cannot be read, or its bytes have another digest.
pub fn read_bundle(store: &Path, place: Place, digest: &str) -> io::Result<Files> {
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    let path = bundle_path(store, place, digest)
        .ok_or_else(|| invalid(format!("`{}` is not a digest", digest.escape_debug())))?;
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BUNDLE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BUNDLE_BYTES {
        return Err(invalid(format!("the bundle is larger than {MAX_BUNDLE_BYTES} bytes")));
    }
    let found = digest_of(&bytes);
    if found != digest {
        return Err(invalid(format!("the stored bytes have the digest `{found}`")));
    }
    Files::from_bytes(&bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Writes a file that a reader sees whole or not at all, also after a loss of power.
///
/// # Errors
/// The folder is missing, full or read-only.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    sync_directory(folder)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// The folder cannot be opened or synced.
pub fn sync_directory(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> (tempfile::TempDir, String) {
        let store = tempfile::tempdir().unwrap();
        fs::create_dir(store.path().join("bundles")).unwrap();
        let mut files = Files::default();
        files.insert("a.cedar", b"permit(principal, action, resource);".to_vec()).unwrap();
        let digest = files.digest();
        let path = bundle_path(store.path(), Place::Bundles, &digest).unwrap();
        write_atomically(&path, &files.to_bytes()).unwrap();
        (store, digest)
    }

    #[test]
    fn a_stored_bundle_comes_back() {
        let (store, digest) = stored();
        let files = read_bundle(store.path(), Place::Bundles, &digest).unwrap();
        assert_eq!(files.digest(), digest);
        assert_eq!(fs::read_dir(store.path().join("bundles")).unwrap().count(), 1, "no leftovers");
    }

    #[test]
    fn a_bundle_with_any_bit_changed_is_refused() {
        let (store, digest) = stored();
        let path = bundle_path(store.path(), Place::Bundles, &digest).unwrap();
        let bytes = fs::read(&path).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            fs::write(&path, changed).unwrap();
            let error = read_bundle(store.path(), Place::Bundles, &digest).unwrap_err();
            assert!(error.to_string().starts_with("the stored bytes have the digest"), "{error}");
        }
    }

    #[test]
    fn a_text_that_is_no_digest_names_no_file() {
        for text in ["", "sha256:", "sha256:../../etc/passwd", &format!("sha256:{:064X}", 0xabcdef)]
        {
            assert_eq!(bundle_path(Path::new("/store"), Place::Bundles, text), None, "{text}");
        }
    }
}
