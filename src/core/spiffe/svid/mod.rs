//! The X.509-SVID leaf rules (X509-SVID.md): a certificate's DER enters, a [`Leaf`] or the first
//! broken rule leaves.
//!
//! Nothing here looks at a signature, a chain or a clock, and an ID is read from nowhere but the one
//! URI name. Names in CN, DNS or other fields are never identities.

use x509_parser::extensions::{
    BasicConstraints, ExtendedKeyUsage, GeneralName, KeyUsage, SubjectAlternativeName,
    X509Extension,
};
use x509_parser::oid_registry::{
    OID_X509_EXT_BASIC_CONSTRAINTS, OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE, OID_X509_EXT_KEY_USAGE, OID_X509_EXT_SUBJECT_ALT_NAME, Oid,
};
use x509_parser::prelude::{FromDer, X509Certificate, X509Error};
use x509_parser::x509::X509Version;

use self::certificate::parse;
use super::id::{SpiffeId, SpiffeIdError};

mod certificate;
mod key;
mod issuer;
mod links;
#[cfg(test)]
mod tests;

pub use self::certificate::{CertificateFacts, Claimed};
pub(super) use self::certificate::{MAX_CLAIMED_ID_BYTES, printable};
pub use self::issuer::{Issuer, IssuerError};
pub use self::key::KeyFault;
pub use self::links::Links;

/// An SVID takes one or two KiB; more only costs parsing time before anything is proven.
const MAX_CERTIFICATE_BYTES: usize = 32 << 10;
/// An SVID has about seven; the check for duplicates is quadratic in this.
const MAX_EXTENSIONS: usize = 64;
/// RFC 5280 §4.1.2.2: the longest serial number that a conforming CA issues.
const MAX_SERIAL_BYTES: usize = 20;
/// The context-specific tag of `uniformResourceIdentifier` (RFC 5280 §4.2.1.6).
const URI_TAG: u32 = 6;

/// The extensions of a leaf that this file or path validation knows; any other that is critical
/// refuses. Name constraints belong to CAs (RFC 5280 §4.2.1.10).
const KNOWN_EXTENSIONS: [Oid<'static>; 5] = [
    OID_X509_EXT_BASIC_CONSTRAINTS,
    OID_X509_EXT_CRL_DISTRIBUTION_POINTS,
    OID_X509_EXT_EXTENDED_KEY_USAGE,
    OID_X509_EXT_KEY_USAGE,
    OID_X509_EXT_SUBJECT_ALT_NAME,
];

/// What an X.509-SVID leaf says, once it keeps the rules. Its chain is yet to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub id: SpiffeId,
    pub facts: CertificateFacts,
}

/// The rule that a leaf breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SvidError {
    #[error("the certificate is malformed: {0} (RFC 5280 §4.1)")]
    Malformed(&'static str),
    #[error("the certificate is {bytes} bytes long; at most {MAX_CERTIFICATE_BYTES} are read")]
    TooLarge { bytes: usize },
    #[error("the certificate has the same extension twice (RFC 5280 §4.2)")]
    DuplicateExtension,
    #[error("the serial number must be positive and of at most 20 bytes (RFC 5280 §4.1.2.2)")]
    Serial,
    #[error("the SVID has a critical extension that is not known in a leaf (RFC 5280 §4.2)")]
    CriticalExtension,
    #[error("the certificate has no URI name, so it carries no SPIFFE ID (X509-SVID §2)")]
    NoUriSan,
    #[error("the certificate has {count} URI names; an SVID has exactly one (X509-SVID §2)")]
    TwoUriSans { count: usize },
    #[error("`{claimed}` is not a canonical SPIFFE ID")]
    NoncanonicalId { claimed: String, source: SpiffeIdError },
    #[error("`{id}` has no path; a workload's ID has one (X509-SVID §3.1)")]
    RootPath { id: SpiffeId },
    #[error("the certificate of a CA is no leaf: basicConstraints has cA (X509-SVID §4.1)")]
    IsCa,
    #[error("{0} (X509-SVID §4.3)")]
    KeyUsage(KeyUsageFault),
    #[error("extendedKeyUsage lacks {missing} (X509-SVID §4.4)")]
    ExtendedKeyUsage { missing: &'static str },
    #[error("the SVID's key is not accepted: {0}")]
    WeakKey(KeyFault),
}

/// What is wrong with a leaf's keyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyUsageFault {
    #[error("keyUsage is absent")]
    Absent,
    #[error("keyUsage is not critical")]
    NotCritical,
    #[error("keyUsage lacks digitalSignature")]
    NoDigitalSignature,
    #[error("keyUsage has keyCertSign, which only a CA may have")]
    KeyCertSign,
    #[error("keyUsage has cRLSign, which only a CA may have")]
    CrlSign,
}

