//! Our own SVID and the trust bundles, kept fresh from a source.
//!
//! A source (the SPIFFE Workload API) enters; immutable [`Snapshot`]s leave, one per update, through
//! an [`Identity`] handle. The last good snapshot is kept while the source is away, until its SVID
//! expires; a withdrawn one is dropped at once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio::sync::watch;

use crate::clock::Clock;

pub mod deny_list;
pub mod endpoint;
mod failure;
pub mod jwt_bundles;
pub(crate) mod proto;
mod publish;
mod stream;
mod svid;
pub(crate) mod update;
pub mod workload_api;

pub use deny_list::{Denial, DenyList, DenyListError, DenyListFile};
pub use endpoint::{EndpointError, endpoint_path};
pub use failure::Failure;
pub use svid::{MaterialError, NotCertificates};
pub use update::UpdateError;

/// Where identity comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub source: Source,
    /// Which SVID to serve when the source issues several: by hint or by SPIFFE ID; the first if `None`.
    pub pick: Option<Pick>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The SPIFFE Workload API on a Unix socket.
    WorkloadApi { socket: PathBuf },
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
}

impl Unavailable {
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "identity.unavailable",
            Self::Expired(_) => "identity.expired",
            Self::Withdrawn(_) => "identity.withdrawn",
        }
    }
}

/// A handle on the identity; clones see the same updates.
#[derive(Clone, Debug)]
pub struct Identity {
    state: watch::Receiver<State>,
    clock: Clock,
}

impl Identity {
    #[must_use]
    pub fn new(state: watch::Receiver<State>, clock: Clock) -> Self {
        Self { state, clock }
    }

    /// The snapshot to serve with now.
    ///
    /// # Errors
    /// There is none, it has expired, or it was withdrawn.
    pub fn current(&self) -> Result<Arc<Snapshot>, Unavailable> {
        match &*self.state.borrow() {
            State::Waiting { reason } => Err(Unavailable::Waiting(reason.clone())),
            State::Withdrawn { reason } => Err(Unavailable::Withdrawn(reason.clone())),
            State::Ready(snapshot) if snapshot.svid.not_after <= self.clock.now() => {
                Err(Unavailable::Expired(snapshot.svid.not_after))
            }
            State::Ready(snapshot) => Ok(Arc::clone(snapshot)),
        }
    }

    /// A receiver that wakes at every update.
    #[must_use]
    pub fn updates(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}
