//! The state of the embedded trust domain: who may sign, who is who, whom it is federated with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portreeve_core::spiffe::TrustDomain;
use rustls::pki_types::CertificateDer;

use super::{Authority, AuthorityError, Entry, Fault, Issued, JwtAuthority};
use crate::clock::Clock;

/// What signs and what verifies, from one rotation of the authority to the next.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) x509: Arc<Authority>,
    pub(super) jwt: JwtAuthority,
}

/// One trust domain; every answer of the server is composed from it.
#[derive(Debug)]
pub(super) struct Domain {
    pub(super) trust_domain: TrustDomain,
    pub(super) clock: Clock,
    pub(super) ttl: Duration,
    /// It issues.
    pub(super) active: Generation,
    /// They issue no more and are still trusted.
    old: Vec<Generation>,
    pub(super) entries: Vec<(Entry, Issued)>,
    /// Concatenated DER, by the ID of the foreign trust domain.
    pub(super) federated: BTreeMap<String, Bytes>,
    /// JWK sets, by the ID of the foreign trust domain.
    pub(super) federated_jwt: BTreeMap<String, Bytes>,
    pub(super) fault: Fault,
    /// A stream ends when this is no longer what it was at its start.
    pub(super) streams: u64,
}

impl Generation {
    fn new(trust_domain: TrustDomain, clock: Clock) -> Result<Self, AuthorityError> {
        let x509 = Arc::new(Authority::new(trust_domain, clock)?);
        Ok(Self { x509, jwt: JwtAuthority::new()? })
    }
}

impl Domain {
    pub(super) fn new(
        trust_domain: TrustDomain,
        clock: Clock,
        ttl: Duration,
    ) -> Result<Self, AuthorityError> {
        let active = Generation::new(trust_domain.clone(), clock.clone())?;
        Ok(Self {
            trust_domain,
            clock,
            ttl,
            active,
            old: Vec::new(),
            entries: Vec::new(),
            federated: BTreeMap::new(),
            federated_jwt: BTreeMap::new(),
            fault: Fault::None,
            streams: 0,
        })
    }

    /// Issues the SVIDs of these entries, which replace all others.
    pub(super) fn register(&mut self, entries: Vec<Entry>) -> Result<(), AuthorityError> {
        let issue = |entry: Entry| {
            let issued = self.active.x509.issue(&entry.id, self.ttl)?;
            Ok((entry, issued))
        };
        self.entries = entries.into_iter().map(issue).collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Issues every SVID again, with a new key.
    pub(super) fn reissue(&mut self) -> Result<(), AuthorityError> {
        self.register(self.entries.iter().map(|(entry, _)| entry.clone()).collect())
    }

    /// Puts a new authority beside the present one and issues from it.
    pub(super) fn rotate(&mut self) -> Result<(), AuthorityError> {
        let new = Generation::new(self.trust_domain.clone(), self.clock.clone())?;
        self.old.push(std::mem::replace(&mut self.active, new));
        self.reissue()
    }

    /// Trusts only what the active authority signs.
    pub(super) fn retire(&mut self) {
        self.old.clear();
    }

    pub(super) fn roots(&self) -> impl Iterator<Item = &CertificateDer<'static>> {
        self.generations().map(|generation| generation.x509.root())
    }

    pub(super) fn jwt_authorities(&self) -> impl Iterator<Item = &JwtAuthority> {
        self.generations().map(|generation| &generation.jwt)
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.old.iter().chain(std::iter::once(&self.active))
    }
}
