//! What a snapshot trusts: the roots of each trust domain, and the verification of a chain.
//!
//! A chain is verified under the bundle of the trust domain that its leaf's ID names and under no
//! other (Workload API §4.6, Federation §4.2): domain A's CA can never speak for domain B.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{Claimed, IssuerError, Leaf, Links, TrustDomain};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::bundle::{Bundle, Presented};
use super::error::TrustError;
use super::revocation::{OverdueCrl, Revocation, UnusableCrl};

/// webpki follows six intermediates; more would only feed path building, which is factorial in them.
pub(super) const MAX_CHAIN_CERTIFICATES: usize = 7;
/// A chain of seven takes about 10 KiB; what is read before anything is proven is bounded.
pub(super) const MAX_CHAIN_BYTES: usize = 32 << 10;

/// Intermediates of one name could each have issued each other. A CA that is renewed and cross-signed
/// has three; of six, path building would try hundreds of orders.
const MAX_NAMESAKES: usize = 4;

/// The roots of every trust domain that a snapshot knows, ready to verify with. Built once per
/// snapshot, off the serving path; nothing in it changes, so nothing locks.
pub struct Trust {
    domains: HashMap<TrustDomain, Bundle>,
    revocation: Revocation,
    unusable: Vec<UnusableRoot>,
    unusable_crls: Vec<UnusableCrl>,
    shared: Vec<SharedRoot>,
}

/// A root that a bundle holds and that can sign nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableRoot {
    pub trust_domain: TrustDomain,
    pub error: IssuerError,
}

/// One key that stands in the bundles of several trust domains: whoever holds it speaks for each of
/// them (Trust Domain and Bundle §6.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedRoot {
    /// SHA-256 of the certificate in the first of the bundles, lower-case hex.
    pub sha256: String,
    pub trust_domains: Vec<TrustDomain>,
}

/// A chain that holds, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub leaf: Leaf,
    /// The earliest end of the certificates of the path, its root among them.
    pub until: Timestamp,
}

/// Which end of a connection the certificate is for; only intermediates' extendedKeyUsage differs,
/// since a leaf must be fit for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Client,
    Server,
}

impl Trust {
    /// Prepares bundles and lists of revoked certificates. What is wrong with one of them never
    /// keeps the others from being used.
    #[must_use]
    pub fn new(
        bundles: &BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
        crls: &[CertificateRevocationListDer<'_>],
    ) -> Self {
        let mut domains = HashMap::with_capacity(bundles.len());
        let mut unusable = Vec::new();
        for (trust_domain, roots) in bundles {
            let mut bundle = Bundle::default();
            for root in roots {
                if let Err(error) = bundle.add(root) {
                    unusable.push(UnusableRoot { trust_domain: trust_domain.clone(), error });
                }
            }
            domains.insert(trust_domain.clone(), bundle);
        }
        let (revocation, unusable_crls) = Revocation::new(crls, |name| {
            domains.values().flat_map(|bundle| bundle.signers(name)).collect()
        });
        let shared = shared_roots(bundles.keys(), &domains);
        Self { domains, revocation, unusable, unusable_crls, shared }
    }

    /// The roots that can sign nothing, for the operator to hear of.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableRoot] {
        &self.unusable
    }

    /// The lists of revoked certificates that do not count.
    #[must_use]
    pub fn unusable_crls(&self) -> &[UnusableCrl] {
        &self.unusable_crls
    }

    /// The lists whose next one should have come by now; they still revoke what they list.
    #[must_use]
    pub fn overdue_crls(&self, now: Timestamp) -> Vec<OverdueCrl> {
        self.revocation.overdue(now)
    }

    /// The roots that speak for more than one trust domain.
    #[must_use]
    pub fn shared_roots(&self) -> &[SharedRoot] {
        &self.shared
    }

