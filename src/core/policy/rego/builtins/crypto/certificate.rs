//! `crypto.x509.parse_certificates`: certificates as OPA shows them, which is Go's
//! `x509.Certificate` in JSON and the texts of the URIs.

use regorus::Value;
use x509_parser::num_bigint::BigUint;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;
use x509_parser::time::ASN1Time;
use x509_parser::x509::AlgorithmIdentifier;

use super::super::{Builtin, BuiltinError};
use super::arguments::{invalid, object, slice, text};
use super::encoding::{base64, big, from_base64};
use super::public_key::PublicKey;
use super::{extensions, name, pem};

/// In one call. A chain has three or four; reading and showing one takes about 0.1 ms.
const MAX_CERTIFICATES: usize = 16;

pub(in super::super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "crypto.x509.parse_certificates", arity: 1, run: parse }];

fn parse(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let der = der_of(text(arguments, 0)?)?;
    let certificates = split(&der)?;
    let certificates = certificates.iter().map(|certificate| to_go(certificate, true));
    Ok(Value::from(certificates.collect::<Result<Vec<_>, _>>()?))
}

/// The DER of certificates in PEM, in PEM in base64, or in base64, one after the other.
pub(super) fn der_of(text: &str) -> Result<Vec<u8>, BuiltinError> {
    if pem::has_pem(text) {
        return der_of_pem(text);
    }
    let bytes = from_base64(text)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) if pem::has_pem(text) => der_of_pem(text),
        Ok(_) | Err(_) => Ok(bytes),
    }
}

fn der_of_pem(text: &str) -> Result<Vec<u8>, BuiltinError> {
    let mut der = Vec::new();
    let mut rest = text;
    while let Some(block) = pem::next_block(rest)? {
        if block.label != "CERTIFICATE" {
            return Err(invalid("PEM block type is not CERTIFICATE"));
        }
        der.extend(block.bytes);
        rest = block.rest;
    }
    Ok(der)
}

/// Why bytes are not read as certificates.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SplitError {
    Malformed,
    TooMany,
}

impl From<SplitError> for BuiltinError {
    fn from(error: SplitError) -> Self {
        match error {
            SplitError::Malformed => invalid("x509: malformed certificate"),
            SplitError::TooMany => invalid(format!("more than {MAX_CERTIFICATES} certificates")),
        }
    }
}

/// Certificates one after the other, and nothing else.
pub(super) fn split(der: &[u8]) -> Result<Vec<X509Certificate<'_>>, SplitError> {
    let mut certificates = Vec::new();
    let mut rest = der;
    while !rest.is_empty() {
        let read = X509Certificate::from_der(rest);
        let (after, certificate) = read.map_err(|_| SplitError::Malformed)?;
        if certificates.len() >= MAX_CERTIFICATES {
            return Err(SplitError::TooMany);
        }
        certificates.push(certificate);
        rest = after;
    }
    Ok(certificates)
}

/// What is wanted of the one certificate that these bytes are.
pub(in super::super) fn parse_one<T>(
    der: &[u8],
    of: fn(&SubjectPublicKeyInfo<'_>) -> T,
) -> Result<T, BuiltinError> {
    match split(der)?.as_slice() {
        [certificate] => Ok(of(&certificate.tbs_certificate.subject_pki)),
        _ => Err(invalid("x509: trailing data")),
    }
}

/// One certificate; Go alone knows no texts of URIs.
pub(super) fn to_go(
    certificate: &X509Certificate<'_>,
    has_uri_texts: bool,
) -> Result<Value, BuiltinError> {
    let tbs = &certificate.tbs_certificate;
    let base64 = |bytes: &[u8]| Value::from(base64(bytes));
    let (names, uri_texts) = extensions::names(tbs.extensions())?.into_members();
    let key = &tbs.subject_pki;
    let mut go = object([
        ("Raw", base64(certificate.as_raw())),
        ("RawTBSCertificate", base64(tbs.as_ref())),
        ("RawSubjectPublicKeyInfo", base64(key.raw)),
        ("RawSubject", base64(tbs.subject.as_raw())),
        ("RawIssuer", base64(tbs.issuer.as_raw())),
        ("Signature", base64(certificate.signature_value.data.as_ref())),
        ("SignatureAlgorithm", signature_algorithm(&certificate.signature_algorithm)),
        ("PublicKeyAlgorithm", PublicKey::algorithm(key)),
        ("PublicKey", PublicKey::of(key).to_go()),
        ("Version", Value::from(tbs.version.0.saturating_add(1))),
        ("SerialNumber", big(&BigUint::from_bytes_be(tbs.raw_serial()))),
        ("Issuer", name::to_go(&tbs.issuer)),
        ("Subject", name::to_go(&tbs.subject)),
        ("NotBefore", time(tbs.validity.not_before)?),
        ("NotAfter", time(tbs.validity.not_after)?),
        ("Extensions", extensions::list(tbs.extensions())),
        ("ExtraExtensions", slice(Vec::new())),
    ]);
    let members = go.as_object_mut().map_err(|_| invalid("x509: malformed certificate"))?;
    for (name, value) in extensions::members(tbs.extensions())?.into_iter().chain(names) {
        members.insert(Value::from(name), value);
    }
    if has_uri_texts {
        members.insert(Value::from("URIStrings"), uri_texts);
    }
    Ok(go)
}

fn time(time: ASN1Time) -> Result<Value, BuiltinError> {
    let format = &time::format_description::well_known::Rfc3339;
    let text = time.to_datetime().format(format);
    text.map(Value::from).map_err(|_| invalid("x509: malformed validity"))
}

/// Go's number of a signature algorithm, 0 for those that it does not know.
pub(super) fn signature_algorithm(algorithm: &AlgorithmIdentifier<'_>) -> Value {
    let number = match algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.2" => 1_u32,
        "1.2.840.113549.1.1.4" => 2,
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => 3,
        "1.2.840.113549.1.1.11" => 4,
        "1.2.840.113549.1.1.12" => 5,
        "1.2.840.113549.1.1.13" => 6,
        "1.2.840.10040.4.3" => 7,
        "2.16.840.1.101.3.4.3.2" => 8,
        "1.2.840.10045.4.1" => 9,
        "1.2.840.10045.4.3.2" => 10,
        "1.2.840.10045.4.3.3" => 11,
        "1.2.840.10045.4.3.4" => 12,
        "1.3.101.112" => 16,
        "1.2.840.113549.1.1.10" => pss(algorithm),
        _ => 0,
    };
    Value::from(number)
}

fn pss(algorithm: &AlgorithmIdentifier<'_>) -> u32 {
    let Ok(SignatureAlgorithm::RSASSA_PSS(parameters)) = SignatureAlgorithm::try_from(algorithm)
    else {
        return 0;
    };
    match parameters.hash_algorithm_oid().to_id_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => 13,
        "2.16.840.1.101.3.4.2.2" => 14,
        "2.16.840.1.101.3.4.2.3" => 15,
        _ => 0,
    }
}