impl SvidError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "svid.malformed",
            Self::TooLarge { .. } => "svid.too_large",
            Self::DuplicateExtension => "svid.duplicate_extension",
            Self::Serial => "svid.serial",
            Self::CriticalExtension => "svid.critical_extension",
            Self::NoUriSan => "svid.no_uri_san",
            Self::TwoUriSans { .. } => "svid.two_uri_sans",
            Self::NoncanonicalId { .. } => "svid.noncanonical_id",
            Self::RootPath { .. } => "svid.root_path",
            Self::IsCa => "svid.is_ca",
            Self::KeyUsage(_) => "svid.key_usage",
            Self::ExtendedKeyUsage { .. } => "svid.extended_key_usage",
            Self::WeakKey(_) => "svid.weak_key",
        }
    }
}

impl Leaf {
    /// Reads a leaf and holds it against every rule of an X.509-SVID that needs no other input.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(der: &[u8]) -> Result<Self, SvidError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(SvidError::TooLarge { bytes: der.len() });
        }
        let (rest, certificate) =
            parse(der).ok_or(SvidError::Malformed("it is not the DER of a certificate"))?;
        if !rest.is_empty() {
            return Err(SvidError::Malformed("bytes follow its end"));
        }
        if certificate.version() != X509Version::V3 {
            return Err(SvidError::Malformed("it is not of version 3"));
        }
        if !certificate::has_strict_times(der) {
            return Err(SvidError::Malformed("a time of its validity is not whole seconds in UTC"));
        }
        check_serial(certificate.raw_serial())?;
        check_duplicates(certificate.extensions())?;
        let mut extensions = certificate.extensions().iter();
        if extensions.any(|e| e.critical && !KNOWN_EXTENSIONS.contains(&e.oid)) {
            return Err(SvidError::CriticalExtension);
        }
        let id = spiffe_id(&certificate)?;
        check_basic_constraints(&certificate)?;
        check_key_usage(&certificate)?;
        check_extended_key_usage(&certificate)?;
        key::check_key(certificate.public_key()).map_err(SvidError::WeakKey)?;
        let facts = certificate::facts(der, &certificate)
            .ok_or(SvidError::Malformed("its validity cannot be represented"))?;
        Ok(Self { id, facts })
    }
}

fn check_serial(raw: &[u8]) -> Result<(), SvidError> {
    let negative = raw.first().is_none_or(|first| first & 0x80 != 0);
    // X.690 §8.3.2: a zero stands in front only where it keeps the number positive.
    let padded = matches!(raw, [0, next, ..] if next & 0x80 == 0);
    let significant = raw.iter().skip_while(|byte| **byte == 0).count();
    if negative || padded || significant == 0 || significant > MAX_SERIAL_BYTES {
        return Err(SvidError::Serial);
    }
    Ok(())
}

