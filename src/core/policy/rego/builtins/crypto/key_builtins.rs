//! The builtins that show private keys, alone and with their certificate.

use regorus::Value;

use super::super::{Builtin, BuiltinError};
use super::arguments::{invalid, object, text};
use super::certificate::{der_of, split, to_go};
use super::encoding::base64;
use super::private_key::{PrivateKey, first_of, of_text};
use super::public_key::PublicKey;

pub(in super::super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "crypto.parse_private_keys", arity: 1, run: private_keys },
    Builtin { name: "crypto.x509.parse_rsa_private_key", arity: 1, run: jwk },
    Builtin { name: "crypto.x509.parse_keypair", arity: 2, run: key_pair },
];

fn private_keys(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = text(arguments, 0)?;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    Ok(Value::from(of_text(text)?.iter().map(PrivateKey::to_go).collect::<Vec<_>>()))
}

/// The first key, of whatever kind, as a JWK.
fn jwk(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = text(arguments, 0)?;
    if text.is_empty() {
        return Err(invalid("input PEM data was empty"));
    }
    if !super::pem::has_pem(text) {
        super::encoding::from_base64(text)?;
    }
    Ok(of_text(text)?.first().map_or(Value::Null, PrivateKey::to_jwk))
}

/// Go's `tls.Certificate`: the chain, its leaf, and the leaf's private key.
fn key_pair(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let der = der_of(text(arguments, 0)?)?;
    let chain = split(&der)?;
    let Some(leaf) = chain.first() else {
        return Err(invalid("tls: failed to find any PEM data in certificate input"));
    };
    let key = first_of(text(arguments, 1)?)?;
    if !key.is_of(&PublicKey::of(&leaf.tbs_certificate.subject_pki)) {
        return Err(invalid("tls: private key does not match public key"));
    }
    let raw = chain.iter().map(|certificate| Value::from(base64(certificate.as_raw())));
    Ok(object([
        ("Certificate", Value::from(raw.collect::<Vec<_>>())),
        ("PrivateKey", key.to_go()),
        ("SupportedSignatureAlgorithms", Value::Null),
        ("OCSPStaple", Value::Null),
        ("SignedCertificateTimestamps", Value::Null),
        ("Leaf", to_go(leaf, false)?),
    ]))
}
