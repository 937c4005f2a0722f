//! What a snapshot trusts: the roots of each trust domain, and the verification of a chain.
//!
//! A chain is verified under the bundle of the trust domain that its leaf's ID names and under no
//! other (Workload API §4.6, Federation §4.2): domain A's CA can never speak for domain B.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{Issuer, IssuerError, Leaf, TrustDomain};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use super::error::TrustError;
use super::provider;

/// webpki follows six intermediates; more would only feed path building, which is factorial in them.
pub(super) const MAX_CHAIN_CERTIFICATES: usize = 7;
/// A chain of seven takes about 10 KiB; what is read before anything is proven is bounded.
pub(super) const MAX_CHAIN_BYTES: usize = 32 << 10;

/// The roots of every trust domain that a snapshot knows, ready to verify with. Built once per
/// snapshot, off the serving path; nothing in it changes, so nothing locks.
pub struct Trust {
    domains: HashMap<TrustDomain, Bundle>,
    unusable: Vec<UnusableRoot>,
}

/// A root that a bundle holds and that can sign nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableRoot {
    pub trust_domain: TrustDomain,
    pub error: IssuerError,
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

/// One trust domain's roots: what webpki reads of them and, at the same index, what it does not.
#[derive(Default)]
struct Bundle {
    anchors: Vec<TrustAnchor<'static>>,
    issuers: Vec<Issuer>,
}

impl Trust {
    #[must_use]
    pub fn new(bundles: &BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>) -> Self {
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
        Self { domains, unusable }
    }

    /// The roots that were left out, for the operator to hear of.
    #[must_use]
    pub fn unusable(&self) -> &[UnusableRoot] {
        &self.unusable
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
        let bundle = self
            .domains
            .get(read.id.trust_domain())
            .filter(|bundle| !bundle.anchors.is_empty())
            .ok_or_else(|| TrustError::NoBundle(read.id.trust_domain().clone()))?;
        check_validity(&read, now)?;
        let path_until = bundle.verify_path(leaf, intermediates, role, now)?;
        Ok(Verified { until: path_until.min(read.facts.not_after), leaf: read })
    }
}

impl Bundle {
    fn add(&mut self, root: &CertificateDer<'static>) -> Result<(), IssuerError> {
        let issuer = Issuer::read(root)?;
        let anchor = webpki::anchor_from_trusted_cert(root).map_err(|_| IssuerError::Malformed)?;
        self.anchors.push(anchor.to_owned());
        self.issuers.push(issuer);
        Ok(())
    }

    /// The earliest end of the path's issuers.
    fn verify_path(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        now: Timestamp,
    ) -> Result<Timestamp, TrustError> {
        let end_entity = EndEntityCert::try_from(leaf).map_err(TrustError::of_leaf)?;
        // A path that holds but for one of our own checks explains more than webpki's last attempt.
        let (refused, until) = (Cell::new(None), Cell::new(None));
        let check = |path: &VerifiedPath<'_>| {
            let checked = self.check_path(path, now).map_err(|error| {
                refused.set(Some(error));
                webpki::Error::UnknownIssuer
            })?;
            until.set(Some(checked));
            Ok(())
        };
        let usage = match role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        end_entity
            .verify_for_usage(
                provider::signature_algorithms().all,
                &self.anchors,
                intermediates,
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
                usage,
                None,
                Some(&check),
            )
            .map_err(|error| refused.take().unwrap_or_else(|| TrustError::of_path(error)))?;
        until.get().ok_or(TrustError::UnknownIssuer)
    }

    /// What webpki does not look at: the root's own validity and path length, and keyUsage. Returns
    /// the earliest end of the issuers.
    fn check_path(&self, path: &VerifiedPath<'_>, now: Timestamp) -> Result<Timestamp, TrustError> {
        let mut intermediates = 0_u32;
        let mut until = None::<Timestamp>;
        for certificate in path.intermediate_certificates() {
            let issuer = Issuer::read(&certificate.der())?;
            if !issuer.has_key_usage {
                return Err(IssuerError::KeyUsage.into());
            }
            until = Some(until.map_or(issuer.not_after, |until| until.min(issuer.not_after)));
            intermediates += 1;
        }
        let index = self.anchors.iter().position(|anchor| std::ptr::eq(anchor, path.anchor()));
        let root = index.and_then(|index| self.issuers.get(index));
        let root = root.ok_or(TrustError::UnknownIssuer)?;
        if now.unix_seconds() > root.not_after.unix_seconds() {
            return Err(TrustError::RootExpired(root.not_after));
        }
        if now < root.not_before {
            return Err(TrustError::RootNotYetValid(root.not_before));
        }
        if root.path_length.is_some_and(|most| intermediates > most) {
            return Err(TrustError::PathLength);
        }
        Ok(until.map_or(root.not_after, |until| until.min(root.not_after)))
    }
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
