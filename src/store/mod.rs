//! The git-synced policy store: which bundle is active, and how the next one becomes it.

use std::path::PathBuf;
use std::time::Duration;

/// Where policy comes from and how often it is looked for.
#[derive(Clone, Debug)]
pub struct Settings {
    pub source: Source,
    pub interval: Duration,
    /// The mirror and the activated bundles; under `state_dir`.
    pub directory: PathBuf,
}

pub use crate::loader::Source;
