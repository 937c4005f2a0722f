//! The store's directory: one owner, one format, bundles by digest, and a pointer to the last good.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::loader::{Place, Source, bundle_path, sync_directory, write_atomically};

/// What this binary writes; a store with a higher number was written by a newer one.
const FORMAT: u32 = 1;
/// The pointer and the format are a few hundred bytes.
const MAX_SMALL_FILE_BYTES: u64 = 64 << 10;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("failed to use `{path}`")]
    Io { path: PathBuf, source: io::Error },
    #[error("`{path}` is in use by another running sidecar: give each its own `state_dir`")]
    InUse { path: PathBuf },
    #[error("`{path}` has the format `{found}`, and this binary knows only `{FORMAT}`")]
    Format { path: PathBuf, found: String },
}

/// An open directory; nobody else has it open as long as this lives.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

/// Which bundle was activated last, and what it was the bundle of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub digest: String,
    pub commit: String,
    pub repository: String,
    pub reference: String,
    pub subdir: String,
}

impl Directory {
    /// Makes the directory if need be, takes its lock and removes what an earlier run left undone.
    pub(super) fn open(path: &Path) -> Result<Self, DirectoryError> {
        let io = |source| DirectoryError::Io { path: path.to_path_buf(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let path = fs::canonicalize(path).map_err(io)?;
        fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(io)?;
        let lock = File::options().create(true).append(true).open(path.join("lock"));
        let lock = lock.map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DirectoryError::InUse { path }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        check_format(&path)?;
        let candidates = path.join(Place::Candidates.folder());
        if candidates.exists() {
            fs::remove_dir_all(&candidates).map_err(io)?;
        }
        for place in [Place::Candidates, Place::Bundles] {
            let folder = path.join(place.folder());
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        }
        sync_directory(&path).map_err(io)?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last good bundle, if there was one.
    pub(super) fn pointer(&self) -> io::Result<Option<Pointer>> {
        match read_small(&self.path.join("active")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        }
    }

    /// Moves a candidate to the bundles and points at it; both are durable when this returns.
    pub(super) fn keep(&self, pointer: &Pointer) -> io::Result<()> {
        let invalid = io::ErrorKind::InvalidInput;
        let from = bundle_path(&self.path, Place::Candidates, &pointer.digest).ok_or(invalid)?;
        let to = bundle_path(&self.path, Place::Bundles, &pointer.digest).ok_or(invalid)?;
        fs::rename(from, to)?;
        sync_directory(&self.path.join(Place::Bundles.folder()))?;
        write_atomically(&self.path.join("active"), &serde_json::to_vec(pointer)?)
    }

    /// Removes a candidate that nobody will ask for again.
    pub(super) fn discard(&self, digest: &str) {
        if let Some(path) = bundle_path(&self.path, Place::Candidates, digest) {
            let _ = fs::remove_file(path);
        }
    }

    /// Removes all bundles but those named.
    pub(super) fn prune(&self, kept: &[&str]) -> io::Result<()> {
        let kept: Vec<PathBuf> = kept
            .iter()
            .filter_map(|digest| bundle_path(&self.path, Place::Bundles, digest))
            .collect();
        for entry in fs::read_dir(self.path.join(Place::Bundles.folder()))? {
            let path = entry?.path();
            if !kept.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

impl Pointer {
    /// Whether it points at a bundle of what is configured now.
    pub(super) fn is_of(&self, source: &Source) -> bool {
        self.repository == source.repository()
            && self.reference == source.reference()
            && self.subdir == source.subdir()
    }
}

/// The commit of the bundle that a start without the source would serve with; a directory's bundle is
/// told by its digest. Nothing is locked and nothing changed.
///
/// # Errors
/// What the store says of it cannot be read.
pub fn last_good(directory: &Path) -> io::Result<Option<String>> {
    match read_small(&directory.join("active")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(text) => {
            let Pointer { commit, digest, .. } = serde_json::from_str(&text)?;
            Ok(Some(if commit.is_empty() { digest } else { commit }))
        }
    }
}

fn check_format(path: &Path) -> Result<(), DirectoryError> {
    let file = path.join("format");
    let io = |source| DirectoryError::Io { path: file.clone(), source };
    match read_small(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_atomically(&file, format!("{FORMAT}\n").as_bytes()).map_err(io)
        }
        Err(error) => Err(io(error)),
        Ok(found) if found.trim() == FORMAT.to_string() => Ok(()),
        Ok(found) => {
            let found = found.trim().escape_debug().take(20).collect();
            Err(DirectoryError::Format { path: path.to_path_buf(), found })
        }
    }
}

fn read_small(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_SMALL_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_and_is_closed_to_others() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join("a/store");
        let first = Directory::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let error = Directory::open(&path).unwrap_err();
        assert!(matches!(error, DirectoryError::InUse { .. }), "{error}");
        drop(first);
        Directory::open(&path).unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_by_name() {
        let state = tempfile::tempdir().unwrap();
        drop(Directory::open(state.path()).unwrap());
        fs::write(state.path().join("format"), "2\n").unwrap();
        let error = Directory::open(state.path()).unwrap_err().to_string();
        assert!(error.ends_with("has the format `2`, and this binary knows only `1`"), "{error}");
    }

    #[test]
    fn a_kept_candidate_is_pointed_at_and_older_ones_are_pruned() {
        let state = tempfile::tempdir().unwrap();
        let directory = Directory::open(state.path()).unwrap();
        assert_eq!(directory.pointer().unwrap(), None);
        let digests = [1, 2, 3].map(|number| format!("sha256:{number:064x}"));
        for digest in &digests {
            let candidate = bundle_path(directory.path(), Place::Candidates, digest).unwrap();
            write_atomically(&candidate, b"bytes").unwrap();
            let pointer = pointer(digest);
            directory.keep(&pointer).unwrap();
            assert_eq!(directory.pointer().unwrap(), Some(pointer));
            assert!(!candidate.exists());
        }
        directory.prune(&[&digests[2], &digests[1]]).unwrap();
        let left = |digest| bundle_path(directory.path(), Place::Bundles, digest).unwrap().exists();
        assert_eq!(digests.each_ref().map(|digest| left(digest)), [false, true, true]);
    }

    #[test]
    fn what_an_earlier_run_left_undone_is_removed() {
        let state = tempfile::tempdir().unwrap();
        drop(Directory::open(state.path()).unwrap());
        fs::write(state.path().join("candidates/half.tmp"), "half").unwrap();
        let directory = Directory::open(state.path()).unwrap();
        assert_eq!(fs::read_dir(directory.path().join("candidates")).unwrap().count(), 0);
    }

    #[test]
    fn a_pointer_to_another_repository_is_not_ours() {
        let source = |reference: &str| Source::Git {
            url: "https://git.example/p".to_owned(),
            reference: reference.to_owned(),
            subdir: String::new(),
            known_hosts: None,
            ssh_key: None,
            token_file: None,
        };
        assert!(pointer("x").is_of(&source("main")));
        assert!(!pointer("x").is_of(&source("next")));
    }

    fn pointer(digest: &str) -> Pointer {
        Pointer {
            digest: digest.to_owned(),
            commit: "c".to_owned(),
            repository: "https://git.example/p".to_owned(),
            reference: "main".to_owned(),
            subdir: String::new(),
        }
    }
}
