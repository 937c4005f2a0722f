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

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Git {
        /// `https://`, `ssh://`, `file://` or an absolute path.
        url: String,
        /// A branch, tag or full commit id.
        reference: String,
        /// The bundle's root inside the repository; empty for the whole.
        subdir: String,
        /// Required for ssh.
        known_hosts: Option<PathBuf>,
        ssh_key: Option<PathBuf>,
        /// Read at every fetch; sent as a bearer-style password over https.
        token_file: Option<PathBuf>,
    },
    /// A directory, read whole at every interval: for development.
    Dir(PathBuf),
}
