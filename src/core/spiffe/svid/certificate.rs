//! What a certificate says about itself, proven or not, in the words of the record.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use x509_parser::asn1_rs::{Any, FromDer as _, Tag};
use x509_parser::extensions::SubjectAlternativeName;
use x509_parser::nom::Parser as _;
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{X509Certificate, X509CertificateParser};

use super::{MAX_CERTIFICATE_BYTES, uri_bytes};
use crate::Timestamp;

/// A canonical ID has at most 2048 bytes; a longer claim is cut.
pub(in crate::spiffe) const MAX_CLAIMED_ID_BYTES: usize = 2048;
/// An issuer's name stands in every record of its leaves.
const MAX_ISSUER_BYTES: usize = 1024;
/// Serial numbers are shown whole up to RFC 5280's limit and cut well above it.
const MAX_SHOWN_SERIAL_BYTES: usize = 32;

/// What a refused certificate claims to be: for the record only, nothing of it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The first URI name with control characters escaped, whatever it holds.
    pub id: Option<String>,
    pub serial: Option<String>,
    pub sha256: String,
    pub not_after: Option<Timestamp>,
}

/// What the leaf of a proven X.509-SVID says beside its ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Lower-case hex without separators.
    pub serial: String,
    /// SHA-256 of the DER, lower-case hex.
    pub sha256: String,
    pub issuer: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
}

impl Claimed {
    /// Reads what can be read; the fingerprint always can.
    #[must_use]
    pub fn read(der: &[u8]) -> Self {
        let sha256 = sha256_hex(der);
        let parsed = if der.len() > MAX_CERTIFICATE_BYTES { None } else { parse(der) };
        let Some((_, certificate)) = parsed else {
            return Self { id: None, serial: None, sha256, not_after: None };
        };
        Self {
            id: first_uri(&certificate),
            serial: Some(serial_hex(certificate.raw_serial())),
            sha256,
            not_after: Some(Timestamp::from_unix_seconds(
                certificate.validity().not_after.timestamp(),
            )),
        }
    }
}

/// Parses the outer structure only: extensions are read where their rule is checked.
pub(super) fn parse(der: &[u8]) -> Option<(&[u8], X509Certificate<'_>)> {
    X509CertificateParser::new().with_deep_parse_extensions(false).parse(der).ok()
}

/// Whether both times of a certificate of version 3 are whole seconds in UTC, which the parser asks of
/// neither (RFC 5280 §4.1.2.5.1 and §4.1.2.5.2).
pub(super) fn has_strict_times(der: &[u8]) -> bool {
    let times = || {
        let (_, certificate) = Any::from_der(der).ok()?;
        let (_, tbs) = Any::from_der(certificate.data).ok()?;
        let mut fields = tbs.data;
        // Version, serial number, algorithm and issuer stand before it.
        for _ in 0..4 {
            (fields, _) = Any::from_der(fields).ok()?;
        }
        let (_, validity) = Any::from_der(fields).ok()?;
        let (rest, first) = Any::from_der(validity.data).ok()?;
        let (_, last) = Any::from_der(rest).ok()?;
        Some([first, last])
    };
    times().is_some_and(|times| times.iter().all(is_strict_time))
}

fn is_strict_time(time: &Any<'_>) -> bool {
    let digits = match time.header.tag() {
        Tag::UtcTime => 12,
        Tag::GeneralizedTime => 14,
        _ => return false,
    };
    time.data
        .strip_suffix(b"Z")
        .is_some_and(|text| text.len() == digits && text.iter().all(u8::is_ascii_digit))
}

/// `None` if the validity lies outside the years that can be written.
pub(super) fn facts(der: &[u8], certificate: &X509Certificate<'_>) -> Option<CertificateFacts> {
    let validity = certificate.validity();
    let moment = |seconds: i64| seconds.checked_mul(1_000_000).map(Timestamp::from_unix_micros);
    Some(CertificateFacts {
        serial: serial_hex(certificate.raw_serial()),
        sha256: sha256_hex(der),
        issuer: printable(&certificate.issuer().to_string(), MAX_ISSUER_BYTES),
        not_before: moment(validity.not_before.timestamp())?,
        not_after: moment(validity.not_after.timestamp())?,
    })
}

/// The text with control and direction characters escaped, cut to `limit` bytes.
pub(in crate::spiffe) fn printable(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let before = shown.len();
        if character.is_control() || is_layout(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
        if shown.len() > limit {
            shown.truncate(before);
            break;
        }
    }
    shown
}

/// Characters that reorder or break a line without being control characters (Unicode TR #36).
const fn is_layout(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn first_uri(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut extensions = certificate.extensions().iter();
    let extension = extensions.find(|e| e.oid == OID_X509_EXT_SUBJECT_ALT_NAME)?;
    let (_, names) = SubjectAlternativeName::from_der(extension.value).ok()?;
    let uri = names.general_names.iter().find_map(uri_bytes)?;
    Some(printable(&String::from_utf8_lossy(uri), MAX_CLAIMED_ID_BYTES))
}

/// Lower-case hex, two digits a byte, without the byte that only holds the sign.
fn serial_hex(raw: &[u8]) -> String {
    let bytes = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    hex(bytes.iter().take(MAX_SHOWN_SERIAL_BYTES))
}

fn sha256_hex(der: &[u8]) -> String {
    hex(Sha256::digest(der).iter())
}

fn hex<'a>(bytes: impl Iterator<Item = &'a u8>) -> String {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
