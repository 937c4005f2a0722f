//! The files of a bundle as one value with one byte form and one digest, wherever they came from.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

const MAGIC: &[u8] = b"portreeve-bundle-1\n";
/// A policy repository is text written by people; this is far above any seen.
const MAX_FILES: usize = 20_000;
const MAX_FILE_BYTES: usize = 16 << 20;
const MAX_TOTAL_BYTES: usize = 64 << 20;
const MAX_PATH_BYTES: usize = 512;

/// Paths (relative, `/`-separated) to contents, sorted, so that equal trees have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    files: BTreeMap<String, Vec<u8>>,
    total_bytes: usize,
}

/// Why a file, or a byte form, is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilesError {
    #[error("path `{0}` is not a plain relative path")]
    Path(String),
    #[error("paths `{0}` and `{1}` differ only in case")]
    Case(String, String),
    #[error("more than {MAX_FILES} files")]
    TooMany,
    #[error("file `{0}` is larger than {MAX_FILE_BYTES} bytes")]
    FileBytes(String),
    #[error("the files together are larger than {MAX_TOTAL_BYTES} bytes")]
    TotalBytes,
    #[error("the bytes are not a bundle of this format")]
    Format,
}

impl Files {
    /// Says whether a file of this size could be added now, before its content is read.
    ///
    /// # Errors
    /// The path leaves the bundle; a limit would be exceeded.
    pub fn check(&self, path: &str, bytes: usize) -> Result<(), FilesError> {
        check_path(path)?;
        if self.files.len() >= MAX_FILES {
            return Err(FilesError::TooMany);
        }
        if bytes > MAX_FILE_BYTES {
            return Err(FilesError::FileBytes(path.to_owned()));
        }
        if self.total_bytes.saturating_add(bytes) > MAX_TOTAL_BYTES {
            return Err(FilesError::TotalBytes);
        }
        Ok(())
    }

    /// Adds one file.
    ///
    /// # Errors
    /// The path leaves the bundle or clashes with another; a limit is exceeded.
    pub fn insert(&mut self, path: &str, content: Vec<u8>) -> Result<(), FilesError> {
        self.check(path, content.len())?;
        self.total_bytes = self.total_bytes.saturating_add(content.len());
        match self.files.insert(path.to_owned(), content) {
            None => Ok(()),
            Some(_) => Err(FilesError::Case(path.to_owned(), path.to_owned())),
        }
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.files.get(path).map(Vec::as_slice)
    }

    /// In the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice()))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The byte form: magic, then for each file in order the lengths (u32, big endian) and bytes of
    /// path and content.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.total_bytes + MAGIC.len() + self.len() * 64);
        bytes.extend_from_slice(MAGIC);
        for (path, content) in &self.files {
            for part in [path.as_bytes(), content] {
                let length = u32::try_from(part.len()).unwrap_or(u32::MAX); // bounded by insert
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(part);
            }
        }
        bytes
    }

    /// Reads the byte form back; only what [`Self::to_bytes`] writes is accepted.
    ///
    /// # Errors
    /// The bytes are cut, out of order, or hold what [`Self::insert`] refuses.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, FilesError> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(FilesError::Format)?;
        let mut files = Self::default();
        while !rest.is_empty() {
            let path = take(&mut rest)?;
            let path = std::str::from_utf8(path).map_err(|_| FilesError::Format)?;
            let is_next = files.files.last_key_value().is_none_or(|(last, _)| last.as_str() < path);
            if !is_next {
                return Err(FilesError::Format);
            }
            let content = take(&mut rest)?.to_vec();
            files.insert(path, content)?;
        }
        Ok(files)
    }

    /// `sha256:` and the lower-case hex of the byte form's hash.
    #[must_use]
    pub fn digest(&self) -> String {
        digest_of(&self.to_bytes())
    }

    /// Case-insensitive file systems and people would take one for the other.
    ///
    /// # Errors
    /// Two paths differ only in case.
    pub fn check_case(&self) -> Result<(), FilesError> {
        let mut seen = BTreeMap::new();
        for path in self.files.keys() {
            if let Some(other) = seen.insert(path.to_lowercase(), path) {
                return Err(FilesError::Case(other.clone(), path.clone()));
            }
        }
        Ok(())
    }
}

/// The digest of a byte form that is at hand already.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn take<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], FilesError> {
    let (length, tail) = rest.split_first_chunk::<4>().ok_or(FilesError::Format)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| FilesError::Format)?;
    let (part, tail) = tail.split_at_checked(length).ok_or(FilesError::Format)?;
    *rest = tail;
    Ok(part)
}

fn check_path(path: &str) -> Result<(), FilesError> {
    let is_plain = !path.is_empty()
        && path.len() <= MAX_PATH_BYTES
        && !path.chars().any(|c| c.is_control() || c == '\\')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if is_plain { Ok(()) } else { Err(FilesError::Path(path.escape_debug().to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_form_comes_back_and_names_its_tree() {
        let mut files = Files::default();
        files.insert("b/policy.cedar", b"permit(principal,action,resource);".to_vec()).unwrap();
        files.insert("a.rego", b"package a".to_vec()).unwrap();
        let bytes = files.to_bytes();
        assert_eq!(Files::from_bytes(&bytes).unwrap(), files);
        assert_eq!(files.digest(), digest_of(&bytes));
        for cut in 1..bytes.len() {
            let back = Files::from_bytes(&bytes[..cut]);
            assert!(back.is_err() || back.unwrap().digest() != files.digest(), "cut at {cut}");
        }
    }

    #[test]
    fn a_path_that_leaves_the_bundle_is_refused() {
        for path in ["", "/a", "../a", "a/../b", "a//b", "a/", "a\\b", "a\0", "./a"] {
            let mut files = Files::default();
            assert!(matches!(files.insert(path, vec![]), Err(FilesError::Path(_))), "{path:?}");
        }
    }

    #[test]
    fn paths_that_differ_in_case_are_refused() {
        let mut files = Files::default();
        files.insert("a.rego", vec![]).unwrap();
        files.insert("A.rego", vec![]).unwrap();
        assert!(files.check_case().is_err());
    }
}
