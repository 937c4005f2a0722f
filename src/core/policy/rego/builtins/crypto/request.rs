//! `crypto.x509.parse_certificate_request`: Go's `x509.CertificateRequest` in JSON.

use regorus::Value;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::prelude::FromDer as _;

use super::super::{Builtin, BuiltinError};
use super::arguments::{invalid, object, slice, text};
use super::certificate::signature_algorithm;
use super::encoding::{base64, from_base64};
use super::public_key::PublicKey;
use super::{extensions, name, pem};

pub(in super::super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "crypto.x509.parse_certificate_request", arity: 1, run: parse }];

fn parse(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = text(arguments, 0)?;
    let bytes = if text.starts_with("-----BEGIN CERTIFICATE REQUEST-----") {
        text.as_bytes().to_vec()
    } else {
        from_base64(text)?
    };
    let block = match std::str::from_utf8(&bytes) {
        Ok(text) => pem::next_block(text)?,
        Err(_) => None,
    };
    match block {
        Some(block) if block.label == "CERTIFICATE REQUEST" => to_go(&block.bytes),
        Some(_) => Err(invalid("invalid PEM-encoded certificate signing request")),
        None => to_go(&bytes),
    }
}

fn to_go(der: &[u8]) -> Result<Value, BuiltinError> {
    let malformed = || invalid("asn1: structure error: no certificate request");
    let (rest, request) = X509CertificationRequest::from_der(der).map_err(|_| malformed())?;
    if !rest.is_empty() {
        return Err(invalid("asn1: syntax error: trailing data"));
    }
    let info = &request.certification_request_info;
    let base64 = |bytes: &[u8]| Value::from(base64(bytes));
    let attributes = info.iter_attributes().map(|attribute| attribute.parsed_attribute());
    let requested = attributes.filter_map(|attribute| match attribute {
        ParsedCriAttribute::ExtensionRequest(request) => Some(request.extensions.as_slice()),
        _ => None,
    });
    let requested = requested.last().unwrap_or_default();
    let (names, _) = extensions::names(requested)?.into_members();
    let attributes = match requested {
        [] => Value::Null,
        _ => asked(requested),
    };
    let key = &info.subject_pki;
    let mut go = object([
        ("Raw", base64(request.as_raw())),
        ("RawTBSCertificateRequest", base64(info.raw)),
        ("RawSubjectPublicKeyInfo", base64(key.raw)),
        ("RawSubject", base64(info.subject.as_raw())),
        ("Version", Value::from(info.version.0)),
        ("Signature", base64(request.signature_value.data.as_ref())),
        ("SignatureAlgorithm", signature_algorithm(&request.signature_algorithm)),
        ("PublicKeyAlgorithm", PublicKey::algorithm(key)),
        ("PublicKey", PublicKey::of(key).to_go()),
        ("Subject", name::to_go(&info.subject)),
        ("Attributes", attributes),
        ("Extensions", extensions::list(requested)),
        ("ExtraExtensions", Value::Null),
    ]);
    let members = go.as_object_mut().map_err(|_| malformed())?;
    for (name, value) in names {
        members.insert(Value::from(name), value);
    }
    Ok(go)
}

/// The attribute that asks for extensions, the only one that is shown, in Go's shape.
fn asked(requested: &[x509_parser::extensions::X509Extension<'_>]) -> Value {
    let pairs = requested.iter().map(|extension| {
        object([
            ("Type", extensions::oid(&extension.oid)),
            ("Value", Value::from(base64(extension.value))),
        ])
    });
    let kind = [1_u32, 2, 840, 113_549, 1, 9, 14].map(Value::from).to_vec();
    let value = slice(vec![Value::from(pairs.collect::<Vec<_>>())]);
    Value::from(vec![object([("Type", Value::from(kind)), ("Value", value)])])
}
