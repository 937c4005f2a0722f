//! The roots of one trust domain, and the verification of a path to one of them.

use std::cell::Cell;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{Issuer, IssuerError};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{Cert, EndEntityCert, KeyUsage, VerifiedPath};
use x509_parser::asn1_rs::Tag;

use super::error::TrustError;
use super::provider;
use super::revocation::{Revocation, Signer, element};
use super::trust::Role;

/// One trust domain's roots: what webpki reads of them and, at the same index, what it does not.
#[derive(Default)]
pub(super) struct Bundle {
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub(super) roots: Vec<Root>,
}

/// A root as it came. One that may sign nothing is kept, so that a chain under it is refused by the
/// rule that the root breaks.
pub(super) struct Root {
    pub(super) der: CertificateDer<'static>,
    pub(super) issuer: Result<Issuer, IssuerError>,
}

/// Everything that a path is held against beside the bundle.
pub(super) struct Presented<'a> {
    pub(super) leaf: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    pub(super) role: Role,
    pub(super) now: Timestamp,
    pub(super) revocation: &'a Revocation,
}

impl Bundle {
    /// Takes a root in.
    ///
    /// # Errors
    /// It can sign nothing.
    pub(super) fn add(&mut self, root: &CertificateDer<'static>) -> Result<(), IssuerError> {
        let issuer = Issuer::read(root);
        let anchor = webpki::anchor_from_trusted_cert(root).map_err(|_| IssuerError::Malformed)?;
        self.anchors.push(anchor.to_owned());
        self.roots.push(Root { der: root.clone(), issuer });
        issuer.map(|_| ())
    }

    /// The keys of the roots with this name.
    pub(super) fn signers(&self, name: &[u8]) -> Vec<Signer<'_>> {
        let mut signers = Vec::new();
        for (anchor, root) in self.anchors.iter().zip(&self.roots) {
            if let Ok(issuer) = root.issuer
                && *anchor.subject == *name
            {
                let key = &anchor.subject_public_key_info;
                signers.push(Signer { key, may_sign_crls: issuer.may_sign_crls });
            }
        }
        signers
    }

    /// The earliest end of the path's issuers.
    pub(super) fn verify_path(&self, presented: &Presented<'_>) -> Result<Timestamp, TrustError> {
        let Presented { leaf, intermediates, role, now, .. } = *presented;
        let end_entity = EndEntityCert::try_from(leaf).map_err(TrustError::of_leaf)?;
        // A path that holds but for one of our own checks explains more than webpki's last attempt.
        let (refused, until) = (Cell::new(None), Cell::new(None));
        let check = |path: &VerifiedPath<'_>| {
            let checked = self.check_path(path, presented).map_err(|error| {
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
            .map_err(|error| {
                let own = refused.take();
                own.unwrap_or_else(|| self.explain(TrustError::of_path(error), presented))
            })?;
        until.get().ok_or(TrustError::UnknownIssuer)
    }

    /// What webpki does not look at: the root's own validity, path length and rules, keyUsage, and
    /// what is revoked. Returns the earliest end of the issuers.
    fn check_path(
        &self,
        path: &VerifiedPath<'_>,
        presented: &Presented<'_>,
    ) -> Result<Timestamp, TrustError> {
        let Presented { now, revocation, .. } = *presented;
        let (mut above, mut counted) = (0_u32, 0_u32);
        let mut until = None::<Timestamp>;
        let mut issued: &Cert<'_> = path.end_entity();
        for certificate in path.intermediate_certificates() {
            let issuer = Issuer::read(&certificate.der())?;
            if !issuer.has_key_usage {
                return Err(IssuerError::KeyUsage.into());
            }
            if revocation.knows(issued.issuer()) {
                let info = certificate.subject_public_key_info();
                let key = element(&info, Tag::Sequence).map_or(&[][..], |(key, _)| key);
                let signer = Signer { key, may_sign_crls: issuer.may_sign_crls };
                check_revoked(revocation, issued, signer, above)?;
            }
            until = Some(until.map_or(issuer.not_after, |until| until.min(issuer.not_after)));
            above += 1;
            // RFC 5280 §4.2.1.9: a CA that only renewed itself takes no step.
            counted += u32::from(certificate.subject() != certificate.issuer());
            issued = certificate;
        }
        let anchor = path.anchor();
        let index = self.anchors.iter().position(|known| std::ptr::eq(known, anchor));
        let root = index.and_then(|index| self.roots.get(index));
        let root = root.ok_or(TrustError::UnknownIssuer)?.issuer?;
        if now.unix_seconds() > root.not_after.unix_seconds() {
            return Err(TrustError::RootExpired(root.not_after));
        }
        if now < root.not_before {
            return Err(TrustError::RootNotYetValid(root.not_before));
        }
        if root.path_length.is_some_and(|most| counted > most) {
            return Err(TrustError::PathLength);
        }
        let signer =
            Signer { key: &anchor.subject_public_key_info, may_sign_crls: root.may_sign_crls };
        check_revoked(revocation, issued, signer, above)?;
        Ok(until.map_or(root.not_after, |until| until.min(root.not_after)))
    }
}

/// `above` is the number of issuers between the leaf and this certificate's: none for the leaf's own.
fn check_revoked(
    revocation: &Revocation,
    issued: &Cert<'_>,
    signer: Signer<'_>,
    above: u32,
) -> Result<(), TrustError> {
    if !revocation.is_revoked(issued.issuer(), signer, issued.serial()) {
        return Ok(());
    }
    Err(if above == 0 { TrustError::Revoked } else { TrustError::IssuerRevoked })
}