    /// Verifies a chain, leaf first, at a moment: the leaf's own rules, then the bundle of its trust
    /// domain, then validity, signatures and every issuer's right to sign. Proof that the peer holds
    /// the leaf's key is the handshake's part.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        now: Timestamp,
    ) -> Result<Verified, TrustError> {
        check_size(leaf, intermediates)?;
        let read = Leaf::read(leaf)?;
        let bundle = self.bundle(read.id.trust_domain())?;
        check_validity(&read, now)?;
        let revocation = &self.revocation;
        let presented = Presented { leaf, intermediates, role, now, revocation };
        let path_until = bundle.verify_path(&presented)?;
        Ok(Verified { until: path_until.min(read.facts.not_after), leaf: read })
    }

    /// Verifies a path alone, under the bundle of a trust domain that the caller names and without
    /// the rules of SVIDs: for suites of cases whose leaves are none. Returns the earliest end of the
    /// issuers.
    pub(crate) fn verify_path(
        &self,
        trust_domain: &TrustDomain,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        now: Timestamp,
    ) -> Result<Timestamp, TrustError> {
        check_size(leaf, intermediates)?;
        let revocation = &self.revocation;
        let presented = Presented { leaf, intermediates, role, now, revocation };
        self.bundle(trust_domain)?.verify_path(&presented)
    }

    fn bundle(&self, trust_domain: &TrustDomain) -> Result<&Bundle, TrustError> {
        let bundle = self.domains.get(trust_domain);
        bundle
            .filter(|bundle| !bundle.anchors.is_empty())
            .ok_or_else(|| TrustError::NoBundle(trust_domain.clone()))
    }
}

/// The keys that more than one bundle holds, in the order of the first of their trust domains.
fn shared_roots<'a>(
    names: impl Iterator<Item = &'a TrustDomain>,
    domains: &HashMap<TrustDomain, Bundle>,
) -> Vec<SharedRoot> {
    let mut seen: HashMap<&[u8], (&[u8], Vec<&TrustDomain>)> = HashMap::new();
    let mut shared = Vec::new();
    for name in names {
        let Some(bundle) = domains.get(name) else { continue };
        for (anchor, root) in bundle.anchors.iter().zip(&bundle.roots) {
            let key = anchor.subject_public_key_info.as_ref();
            let (_, holders) = seen.entry(key).or_insert_with(|| (&root.der, Vec::new()));
            if holders.last() != Some(&name) {
                holders.push(name);
                if holders.len() == 2 {
                    shared.push(key);
                }
            }
        }
    }
    let shared = shared.into_iter().filter_map(|key| seen.get(key));
    let shared = shared.map(|(der, holders)| SharedRoot {
        sha256: Claimed::read(der).sha256,
        trust_domains: holders.iter().copied().cloned().collect(),
    });
    shared.collect()
}

fn check_size(
    leaf: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Result<(), TrustError> {
    let certificates = 1 + intermediates.len();
    if certificates > MAX_CHAIN_CERTIFICATES {
        return Err(TrustError::ChainLength(certificates));
    }
    let bytes = intermediates.iter().fold(leaf.len(), |sum, next| sum.saturating_add(next.len()));
    if bytes > MAX_CHAIN_BYTES {
        return Err(TrustError::ChainBytes(bytes));
    }
    if intermediates.len() > MAX_NAMESAKES {
        check_namesakes(intermediates)?;
    }
    Ok(())
}

fn check_namesakes(intermediates: &[CertificateDer<'_>]) -> Result<(), TrustError> {
    let links: Vec<_> = intermediates.iter().filter_map(|der| Links::read(der)).collect();
    let namesakes = |name: &[u8]| links.iter().filter(|links| links.subject == name).count();
    if links.iter().any(|links| namesakes(links.subject) > MAX_NAMESAKES) {
        return Err(TrustError::PathBudget);
    }
    Ok(())
}

/// X.509 times are whole seconds and both ends are valid moments (RFC 5280 §4.1.2.5).
fn check_validity(leaf: &Leaf, now: Timestamp) -> Result<(), TrustError> {
    let seconds = now.unix_seconds();
    let (first, last) = (leaf.facts.not_before.unix_seconds(), leaf.facts.not_after.unix_seconds());
    if first > last {
        return Err(TrustError::Validity);
    }
    if seconds > last {
        let since = seconds.saturating_sub(last);
        return Err(TrustError::Expired { not_after: leaf.facts.not_after, seconds: since });
    }
    if seconds < first {
        let until = first.saturating_sub(seconds);
        return Err(TrustError::NotYetValid { not_before: leaf.facts.not_before, seconds: until });
    }
    Ok(())
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots = self.domains.iter().map(|(name, bundle)| (name, bundle.anchors.len()));
        f.debug_map().entries(roots).finish()
    }
}