fn check_duplicates(extensions: &[X509Extension<'_>]) -> Result<(), SvidError> {
    if extensions.len() > MAX_EXTENSIONS {
        return Err(SvidError::Malformed("it has more than 64 extensions"));
    }
    let mut rest = extensions.iter();
    while let Some(extension) = rest.next() {
        if rest.clone().any(|other| other.oid == extension.oid) {
            return Err(SvidError::DuplicateExtension);
        }
    }
    Ok(())
}

/// The one SPIFFE ID that the leaf names, in canonical form and with a path.
fn spiffe_id(certificate: &X509Certificate<'_>) -> Result<SpiffeId, SvidError> {
    let names = read::<SubjectAlternativeName<'_>>(
        certificate,
        &OID_X509_EXT_SUBJECT_ALT_NAME,
        "subjectAltName does not parse",
    )?;
    let names = names.map(|(names, _)| names.general_names).unwrap_or_default();
    let mut uris = names.iter().filter_map(uri_bytes);
    let uri = uris.next().ok_or(SvidError::NoUriSan)?;
    match uris.count() {
        0 => {}
        more => return Err(SvidError::TwoUriSans { count: 1 + more }),
    }
    // What is not UTF-8 becomes U+FFFD, which no SPIFFE ID may hold.
    let uri = String::from_utf8_lossy(uri);
    let id = SpiffeId::parse(&uri).map_err(|source| SvidError::NoncanonicalId {
        claimed: printable(&uri, MAX_CLAIMED_ID_BYTES),
        source,
    })?;
    if id.path().is_empty() {
        return Err(SvidError::RootPath { id });
    }
    Ok(id)
}

/// The bytes of a URI name, well-formed or not: a broken one still counts as a name.
fn uri_bytes<'a>(name: &GeneralName<'a>) -> Option<&'a [u8]> {
    match name {
        GeneralName::URI(text) => Some(text.as_bytes()),
        GeneralName::Invalid(tag, bytes) if tag.0 == URI_TAG => Some(bytes),
        _ => None,
    }
}

fn check_basic_constraints(certificate: &X509Certificate<'_>) -> Result<(), SvidError> {
    let constraints = read::<BasicConstraints>(
        certificate,
        &OID_X509_EXT_BASIC_CONSTRAINTS,
        "basicConstraints does not parse",
    )?;
    match constraints {
        Some((constraints, _)) if constraints.ca => Err(SvidError::IsCa),
        Some(_) | None => Ok(()),
    }
}

fn check_key_usage(certificate: &X509Certificate<'_>) -> Result<(), SvidError> {
    let fault = |fault| Err(SvidError::KeyUsage(fault));
    let usage = read::<KeyUsage>(certificate, &OID_X509_EXT_KEY_USAGE, "keyUsage does not parse")?;
    match usage {
        None => fault(KeyUsageFault::Absent),
        Some((usage, _)) if usage.key_cert_sign() => fault(KeyUsageFault::KeyCertSign),
        Some((usage, _)) if usage.crl_sign() => fault(KeyUsageFault::CrlSign),
        Some((usage, _)) if !usage.digital_signature() => fault(KeyUsageFault::NoDigitalSignature),
        Some((_, false)) => fault(KeyUsageFault::NotCritical),
        Some((_, true)) => Ok(()),
    }
}

/// Absent is allowed (§4.4 only recommends it); present, it names both ends, and `any` is neither.
fn check_extended_key_usage(certificate: &X509Certificate<'_>) -> Result<(), SvidError> {
    let usage = read::<ExtendedKeyUsage<'_>>(
        certificate,
        &OID_X509_EXT_EXTENDED_KEY_USAGE,
        "extendedKeyUsage does not parse",
    )?;
    match usage {
        Some((usage, _)) if !usage.server_auth => {
            Err(SvidError::ExtendedKeyUsage { missing: "serverAuth" })
        }
        Some((usage, _)) if !usage.client_auth => {
            Err(SvidError::ExtendedKeyUsage { missing: "clientAuth" })
        }
        Some(_) | None => Ok(()),
    }
}

/// One extension, parsed to its last byte, and whether it is critical.
fn read<'a, T: FromDer<'a, X509Error>>(
    certificate: &X509Certificate<'a>,
    oid: &Oid<'_>,
    malformed: &'static str,
) -> Result<Option<(T, bool)>, SvidError> {
    let Some(extension) = certificate.extensions().iter().find(|e| e.oid == *oid) else {
        return Ok(None);
    };
    match T::from_der(extension.value) {
        Ok(([], value)) => Ok(Some((value, extension.critical))),
        Ok(_) | Err(_) => Err(SvidError::Malformed(malformed)),
    }
}
