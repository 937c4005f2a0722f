//! What is wrong with the bundles of a snapshot, told once.

use portreeve_core::Timestamp;
use portreeve_core::record::printable;

use crate::tls::Trust;

/// What was told of the last snapshot: an SVID is renewed far more often than its bundles change.
#[derive(Default)]
pub(super) struct Faults {
    told: Vec<String>,
}

impl Faults {
    /// Tells what is new.
    pub(super) fn tell(&mut self, trust: &Trust, now: Timestamp) {
        let faults = in_words(trust, now);
        for fault in faults.iter().filter(|fault| !self.told.contains(*fault)) {
            tracing::warn!("{fault}");
        }
        self.told = faults;
    }
}

/// What an operator should mend in the bundles and the lists of revoked certificates.
pub(in crate::commands) fn in_words(trust: &Trust, now: Timestamp) -> Vec<String> {
    let roots = trust.unusable().iter().map(|root| {
        format!("a root of trust domain `{}` is not used: {}", root.trust_domain, root.error)
    });
    let shared = trust.shared_roots().iter().map(|root| {
        let domains: Vec<_> = root.trust_domains.iter().map(ToString::to_string).collect();
        format!(
            "the root with sha256 {} stands in the bundles of {}: whoever holds its key speaks for each",
            root.sha256,
            domains.join(", ")
        )
    });
    let crls = trust.unusable_crls().iter().map(|crl| {
        let issuer = crl.issuer.as_deref().unwrap_or("an issuer that cannot be read");
        format!(
            "a list of certificates revoked by {} does not count: {}",
            printable(issuer),
            crl.error
        )
    });
    let overdue = trust.overdue_crls(now).into_iter().map(|crl| {
        let issuer = printable(&crl.issuer).into_owned();
        let due = crl.next_update;
        format!("the list of certificates revoked by {issuer} was to be replaced by {due}; it still counts")
    });
    roots.chain(shared).chain(crls).chain(overdue).collect()
}
