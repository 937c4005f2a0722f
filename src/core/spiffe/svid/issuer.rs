//! The rules of a signing certificate (X509-SVID §3.2 and §4): what path validation by signature
//! leaves out.
//!
//! One that carries a SPIFFE ID is an SVID itself and keeps the rules of SVIDs; one that carries none
//! is an ordinary CA. Its SPIFFE ID may name another trust domain than the leaves' (§3.2 only
//! recommends the same).

use x509_parser::extensions::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Version;

use super::certificate::parse;
use super::key::{KeyFault, check_key};
use super::{check_duplicates, read, uri_bytes};
use crate::Timestamp;
use crate::spiffe::SpiffeId;

/// The extensions that path validation or this file knows; any other that is critical refuses.
const KNOWN_EXTENSIONS: [Oid<'static>; 6] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_ALT_NAME,
];

/// A certificate that may sign others, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// How many intermediates may stand between it and a leaf; any number if `None`.
    pub path_length: Option<u32>,
    /// An intermediate must have keyUsage; roots older than SPIFFE may lack it.
    pub has_key_usage: bool,
    /// Whether it may sign lists of revoked certificates.
    pub may_sign_crls: bool,
}

/// Why a certificate may not sign others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("an issuing certificate does not parse (RFC 5280 §4.1)")]
    Malformed,
    #[error("an issuing certificate is no CA: basicConstraints lacks cA (X509-SVID §4.1)")]
    NotCa,
    #[error("an issuing certificate's keyUsage is absent or lacks keyCertSign (X509-SVID §4.3)")]
    KeyUsage,
    #[error("an issuing certificate with a SPIFFE ID has no critical keyUsage (X509-SVID §4.3)")]
    KeyUsageNotCritical,
    #[error(
        "an issuing certificate's SPIFFE ID is not one canonical ID without path (X509-SVID §3.2)"
    )]
    Id,
    #[error("an issuing certificate has a critical extension that is not known (RFC 5280 §4.2)")]
    CriticalExtension,
    #[error("an issuing certificate's key is not accepted: {0}")]
    WeakKey(KeyFault),
}

impl IssuerError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "trust.malformed",
            Self::NotCa => "trust.issuer_not_ca",
            Self::KeyUsage | Self::KeyUsageNotCritical => "trust.issuer_key_usage",
            Self::Id => "trust.issuer_id",
            Self::CriticalExtension => "trust.critical_extension",
            Self::WeakKey(_) => "trust.weak_key",
        }
    }
}

impl Issuer {
    /// Reads a root or an intermediate.
    ///
    /// # Errors
    /// It does not parse, is no CA, may not sign certificates, or is an SVID that breaks a rule.
    pub fn read(der: &[u8]) -> Result<Self, IssuerError> {
        let (rest, certificate) = parse(der).ok_or(IssuerError::Malformed)?;
        if !rest.is_empty() {
            return Err(IssuerError::Malformed);
        }
        check_duplicates(certificate.extensions()).map_err(|_| IssuerError::Malformed)?;
        let constraints =
            read::<BasicConstraints>(&certificate, &OID_X509_EXT_BASIC_CONSTRAINTS, "")
                .map_err(|_| IssuerError::Malformed)?;
        let path_length = match constraints {
            Some((constraints, _)) if constraints.ca => constraints.path_len_constraint,
            Some(_) | None => return Err(IssuerError::NotCa),
        };
        if certificate.version() != X509Version::V3 {
            return Err(IssuerError::Malformed);
        }
        let usage = read::<KeyUsage>(&certificate, &OID_X509_EXT_KEY_USAGE, "")
            .map_err(|_| IssuerError::Malformed)?;
        if usage.as_ref().is_some_and(|(usage, _)| !usage.key_cert_sign()) {
            return Err(IssuerError::KeyUsage);
        }
        if has_spiffe_id(&certificate)? && !matches!(usage, Some((_, true))) {
            return Err(IssuerError::KeyUsageNotCritical);
        }
        check_extensions(&certificate)?;
        check_key(certificate.public_key()).map_err(IssuerError::WeakKey)?;
        let validity = certificate.validity();
        Ok(Self {
            not_before: Timestamp::from_unix_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(validity.not_after.timestamp()),
            path_length,
            has_key_usage: usage.is_some(),
            may_sign_crls: usage.is_none_or(|(usage, _)| usage.crl_sign()),
        })
    }
}

/// A signing certificate may do without SPIFFE ID; one that has it is an SVID (X509-SVID §2, §3.2).
fn has_spiffe_id(certificate: &X509Certificate<'_>) -> Result<bool, IssuerError> {
    let names = read::<SubjectAlternativeName<'_>>(certificate, &OID_X509_EXT_SUBJECT_ALT_NAME, "")
        .map_err(|_| IssuerError::Malformed)?;
    let names = names.map(|(names, _)| names.general_names).unwrap_or_default();
    let mut uris = names.iter().filter_map(uri_bytes);
    let is_svid = uris.clone().any(names_spiffe);
    if !is_svid {
        return Ok(false);
    }
    let (Some(uri), None) = (uris.next(), uris.next()) else { return Err(IssuerError::Id) };
    let id = std::str::from_utf8(uri).ok().and_then(|uri| SpiffeId::parse(uri).ok());
    if id.is_some_and(|id| id.path().is_empty()) { Ok(true) } else { Err(IssuerError::Id) }
}

/// Whether a URI is meant as a SPIFFE ID, in whatever case its scheme is written.
fn names_spiffe(uri: &[u8]) -> bool {
    uri.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"spiffe:"))
}

fn check_extensions(certificate: &X509Certificate<'_>) -> Result<(), IssuerError> {
    let mut extensions = certificate.extensions().iter();
    if extensions.any(|e| e.critical && !KNOWN_EXTENSIONS.contains(&e.oid)) {
        return Err(IssuerError::CriticalExtension);
    }
    Ok(())
}
