//! The sections of a PEM file, each with the line that it begins on.

use std::path::Path;

use rustls::pki_types::pem::{Error, SectionKind, SliceIter};

use super::FileError;

/// One `BEGIN` … `END`.
pub(super) struct Section {
    pub(super) kind: SectionKind,
    pub(super) der: Vec<u8>,
    pub(super) line: usize,
}

/// The label of a key that needs a password.
const ENCRYPTED: &[u8] = b"BEGIN ENCRYPTED PRIVATE KEY";

/// All sections of the kinds that are known; text between them is skipped, as RFC 7468 §2 has it.
pub(super) fn sections(path: &Path, bytes: &[u8]) -> Result<Vec<Section>, FileError> {
    let mut found = Vec::new();
    let mut sections = SliceIter::<(SectionKind, Vec<u8>)>::new(bytes);
    let mut rest = bytes;
    while let Some(section) = sections.next() {
        let line = line_at(bytes, begin(bytes, rest));
        let (kind, der) = section.map_err(|error| FileError::Pem {
            path: path.to_owned(),
            line,
            reason: in_words(&error).to_owned(),
        })?;
        found.push(Section { kind, der, line });
        rest = sections.remainder();
    }
    Ok(found)
}

/// The line of an encrypted key, where there is one.
pub(super) fn encrypted(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(ENCRYPTED.len()).position(|window| window == ENCRYPTED)?;
    Some(line_at(bytes, at))
}

/// Where the next section after those that were read begins.
fn begin(bytes: &[u8], rest: &[u8]) -> usize {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let read = bytes.len().saturating_sub(rest.len());
    let next = rest.windows(BEGIN.len()).position(|window| window == BEGIN);
    read.saturating_add(next.unwrap_or_default())
}

fn line_at(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|byte| **byte == b'\n').count().saturating_add(1)
}

/// The bytes that are wrong may be a key's: they are not repeated.
const fn in_words(error: &Error) -> &'static str {
    match error {
        Error::MissingSectionEnd { .. } => "the section has no `END` line",
        Error::IllegalSectionStart { .. } => "the `BEGIN` line is not whole",
        Error::Base64Decode(_) => "the section is not base64",
        Error::SectionTooLarge => "the section is too large",
        _ => "it cannot be read",
    }
}
