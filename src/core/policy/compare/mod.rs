//! Two bundles compared by what they say, and by what they decide.
//!
//! A loaded [`Bundle`] becomes an [`Outline`]; of two outlines [`compare`] tells what was added,
//! removed and changed, where layout, comments and the order of files do not count. [`Samples`] of
//! peers and requests become a [`Matrix`] through the same `decide` as in the sidecar. All of it is
//! plain data that a confined process can send: nothing here loads or runs policy on its own.

mod pair;
mod lines;
mod tests_of;
mod samples;
mod derive;
mod matrix;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::{Bundle, Files, Findings};

pub use super::item::{Aspect, Item, ItemKind};
pub use lines::{Line, Step, steps};
pub use matrix::{Cell, MAX_CELLS, Matrix, matrix};
pub use pair::{Change, How, Place, compare};
pub use samples::{Sample, Samples, SamplesError};

/// Of all texts together: the list of items must fit a worker's answer.
const MAX_TEXT_BYTES: usize = 24 << 20;

/// All that a bundle says, one thing at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    pub items: Vec<Item>,
    /// What could not be read and so is not compared, in sentences.
    pub notes: Vec<String>,
}

/// Lists what a bundle says: manifest, policies, data and tests.
#[must_use]
pub fn outline(bundle: &Bundle, files: &Files) -> Outline {
    let mut outline = Outline::default();
    // What is wrong with the manifest was found when the bundle was loaded.
    outline.items.extend(Manifest::read(files, &mut Findings::default()).items(files));
    outline.items.extend(bundle.items(files));
    tests_of::add(files, &mut outline);
    outline.shorten();
    outline
}

impl Outline {
    /// Drops texts beyond the limit: the differences are found all the same, without their lines.
    fn shorten(&mut self) {
        let mut bytes = 0_usize;
        for item in &mut self.items {
            bytes = bytes.saturating_add(item.text.len());
            if bytes > MAX_TEXT_BYTES {
                item.text.clear();
            }
        }
        if bytes > MAX_TEXT_BYTES {
            let note = "the policies are too long to show all lines that differ";
            self.notes.push(note.to_owned());
        }
    }
}
