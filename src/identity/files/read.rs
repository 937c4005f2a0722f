//! Bytes from disk: within limits, from regular files only, and with a key that is not everybody's.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use portreeve_core::spiffe::TrustDomain;

use super::FileSettings;
use crate::identity::svid::MaterialError;
use crate::identity::update::UpdateError;

/// A chain of sixteen certificates is some 50 KiB, and a key is smaller.
const MAX_SVID_BYTES: u64 = 256 << 10;
/// As much as a whole message of the Workload API may hold.
pub(super) const MAX_BUNDLE_BYTES: u64 = 64 << 20;
/// Write for the group, anything for others.
const EXPOSED: u32 = 0o027;
const GROUP_READS: u32 = 0o040;

/// Why files give no identity.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("failed to read `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{path}` is not a regular file")]
    NotAFile { path: PathBuf },
    #[error("`{path}` is larger than {limit} bytes")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error(
        "the private key `{path}` has mode {mode:04o}: other users may reach it, `chmod 600` it (or \
         640 for a group)"
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error("`{path}:{line}` is no PEM: {reason}")]
    Pem { path: PathBuf, line: usize, reason: String },
    #[error("`{path}:{line}` holds no certificate that can be read")]
    Certificate { path: PathBuf, line: usize },
    #[error("there is no `BEGIN {label}` in `{path}`")]
    Nothing { path: PathBuf, label: &'static str },
    #[error("`{path}:{line}` has a second private key: which one is the certificate's?")]
    SecondKey { path: PathBuf, line: usize },
    #[error("the private key `{path}:{line}` is encrypted: nobody is here to give the password")]
    Encrypted { path: PathBuf, line: usize },
    #[error(
        "`{key}` is not the key of `{certificate}`: if they are being replaced, this ends by itself"
    )]
    OtherKey { certificate: PathBuf, key: PathBuf },
    #[error("`{path}` is no SVID that we can present")]
    Svid { path: PathBuf, source: MaterialError },
    #[error("no bundle is named for our own trust domain `{trust_domain}`: add it to `bundles`")]
    NoOwnBundle { trust_domain: TrustDomain },
    #[error("`{path}` holds the SVID `{found}`, and `{picked}` is picked")]
    NotPicked { path: PathBuf, found: String, picked: String },
    #[error(transparent)]
    Update { source: UpdateError },
    #[error("reading the files was interrupted")]
    Interrupted,
}

/// How files look from outside: what differs when anybody has changed one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen(Vec<Option<Stamp>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    size: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// What the files hold; a foreign bundle may be missing, nothing else may.
pub(super) struct Contents {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
    pub(super) bundles: BTreeMap<TrustDomain, Result<Vec<u8>, FileError>>,
    pub(super) crls: Vec<Vec<u8>>,
    /// Whether a group may read the key.
    pub(super) key_is_shared: bool,
}

impl Seen {
    pub(super) fn of(files: &FileSettings) -> Self {
        let all = [&files.certificate, &files.key].into_iter();
        Self::of_paths(all.chain(files.bundles.values()).chain(&files.crls))
    }

    pub(super) fn of_paths<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Self {
        Self(paths.map(|path| Stamp::of(path)).collect())
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            size: found.len(),
            mode: found.mode(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

impl Contents {
    /// Reads all files; blocks.
    pub(super) fn read(files: &FileSettings) -> Result<Self, FileError> {
        let (key, mode) = read(&files.key, MAX_SVID_BYTES)?;
        if mode & EXPOSED != 0 {
            return Err(FileError::Exposed { path: files.key.clone(), mode: mode & 0o7777 });
        }
        let bundle = |path: &PathBuf| read(path, MAX_BUNDLE_BYTES).map(|(bytes, _)| bytes);
        Ok(Self {
            certificate: read(&files.certificate, MAX_SVID_BYTES)?.0,
            key,
            bundles: files
                .bundles
                .iter()
                .map(|(trust_domain, path)| (trust_domain.clone(), bundle(path)))
                .collect(),
            crls: files.crls.iter().map(bundle).collect::<Result<_, _>>()?,
            key_is_shared: mode & GROUP_READS != 0,
        })
    }

    /// All bytes, in an order that does not change.
    pub(super) fn all(&self) -> impl Iterator<Item = &[u8]> {
        let bundles = self.bundles.values().map(|bytes| bytes.as_deref().unwrap_or(b"unreadable"));
        let svid = [&*self.certificate, &*self.key].into_iter();
        svid.chain(bundles).chain(self.crls.iter().map(Vec::as_slice))
    }
}

/// The bytes of a regular file and its mode, both of the file that was opened.
pub(super) fn read(path: &Path, limit: u64) -> Result<(Vec<u8>, u32), FileError> {
    let failed = |source| FileError::Read { path: path.to_owned(), source };
    let file = open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(FileError::NotAFile { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed shows that the file is too long.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(FileError::TooLarge { path: path.to_owned(), limit });
    }
    Ok((bytes, found.mode()))
}

/// Opening a named pipe would otherwise wait for a writer.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// The key's bytes are in it.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("bundles", &self.bundles.len()).finish_non_exhaustive()
    }
}
