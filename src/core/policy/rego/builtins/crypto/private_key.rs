//! `crypto.parse_private_keys`, `crypto.x509.parse_rsa_private_key` and `crypto.x509.parse_keypair`.
//!
//! Keys in PKCS #1, PKCS #8 and SEC 1. Their numbers are read, not checked: signing checks them.

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use regorus::Value;
use x509_parser::asn1_rs::Oid;

use super::super::BuiltinError;
use super::arguments::{invalid, object};
use super::der::{self, Reader};
use super::encoding::{base64, base64_url, from_base64, number};
use super::pem::{Block, has_pem, next_block};
use super::public_key::{Curve, PublicKey, coordinates, without_zeros};

/// In one text.
const MAX_KEYS: usize = 16;
/// The tag of a SEC 1 key's curve.
const CURVE: u8 = 0xa0;

/// Without `Debug`: nothing may show one but the builtins whose value it is.
pub(super) enum PrivateKey {
    Rsa(Rsa),
    Ec { curve: Curve, secret: Vec<u8>, point: Vec<u8> },
    Ed25519 { seed: Vec<u8>, public: Vec<u8> },
}

/// The numbers of PKCS #1, in its order: n, e, d, p, q, dp, dq, qi.
pub(super) struct Rsa([Vec<u8>; 8]);

fn malformed() -> BuiltinError {
    invalid("x509: failed to parse private key")
}

/// The keys of all blocks that hold one; the text may be in base64.
pub(super) fn of_text(text: &str) -> Result<Vec<PrivateKey>, BuiltinError> {
    let decoded = from_base64(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let mut rest = decoded.as_deref().unwrap_or(text);
    let mut keys = Vec::new();
    while let Some(block) = next_block(rest)? {
        let key = match block.label {
            "RSA PRIVATE KEY" => Some(PrivateKey::pkcs1(&block.bytes)),
            "PRIVATE KEY" => Some(PrivateKey::pkcs8(&block.bytes)),
            "EC PRIVATE KEY" => Some(PrivateKey::sec1(&block.bytes, None)),
            _ => None,
        };
        if let Some(key) = key {
            if keys.len() >= MAX_KEYS {
                return Err(invalid(format!("more than {MAX_KEYS} private keys")));
            }
            keys.push(key.ok_or_else(malformed)?);
        }
        rest = block.rest;
    }
    Ok(keys)
}

/// The first key of a text in PEM, in PEM in base64, or in base64.
pub(super) fn first_of(text: &str) -> Result<PrivateKey, BuiltinError> {
    let bytes = if has_pem(text) { text.as_bytes().to_vec() } else { from_base64(text)? };
    let mut rest = match std::str::from_utf8(&bytes) {
        Ok(text) if has_pem(text) => text,
        Ok(_) | Err(_) => return PrivateKey::any(&bytes).ok_or_else(malformed),
    };
    while let Some(Block { label, bytes, rest: after }) = next_block(rest)? {
        if label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY") {
            return PrivateKey::any(&bytes).ok_or_else(malformed);
        }
        rest = after;
    }
    Err(invalid("tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input"))
}

impl PrivateKey {
    fn any(der: &[u8]) -> Option<Self> {
        Self::pkcs1(der).or_else(|| Self::pkcs8(der)).or_else(|| Self::sec1(der, None))
    }

    fn pkcs1(der: &[u8]) -> Option<Self> {
        let mut reader = Reader::only_sequence(der)?;
        reader.unsigned()?.is_empty().then_some(())?;
        let mut numbers = [const { Vec::new() }; 8];
        for number in &mut numbers {
            *number = reader.unsigned()?.to_vec();
        }
        reader.is_empty().then_some(Self::Rsa(Rsa(numbers)))
    }

    fn pkcs8(der: &[u8]) -> Option<Self> {
        let mut reader = Reader::only_sequence(der)?;
        reader.unsigned()?;
        let mut algorithm = Reader::new(reader.expect(der::SEQUENCE)?);
        let key = reader.expect(der::OCTETS)?;
        match identifier(&mut algorithm)?.as_str() {
            "1.2.840.113549.1.1.1" => Self::pkcs1(key),
            "1.2.840.10045.2.1" => Self::sec1(key, Curve::of_oid(&identifier(&mut algorithm)?)),
            "1.3.101.112" => {
                let seed = Reader::new(key).expect(der::OCTETS)?;
                let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
                let public = pair.public_key().as_ref().to_vec();
                Some(Self::Ed25519 { seed: seed.to_vec(), public })
            }
            _ => None,
        }
    }

