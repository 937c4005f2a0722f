//! Why no path held, where path validation says less than could be known: read on refusals only.

use portreeve_core::spiffe::{IssuerError, Links};
use x509_parser::asn1_rs::Tag;

use super::bundle::{Bundle, Presented};
use super::error::TrustError;
use super::revocation::element;

impl Bundle {
    /// Names the rule behind a failure of the path: an issuer's weak key is seen by path validation
    /// as a bad signature, an issuer of the same name as one too, and every constraint of names alike.
    pub(super) fn explain(&self, error: TrustError, presented: &Presented<'_>) -> TrustError {
        let is_signature = matches!(error, TrustError::BadSignature | TrustError::Algorithm);
        if !is_signature && error != TrustError::NameConstraints {
            return error;
        }
        let chain: Vec<Links<'_>> = [presented.leaf]
            .into_iter()
            .chain(presented.intermediates)
            .filter_map(|der| Links::read(der))
            .collect();
        let named = |subject: &[u8]| chain.iter().any(|links| links.issuer == subject);
        // A bundle may hold thousands of roots: only those that the chain names are read.
        let roots: Vec<_> = self
            .anchors
            .iter()
            .zip(&self.roots)
            .filter(|(anchor, _)| chain.iter().any(|links| names(links, &anchor.subject)))
            .filter_map(|(_, root)| Some((Links::read(&root.der)?, root.issuer)))
            .collect();
        let issuers = roots.iter().map(|(links, _)| links);
        let issuers = issuers.chain(chain.iter().skip(1).filter(|links| named(links.subject)));
        let issuers: Vec<_> = issuers.collect();
        if !is_signature {
            let constrains_uris = issuers.iter().any(|links| links.constrains_uris);
            return if constrains_uris { TrustError::UriNameConstraints } else { error };
        }
        if let Some(unusable) = roots.iter().find_map(|(_, issuer)| issuer.err()) {
            return unusable.into();
        }
        if let Some(fault) = issuers.iter().find_map(|links| links.weak_key) {
            return IssuerError::WeakKey(fault).into();
        }
        let is_of_namesake = |links: &Links<'_>| is_of_namesake(links, &issuers);
        if error == TrustError::BadSignature && chain.iter().any(is_of_namesake) {
            return TrustError::UnknownIssuer;
        }
        error
    }
}

/// Whether a certificate says that the holder of this name, written without tag and length, issued it.
fn names(links: &Links<'_>, subject: &[u8]) -> bool {
    element(links.issuer, Tag::Sequence).is_some_and(|(name, _)| name == subject)
}

/// Whether everybody with the name of its issuer says of itself that it has another key than the one
/// that this certificate was signed with (RFC 5280 §4.2.1.1).
fn is_of_namesake(links: &Links<'_>, issuers: &[&Links<'_>]) -> bool {
    let Some(wanted) = links.issuer_key_id else { return false };
    let mut namesakes = issuers.iter().filter(|issuer| issuer.subject == links.issuer).peekable();
    namesakes.peek().is_some()
        && namesakes.all(|issuer| issuer.key_id.is_some_and(|key_id| key_id != wanted))
}
