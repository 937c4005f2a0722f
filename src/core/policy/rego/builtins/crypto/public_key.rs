//! Public keys of certificates, requests and tokens, and how Go names and shows them.

use regorus::Value;
use x509_parser::prelude::{FromDer as _, SubjectPublicKeyInfo};
use x509_parser::public_key;

use super::arguments::object;
use super::encoding::{base64, number};

/// RFC 7518 (3.3) wants no less for a token, and a signature of fewer bits can be forged.
pub(in super::super) const MIN_RSA_BITS: usize = 2048;
/// Verifying takes the square of it; the signature library reads no more.
pub(in super::super) const MAX_RSA_BITS: usize = 8192;
/// Every exponent in use is 65537 or less, and verifying takes a multiplication for each bit.
pub(in super::super) const MAX_RSA_EXPONENT_BYTES: usize = 3;

/// A public key that was read; no number has leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum PublicKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The point is uncompressed: 4, x, y.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// Of a kind that no builtin uses, or malformed.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    /// By its name in a JWK.
    pub(in super::super) fn named(name: &str) -> Option<Self> {
        match name {
            "P-256" => Some(Self::P256),
            "P-384" => Some(Self::P384),
            "P-521" => Some(Self::P521),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(super) fn of_oid(oid: &str) -> Option<Self> {
        match oid {
            "1.2.840.10045.3.1.7" => Some(Self::P256),
            "1.3.132.0.34" => Some(Self::P384),
            "1.3.132.0.35" => Some(Self::P521),
            _ => None,
        }
    }

    /// Of one coordinate.
    pub(in super::super) fn bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl PublicKey {
    /// From a `SubjectPublicKeyInfo` that is all there is.
    pub(in super::super) fn from_der(bytes: &[u8]) -> Option<Self> {
        let (rest, info) = SubjectPublicKeyInfo::from_der(bytes).ok()?;
        rest.is_empty().then(|| Self::of(&info))
    }

    pub(in super::super) fn of(info: &SubjectPublicKeyInfo<'_>) -> Self {
        let bits = info.subject_public_key.data.as_ref();
        match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => match info.parsed() {
                Ok(public_key::PublicKey::RSA(key)) => Self::Rsa {
                    modulus: without_zeros(key.modulus).to_vec(),
                    exponent: without_zeros(key.exponent).to_vec(),
                },
                Ok(_) | Err(_) => Self::Other,
            },
            "1.2.840.10045.2.1" => {
                let parameters = info.algorithm.parameters.as_ref();
                let curve = parameters
                    .and_then(|any| any.as_oid().ok())
                    .and_then(|oid| Curve::of_oid(&oid.to_id_string()));
                match curve {
                    Some(curve) if is_point(curve, bits) => {
                        Self::Ec { curve, point: bits.to_vec() }
                    }
                    Some(_) | None => Self::Other,
                }
            }
            "1.3.101.112" if bits.len() == 32 => Self::Ed25519(bits.to_vec()),
            _ => Self::Other,
        }
    }

    /// As Go's `encoding/json` writes its public key types.
    pub(super) fn to_go(&self) -> Value {
        match self {
            Self::Rsa { modulus, exponent } => {
                object([("N", number(modulus)), ("E", number(exponent))])
            }
            Self::Ec { curve, point } => {
                let (x, y) = coordinates(*curve, point);
                object([("Curve", Value::new_object()), ("X", number(x)), ("Y", number(y))])
            }
            Self::Ed25519(bytes) => Value::from(base64(bytes)),
            Self::Other => Value::Null,
        }
    }

    /// The numbers that Go gives `x509.PublicKeyAlgorithm`.
    pub(super) fn algorithm(info: &SubjectPublicKeyInfo<'_>) -> Value {
        let number = match info.algorithm.algorithm.to_id_string().as_str() {
            "1.2.840.113549.1.1.1" => 1_u32,
            "1.2.840.10040.4.1" => 2,
            "1.2.840.10045.2.1" => 3,
            "1.3.101.112" => 4,
            _ => 0,
        };
        Value::from(number)
    }
}

fn is_point(curve: Curve, bits: &[u8]) -> bool {
    bits.first() == Some(&4) && bits.len() == curve.bytes().saturating_mul(2).saturating_add(1)
}

/// X and y of a point.
pub(super) fn coordinates(curve: Curve, point: &[u8]) -> (&[u8], &[u8]) {
    let xy = point.get(1..).unwrap_or_default();
    xy.split_at_checked(curve.bytes()).unwrap_or_default()
}

pub(in super::super) fn without_zeros(mut bytes: &[u8]) -> &[u8] {
    while let [0, rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}
