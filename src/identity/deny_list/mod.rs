//! The local deny-list: whom an operator has blocked here, whatever their trust domain says of them.
//!
//! It stands in a file of the state directory, so that it outlives a restart, and in memory as an
//! immutable [`DenyList`] that handshakes and requests read without a lock. A file that cannot be
//! read stops the start: who is blocked would not be known.

mod file;
mod list;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

pub use file::DenyListFile;
pub use list::{Denial, DenyList, MAX_ENTRIES, MAX_REASON_BYTES};

/// The form of the file; another one is of another version of the program.
const VERSION: u32 = 1;

/// Why the deny-list could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DenyListError {
    #[error(
        "the deny-list `{}` cannot be read, so who is blocked is not known: repair it, or move it \
         away to start with nobody blocked", path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error(
        "the deny-list `{}` is not understood, so who is blocked is not known: repair it, or move \
         it away to start with nobody blocked", path.display()
    )]
    Form { path: PathBuf, source: serde_json::Error },
    #[error(
        "the deny-list `{}` has version {found} and this program reads version {VERSION}: use the \
         newer program", path.display()
    )]
    Version { path: PathBuf, found: u32 },
    #[error("the deny-list has an entry that cannot be: {text}")]
    Entry { text: String },
    #[error("the deny-list is full: it holds {MAX_ENTRIES} entries")]
    Full,
    #[error("the deny-list `{}` cannot be written", path.display())]
    Write { path: PathBuf, source: io::Error },
}