    /// The curve stands around the key or in it.
    fn sec1(der: &[u8], curve: Option<Curve>) -> Option<Self> {
        let mut reader = Reader::only_sequence(der)?;
        (reader.unsigned()? == [1]).then_some(())?;
        let octets = without_zeros(reader.expect(der::OCTETS)?);
        let own = reader
            .expect(CURVE)
            .and_then(|content| Curve::of_oid(&identifier(&mut Reader::new(content))?));
        let curve = curve.or(own)?;
        let mut secret = vec![0; curve.bytes().checked_sub(octets.len())?];
        secret.extend(octets);
        let algorithm = match curve {
            Curve::P256 => &ECDH_P256,
            Curve::P384 => &ECDH_P384,
            Curve::P521 => &ECDH_P521,
        };
        let private = agreement::PrivateKey::from_private_key(algorithm, &secret).ok()?;
        let point = private.compute_public_key().ok()?.as_ref().to_vec();
        Some(Self::Ec { curve, secret, point })
    }

    /// Whether it is the private half of this key.
    pub(super) fn is_of(&self, key: &PublicKey) -> bool {
        match (self, key) {
            (Self::Rsa(Rsa([n, e, ..])), PublicKey::Rsa { modulus, exponent }) => {
                n == modulus && e == exponent
            }
            (Self::Ec { curve, point, .. }, PublicKey::Ec { curve: other, point: its }) => {
                curve == other && point == its
            }
            (Self::Ed25519 { public, .. }, PublicKey::Ed25519(its)) => public == its,
            _ => false,
        }
    }

    /// As Go's `encoding/json` writes its private key types.
    pub(super) fn to_go(&self) -> Value {
        match self {
            Self::Rsa(Rsa([n, e, d, p, q, dp, dq, qi])) => {
                let precomputed = object([
                    ("Dp", number(dp)),
                    ("Dq", number(dq)),
                    ("Qinv", number(qi)),
                    ("CRTValues", Value::new_array()),
                ]);
                object([
                    ("N", number(n)),
                    ("E", number(e)),
                    ("D", number(d)),
                    ("Primes", Value::from(vec![number(p), number(q)])),
                    ("Precomputed", precomputed),
                ])
            }
            Self::Ec { curve, secret, point } => {
                let (x, y) = coordinates(*curve, point);
                object([
                    ("Curve", Value::new_object()),
                    ("X", number(x)),
                    ("Y", number(y)),
                    ("D", number(secret)),
                ])
            }
            Self::Ed25519 { seed, public } => {
                Value::from(base64(&[seed.as_slice(), public.as_slice()].concat()))
            }
        }
    }

    pub(super) fn to_jwk(&self) -> Value {
        let text = |bytes: &[u8]| Value::from(base64_url(bytes));
        match self {
            Self::Rsa(Rsa([n, e, d, p, q, dp, dq, qi])) => object([
                ("kty", Value::from("RSA")),
                ("n", text(n)),
                ("e", text(e)),
                ("d", text(d)),
                ("p", text(p)),
                ("q", text(q)),
                ("dp", text(dp)),
                ("dq", text(dq)),
                ("qi", text(qi)),
            ]),
            Self::Ec { curve, secret, point } => {
                let (x, y) = coordinates(*curve, point);
                object([
                    ("kty", Value::from("EC")),
                    ("crv", Value::from(curve.name())),
                    ("x", text(x)),
                    ("y", text(y)),
                    ("d", text(secret)),
                ])
            }
            Self::Ed25519 { seed, public } => object([
                ("kty", Value::from("OKP")),
                ("crv", Value::from("Ed25519")),
                ("x", text(public)),
                ("d", text(seed)),
            ]),
        }
    }
}

fn identifier(reader: &mut Reader<'_>) -> Option<String> {
    Some(Oid::new(reader.expect(der::OID)?.into()).to_id_string())
}
