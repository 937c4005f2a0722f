//! Our own SVID and the trust bundles, kept fresh from a source.
//!
//! A source (the SPIFFE Workload API, or files) enters; immutable [`Snapshot`]s leave, one per update,
//! through an [`Identity`] handle, and beside them how the source does. The last good snapshot is kept
//! while the source is away or gives what cannot be used, until its SVID expires; a withdrawn one is
//! dropped at once, or after a grace where the settings give one. Nothing here falls back.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::sync::watch;

use crate::clock::{Clock, ClockSuspect};

pub mod deny_list;
pub mod endpoint;
mod failure;
pub mod jwt_bundles;
pub(crate) mod proto;
mod stream;
mod svid;
pub(crate) mod update;
mod source;
mod publish;
mod offers;
pub mod workload_api;
pub mod files;
mod health;

pub use deny_list::{Denial, DenyList, DenyListError, DenyListFile};
pub use endpoint::{EndpointError, endpoint_path};
pub use failure::Failure;
pub use files::{FileError, FileSettings};
pub use health::Health;
pub use source::{ServedBy, SourceStatus, Trouble, UnusableBundle};
pub use svid::{MaterialError, NotCertificates};
pub use update::UpdateError;

/// Where identity comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub source: Source,
    /// Which SVID to serve when the source issues several: by hint or by SPIFFE ID; the first if `None`.
    pub pick: Option<Pick>,
    /// How long an SVID that was taken back is still served with; at most [`MAX_WITHDRAWAL_GRACE`].
    pub withdrawal_grace: Duration,
}

/// Longer would be no grace but a revocation that is ignored.
pub const MAX_WITHDRAWAL_GRACE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The SPIFFE Workload API on a Unix socket.
    WorkloadApi { socket: PathBuf },
    /// Files that somebody else keeps fresh.
    Files(FileSettings),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    Hint(String),
    SpiffeId(SpiffeId),
}

/// One update of the source, whole: nothing in it changes.
#[derive(Debug)]
pub struct Snapshot {
    /// Counts updates from 1.
    pub sequence: u64,
    pub svid: Svid,
    /// The roots (DER) that a trust domain's SVIDs must chain to. An empty list trusts nothing.
    pub bundles: BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
    /// Revocation lists (DER), of whichever issuers.
    pub crls: Vec<CertificateRevocationListDer<'static>>,
    /// When it was received.
    pub received: Timestamp,
}

/// Our own X.509-SVID with its key.
#[derive(Debug)]
pub struct Svid {
    pub id: SpiffeId,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// Chain and key as rustls presents them.
    pub certified_key: Arc<rustls::sign::CertifiedKey>,
}

/// What the source has given so far.
#[derive(Clone, Debug)]
pub enum State {
    /// Nothing yet; the reason says what was last tried, in words.
    Waiting {
        reason: String,
    },
    Ready(Arc<Snapshot>),
    /// The source took the identity back (`PermissionDenied` on an open stream).
    Withdrawn {
        reason: String,
    },
}

/// Why there is no identity to serve with; the stable code is in [`Unavailable::reason`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    #[error("no SVID yet: {0}")]
    Waiting(String),
    #[error("our SVID expired at {0}")]
    Expired(Timestamp),
    #[error("our SVID was withdrawn: {0}")]
    Withdrawn(String),
    #[error(transparent)]
    Clock(#[from] ClockSuspect),
}

/// In words.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkloadApi { socket } => write!(f, "Workload API at `{}`", socket.display()),
            Self::Files(files) => write!(f, "files: `{}`", files.certificate.display()),
        }
    }
}

impl Settings {
    /// The first SVID of a source, and no grace for one that was taken back.
    #[must_use]
    pub const fn new(source: Source) -> Self {
        Self { source, pick: None, withdrawal_grace: Duration::ZERO }
    }
}

impl Unavailable {
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "identity.unavailable",
            Self::Expired(_) => "identity.expired",
            Self::Withdrawn(_) => "identity.withdrawn",
            Self::Clock(_) => ClockSuspect::REASON,
        }
    }
}

/// A handle on the identity; clones see the same updates.
#[derive(Clone, Debug)]
pub struct Identity {
    state: watch::Receiver<State>,
    source: watch::Receiver<SourceStatus>,
    clock: Clock,
}

/// Starts the task that follows the source; it ends when the last [`Identity`] of it is dropped.
#[must_use]
pub fn spawn(settings: &Settings, clock: Clock) -> Identity {
    match &settings.source {
        Source::WorkloadApi { socket } => workload_api::spawn(socket, settings, clock),
        Source::Files(files) => files::spawn(files, settings, clock),
    }
}

impl Identity {
    #[must_use]
    pub fn new(
        state: watch::Receiver<State>,
        source: watch::Receiver<SourceStatus>,
        clock: Clock,
    ) -> Self {
        Self { state, source, clock }
    }

    /// The snapshot to serve with now.
    ///
    /// # Errors
    /// There is none, it has expired, it was withdrawn, or the clock cannot be right.
    pub fn current(&self) -> Result<Arc<Snapshot>, Unavailable> {
        self.clock.check()?;
        match &*self.state.borrow() {
            State::Waiting { reason } => Err(Unavailable::Waiting(reason.clone())),
            State::Withdrawn { reason } => Err(Unavailable::Withdrawn(reason.clone())),
            State::Ready(snapshot) if snapshot.svid.not_after <= self.clock.now() => {
                Err(Unavailable::Expired(snapshot.svid.not_after))
            }
            State::Ready(snapshot) => {
                self.clock.check_with(snapshot.svid.not_before)?;
                Ok(Arc::clone(snapshot))
            }
        }
    }

    /// The newest snapshot, whether it may be served with or not.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Snapshot>> {
        match &*self.state.borrow() {
            State::Ready(snapshot) => Some(Arc::clone(snapshot)),
            State::Waiting { .. } | State::Withdrawn { .. } => None,
        }
    }

    /// A receiver that wakes at every update.
    #[must_use]
    pub fn updates(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// How the source does.
    #[must_use]
    pub fn source(&self) -> SourceStatus {
        self.source.borrow().clone()
    }

    /// A receiver that wakes whenever the source does otherwise than before.
    #[must_use]
    pub fn source_updates(&self) -> watch::Receiver<SourceStatus> {
        self.source.clone()
    }
}
