//! The rules of a signing certificate (X509-SVID §4): what path validation by signature leaves out.

use x509_parser::extensions::{BasicConstraints, KeyUsage};
use x509_parser::oid_registry::{OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_KEY_USAGE};

use super::certificate::parse;
use super::read;
use crate::Timestamp;

/// A certificate that may sign others, as far as it says so itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issuer {
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// How many intermediates may stand between it and a leaf; any number if `None`.
    pub path_length: Option<u32>,
    /// An intermediate must have keyUsage; roots older than SPIFFE may lack it.
    pub has_key_usage: bool,
}

/// Why a certificate may not sign others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    #[error("an issuing certificate does not parse (RFC 5280 §4.1)")]
    Malformed,
    #[error("an issuing certificate is no CA: basicConstraints lacks cA (X509-SVID §4.1)")]
    NotCa,
    #[error("an issuing certificate's keyUsage lacks keyCertSign (X509-SVID §4.3)")]
    KeyUsage,
}

impl IssuerError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "trust.malformed",
            Self::NotCa => "trust.issuer_not_ca",
            Self::KeyUsage => "trust.issuer_key_usage",
        }
    }
}

impl Issuer {
    /// Reads a root or an intermediate.
    ///
    /// # Errors
    /// It does not parse, is no CA, or may not sign certificates.
    pub fn read(der: &[u8]) -> Result<Self, IssuerError> {
        let (rest, certificate) = parse(der).ok_or(IssuerError::Malformed)?;
        if !rest.is_empty() {
            return Err(IssuerError::Malformed);
        }
        let constraints =
            read::<BasicConstraints>(&certificate, &OID_X509_EXT_BASIC_CONSTRAINTS, "")
                .map_err(|_| IssuerError::Malformed)?;
        let path_length = match constraints {
            Some((constraints, _)) if constraints.ca => constraints.path_len_constraint,
            Some(_) | None => return Err(IssuerError::NotCa),
        };
        let usage = read::<KeyUsage>(&certificate, &OID_X509_EXT_KEY_USAGE, "")
            .map_err(|_| IssuerError::Malformed)?;
        if usage.as_ref().is_some_and(|(usage, _)| !usage.key_cert_sign()) {
            return Err(IssuerError::KeyUsage);
        }
        let validity = certificate.validity();
        Ok(Self {
            not_before: Timestamp::from_unix_seconds(validity.not_before.timestamp()),
            not_after: Timestamp::from_unix_seconds(validity.not_after.timestamp()),
            path_length,
            has_key_usage: usage.is_some(),
        })
    }
}
