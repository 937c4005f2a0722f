//! Our own SVID and the trust bundles, kept fresh from a source.

use std::path::PathBuf;

/// Where identity comes from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub source: Source,
    /// Which SVID to serve when the source issues several: by hint or by SPIFFE ID; the first if `None`.
    pub pick: Option<Pick>,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// The SPIFFE Workload API on a Unix socket.
    WorkloadApi { socket: PathBuf },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    Hint(String),
    SpiffeId(portreeve_core::spiffe::SpiffeId),
}
