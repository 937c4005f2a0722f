//! A certificate authority in memory.

use std::fmt;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::{ORGANISATION, is_development};
use crate::clock::Clock;
use crate::identity::{MaterialError, Svid};

/// The authority lives in memory, so no process of a developer outlives it.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// As SPIRE: what was issued just now holds for a verifier whose clock is a little behind.
const BACKDATE: Duration = Duration::from_secs(10);
/// X.520 serialNumber: it makes the subjects of two authorities of one trust domain differ, without
/// which a verifier cannot tell whose signature it should check.
const SERIAL_NUMBER: [u64; 4] = [2, 5, 4, 5];

/// Why the authority issues nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error(
        "trust domain `{0}` is no development domain: it must end in `.dev`, `.test` or `.localhost`"
    )]
    NotDevelopment(TrustDomain),
    #[error("failed to issue a certificate for `{subject}`")]
    Issue { subject: String, source: rcgen::Error },
    #[error("failed to sign a JWT-SVID for `{subject}`")]
    Sign { subject: String, source: jsonwebtoken::errors::Error },
}

/// A CA of one trust domain: a root, or a subordinate whose certificate goes along in the chain.
pub struct Authority {
    trust_domain: TrustDomain,
    clock: Clock,
    root: CertificateDer<'static>,
    /// What a chain holds after the leaf; empty for a root.
    intermediates: Vec<CertificateDer<'static>>,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// An X.509-SVID with its key.
pub struct Issued {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
}

impl Authority {
    /// Makes a root with a new key.
    ///
    /// # Errors
    /// The trust domain is not one for development, or the key cannot be made.
    pub fn new(trust_domain: TrustDomain, clock: Clock) -> Result<Self, AuthorityError> {
        if !is_development(&trust_domain) {
            return Err(AuthorityError::NotDevelopment(trust_domain));
        }
        let error = |source| AuthorityError::Issue { subject: trust_domain.to_string(), source };
        let key = KeyPair::generate().map_err(error)?;
        let params = ca_params(&trust_domain, &key, clock.now()).map_err(error)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(error)?;
        let root = issuer.der().clone();
        Ok(Self { trust_domain, clock, root, intermediates: Vec::new(), issuer })
    }

    /// Makes a CA below this one, in the same trust domain.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn subordinate(&self) -> Result<Self, AuthorityError> {
        let trust_domain = self.trust_domain.clone();
        let error = |source| AuthorityError::Issue { subject: trust_domain.to_string(), source };
        let key = KeyPair::generate().map_err(error)?;
        let params = ca_params(&trust_domain, &key, self.clock.now()).map_err(error)?;
        let issuer = CertifiedIssuer::signed_by(params, key, &self.issuer).map_err(error)?;
        let mut intermediates = vec![issuer.der().clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        let (clock, root) = (self.clock.clone(), self.root.clone());
        Ok(Self { trust_domain, clock, root, intermediates, issuer })
    }

    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The root that a verifier needs.
    #[must_use]
    pub fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    /// Issues an X.509-SVID by the rules.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn issue(&self, id: &SpiffeId, ttl: Duration) -> Result<Issued, AuthorityError> {
        self.issue_from(self.leaf_params(id, ttl)?)
    }

    /// What [`Self::issue`] issues; a test that needs a bad leaf changes it.
    ///
    /// # Errors
    /// The ID cannot be written into a certificate.
    pub fn leaf_params(
        &self,
        id: &SpiffeId,
        ttl: Duration,
    ) -> Result<CertificateParams, AuthorityError> {
        let error = |source| AuthorityError::Issue { subject: id.to_string(), source };
        let mut params = params(id.as_str(), self.clock.now(), ttl).map_err(error)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        Ok(params)
    }

    /// Signs a leaf with a new key, whatever its parameters say.
    ///
    /// # Errors
    /// The key cannot be made, or the parameters cannot be written.
    pub fn issue_from(&self, params: CertificateParams) -> Result<Issued, AuthorityError> {
        let subject = || format!("{:?}", params.subject_alt_names);
        let error = |source| AuthorityError::Issue { subject: subject(), source };
        let key = KeyPair::generate().map_err(error)?;
        let leaf = params.signed_by(&key, &self.issuer).map_err(error)?;
        let mut chain = vec![leaf.der().clone()];
        chain.extend(self.intermediates.iter().cloned());
        Ok(Issued { chain, key })
    }
}

impl Issued {
    /// The certificates, the leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// The certificates as the Workload API carries them, one after the other.
    #[must_use]
    pub fn chain_der(&self) -> Vec<u8> {
        self.chain.iter().flat_map(|certificate| certificate.iter().copied()).collect()
    }

    /// The private key, PKCS#8.
    #[must_use]
    pub fn key_der(&self) -> &[u8] {
        self.key.serialized_der()
    }

    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The same as the rest of Portreeve holds it.
    ///
    /// # Errors
    /// It is one of the bad ones that [`Authority::issue_from`] makes.
    pub fn svid(&self) -> Result<Svid, MaterialError> {
        Svid::from_der(&self.chain_der(), self.key_der())
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("trust_domain", &self.trust_domain)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// A short name for a public key, the same every time.
pub(super) fn key_name(public_key: &[u8]) -> String {
    Sha256::digest(public_key).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn ca_params(
    trust_domain: &TrustDomain,
    key: &KeyPair,
    now: Timestamp,
) -> Result<CertificateParams, rcgen::Error> {
    let uri = format!("spiffe://{trust_domain}");
    let mut params = params(&uri, now, AUTHORITY_LIFETIME)?;
    let name = key_name(key.public_key_raw());
    let subject = &mut params.distinguished_name;
    subject.push(DnType::CommonName, format!("{ORGANISATION} CA {name}"));
    subject.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn params(
    uri: &str,
    now: Timestamp,
    lifetime: Duration,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::default();
    let now =
        OffsetDateTime::from_unix_timestamp(now.unix_seconds()).map_err(|_| rcgen::Error::Time)?;
    params.not_before = now - BACKDATE;
    params.not_after = now + lifetime;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, ORGANISATION);
    params.subject_alt_names = vec![SanType::URI(uri.try_into()?)];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
