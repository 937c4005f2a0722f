//! What every handshake of one identity snapshot shares, whichever listener or upstream it is for.

use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::SpiffeId;
use rustls::pki_types::CertificateDer;
use rustls::sign::SingleCertAndKey;

use super::{Refused, Role, Trust, TrustError};
use crate::clock::Clock;
use crate::identity::Snapshot;

/// Our own SVID and whom we trust: immutable, made once per update. Connections keep the one that
/// they began with.
#[derive(Debug)]
pub struct Credentials {
    id: SpiffeId,
    not_before: Timestamp,
    not_after: Timestamp,
    trust: Arc<Trust>,
    pub(super) certificate: Arc<SingleCertAndKey>,
}

impl Credentials {
    /// Prepares a snapshot for handshakes; off the serving threads, once per update.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Arc<Self> {
        Arc::new(Self {
            id: snapshot.svid.id.clone(),
            not_before: snapshot.svid.not_before,
            not_after: snapshot.svid.not_after,
            trust: Arc::new(Trust::new(&snapshot.bundles, &snapshot.crls)),
            certificate: Arc::new(Arc::clone(&snapshot.svid.certified_key).into()),
        })
    }

    /// Our own identity.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Whom this snapshot trusts, for verifying a live connection's chain again.
    #[must_use]
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// Verifies the chain of a caller that has proven its key before, leaf first, under this snapshot;
    /// returns until when it holds.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify_again(
        &self,
        chain: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<Timestamp, TrustError> {
        let (leaf, intermediates) = chain.split_first().ok_or(TrustError::ChainLength(0))?;
        let verified = self.trust.verify(leaf, intermediates, Role::Client, now)?;
        Ok(verified.until)
    }

    /// Whether our own SVID may still be presented.
    pub(super) fn check_own(&self, clock: &Clock) -> Result<(), Refused> {
        clock.check_with(self.not_before).map_err(|suspect| Refused::clock_suspect(&suspect))?;
        if self.not_after <= clock.now() {
            return Err(Refused::own_svid_expired(self.not_after));
        }
        Ok(())
    }
}
