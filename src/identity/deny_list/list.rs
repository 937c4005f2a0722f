//! Who is blocked: one immutable list.

use std::collections::{BTreeMap, HashMap};

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use serde::{Deserialize, Serialize};

use super::DenyListError;

/// An operator blocks by hand. What needs more entries is a matter for policy or for the issuer.
pub const MAX_ENTRIES: usize = 10_000;
/// One sentence.
pub const MAX_REASON_BYTES: usize = 512;

/// Who is blocked, from one change to the next.
#[derive(Debug, Default)]
pub struct DenyList {
    ids: HashMap<SpiffeId, Denial>,
    trust_domains: HashMap<TrustDomain, Denial>,
}

/// One entry, as it is told and as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// A SPIFFE ID, or `spiffe://td` for all of a trust domain.
    pub spiffe_id: String,
    pub reason: String,
    pub since: Timestamp,
    /// `None`: until it is lifted.
    pub until: Option<Timestamp>,
}

impl DenyList {
    /// The entry that blocks a peer now, if any: that of its ID before that of its trust domain.
    #[must_use]
    pub fn denies(&self, id: &SpiffeId, now: Timestamp) -> Option<&Denial> {
        let in_force = |denial: &&Denial| denial.until.is_none_or(|until| now < until);
        let by_id = || self.ids.get(id).filter(in_force);
        let by_domain = || self.trust_domains.get(id.trust_domain()).filter(in_force);
        if self.is_empty() { None } else { by_id().or_else(by_domain) }
    }

    /// Every entry, by ID.
    #[must_use]
    pub fn entries(&self) -> Vec<Denial> {
        let sorted: BTreeMap<_, _> =
            self.all().map(|denial| (denial.spiffe_id.as_str(), denial)).collect();
        sorted.into_values().cloned().collect()
    }

    /// Every entry, in no order.
    pub(super) fn all(&self) -> impl Iterator<Item = &Denial> {
        self.ids.values().chain(self.trust_domains.values())
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() + self.trust_domains.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.trust_domains.is_empty()
    }

    pub(super) fn of(entries: impl IntoIterator<Item = Denial>) -> Result<Self, DenyListError> {
        let mut list = Self::default();
        for denial in entries {
            let invalid = |text: String| DenyListError::Entry { text };
            let id = SpiffeId::parse(&denial.spiffe_id)
                .map_err(|error| invalid(format!("`{}`: {error}", denial.spiffe_id)))?;
            let reason = &denial.reason;
            if reason.trim().is_empty() || reason.len() > MAX_REASON_BYTES {
                let text = format!("`{id}`: the reason has 1 to {MAX_REASON_BYTES} bytes");
                return Err(invalid(text));
            }
            if id.path().is_empty() {
                list.trust_domains.insert(id.trust_domain().clone(), denial);
            } else {
                list.ids.insert(id, denial);
            }
        }
        if list.len() > MAX_ENTRIES { Err(DenyListError::Full) } else { Ok(list) }
    }
}
