//! One JWK (RFC 7517, 7518 §6): the public key that it is, prepared once for every verification.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::ParsedPublicKey;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::algorithm::{Algorithm, Curve};
use super::{base64_url, weak_rsa};

/// RFC 7518 §3.3 wants no fewer; a signature of fewer can be forged.
const MIN_RSA_BITS: usize = 2048;
/// Verifying takes the square of it; the signature library reads no more.
const MAX_RSA_BITS: usize = 8192;
/// Verifying takes a multiplication for each bit; every exponent in use is 65537 or 3.
const MAX_RSA_EXPONENT_BYTES: usize = 4;
/// A `kid` is a fingerprint or a random name.
pub(super) const MAX_KEY_ID_BYTES: usize = 256;

/// What is wrong with one entry of a bundle, or with the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityFault {
    #[error("the bundle is no JSON object")]
    NoObject,
    #[error("the bundle has a member twice")]
    DuplicateMember,
    #[error("the bundle is nested too deep")]
    TooDeep,
    #[error("the bundle is too long")]
    TooLarge,
    #[error("the bundle has no list `keys` (RFC 7517 §5)")]
    NoKeys,
    #[error("the bundle has too many keys")]
    TooManyKeys,
    #[error("the trust domain has two bundles")]
    TwoBundles,
    #[error("the key is no JSON object")]
    NoKey,
    #[error("the key has no `kid` of at most 256 bytes (SPIFFE bundle §6.2)")]
    KeyId,
    #[error("another key has this `kid`")]
    DuplicateKeyId,
    #[error("the key's `use` is no text")]
    Use,
    #[error("the key's `key_ops` is no list with `verify` (RFC 7517 §4.3)")]
    KeyOperations,
    #[error("the key's `alg` is not one that its type and curve verify (RFC 7518 §3.1)")]
    Algorithm,
    #[error("the key is private")]
    Private,
    #[error("a number of the key is absent or no shortest base64url (RFC 7518 §6)")]
    Number,
    #[error("the curve is not P-256, P-384 or P-521")]
    Curve,
    #[error("the point is not on the curve")]
    Point,
    #[error("the RSA modulus must be odd and of 2048 to 8192 bits")]
    Modulus,
    #[error("the RSA exponent must be odd, from 3 and of at most 4 bytes")]
    Exponent,
    #[error("the RSA key comes from a broken generator (CVE-2017-15361)")]
    WeakGenerator,
}

/// A key with each algorithm that it may verify.
pub(super) struct Key {
    prepared: Keys,
    fingerprint: [u8; 32],
}

/// A key of a JWT bundle, named so that it can be found again: its `kid`, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtKeyName {
    pub(super) kid: Box<str>,
    /// SHA-256 of the key and of what it may verify: another key may come under the same `kid`.
    pub(super) fingerprint: [u8; 32],
}

#[cfg(any(fuzzing, test))]
impl JwtKeyName {
    /// Of a token that nobody signed.
    pub(super) fn none() -> Self {
        Self { kid: "".into(), fingerprint: [0; 32] }
    }
}

impl Key {
    fn new(prepared: Keys) -> Self {
        let mut hasher = Sha256::new();
        for (algorithm, key) in &prepared {
            for bytes in [algorithm.as_str().as_bytes(), key.as_ref()] {
                hasher.update(bytes.len().to_le_bytes());
                hasher.update(bytes);
            }
        }
        Self { prepared, fingerprint: hasher.finalize().into() }
    }

    pub(super) fn named(&self, kid: &str) -> JwtKeyName {
        JwtKeyName { kid: kid.into(), fingerprint: self.fingerprint }
    }

    pub(super) fn is(&self, name: &JwtKeyName) -> bool {
        self.fingerprint == name.fingerprint
    }

    /// Whether the key verifies with this algorithm, and the signature is right.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = self.prepared.iter().find(|(known, _)| *known == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }

    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        self.prepared.iter().any(|(known, _)| *known == algorithm)
    }
}

/// Reads an entry; `None` is one that is not for JWT-SVIDs, or of a kind that nobody here knows, which
/// the bundle's reader must ignore (SPIFFE bundle §4.1.3).
///
/// # Errors
/// The entry is a key for signatures and cannot be used.
pub(super) fn read(jwk: &Map<String, Value>) -> Result<Option<Key>, AuthorityFault> {
    if !is_for_signatures(jwk)? {
        return Ok(None);
    }
    let read = match jwk.get("kty").and_then(Value::as_str) {
        Some("EC") => ec,
        Some("RSA") => rsa,
        _ => return Ok(None),
    };
    if jwk.contains_key("d") {
        return Err(AuthorityFault::Private);
    }
    check_operations(jwk)?;
    let stated = match jwk.get("alg") {
        None => None,
        Some(alg) => {
            let known = alg.as_str().and_then(Algorithm::named);
            Some(known.ok_or(AuthorityFault::Algorithm)?)
        }
    };
    read(jwk, stated).map(|keys| Some(Key::new(keys)))
}

/// `jwt-svid` in a SPIFFE bundle; in a plain key set, as the Workload API gives it, nothing or `sig`.
fn is_for_signatures(jwk: &Map<String, Value>) -> Result<bool, AuthorityFault> {
    match jwk.get("use") {
        None => Ok(true),
        Some(Value::String(name)) => Ok(matches!(name.as_str(), "jwt-svid" | "sig")),
        Some(_) => Err(AuthorityFault::Use),
    }
}

fn check_operations(jwk: &Map<String, Value>) -> Result<(), AuthorityFault> {
    let Some(operations) = jwk.get("key_ops") else { return Ok(()) };
    let operations = operations.as_array().ok_or(AuthorityFault::KeyOperations)?;
    let verifies = operations.iter().any(|operation| operation == "verify");
    if verifies { Ok(()) } else { Err(AuthorityFault::KeyOperations) }
}

type Keys = Vec<(Algorithm, ParsedPublicKey)>;

fn ec(jwk: &Map<String, Value>, stated: Option<Algorithm>) -> Result<Keys, AuthorityFault> {
    let curve = jwk.get("crv").and_then(Value::as_str).and_then(Curve::named);
    let curve = curve.ok_or(AuthorityFault::Curve)?;
    let algorithm = curve.algorithm();
    if stated.is_some_and(|stated| stated != algorithm) {
        return Err(AuthorityFault::Algorithm);
    }
    let mut point = vec![4]; // uncompressed
    for name in ["x", "y"] {
        let coordinate = bytes(jwk, name)?;
        if coordinate.len() != curve.bytes() {
            return Err(AuthorityFault::Number);
        }
        point.extend(coordinate);
    }
    let key = ParsedPublicKey::new(curve.ecdsa(), point).map_err(|_| AuthorityFault::Point)?;
    Ok(vec![(algorithm, key)])
}

fn rsa(jwk: &Map<String, Value>, stated: Option<Algorithm>) -> Result<Keys, AuthorityFault> {
    let (modulus, exponent) = (number(jwk, "n")?, number(jwk, "e")?);
    let bits = bits(&modulus);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) || !is_odd(&modulus) {
        return Err(AuthorityFault::Modulus);
    }
    let is_one = exponent == [1];
    if is_one || !is_odd(&exponent) || exponent.len() > MAX_RSA_EXPONENT_BYTES {
        return Err(AuthorityFault::Exponent);
    }
    if weak_rsa::has_mark(&modulus) {
        return Err(AuthorityFault::WeakGenerator);
    }
    let algorithms = match &stated {
        Some(stated) => std::slice::from_ref(stated),
        None => &Algorithm::RSA,
    };
    let components = PublicKeyComponents { n: modulus, e: exponent };
    let prepared = |algorithm: &Algorithm| {
        let parameters = algorithm.rsa().ok_or(AuthorityFault::Algorithm)?;
        let key = components.to_parsed_public_key(parameters);
        key.map(|key| (*algorithm, key)).map_err(|_| AuthorityFault::Modulus)
    };
    algorithms.iter().map(prepared).collect()
}

fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, AuthorityFault> {
    let text = jwk.get(name).and_then(Value::as_str).ok_or(AuthorityFault::Number)?;
    base64_url(text).ok_or(AuthorityFault::Number)
}

/// Of no more bytes than it takes (RFC 7518 §6.3.1).
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, AuthorityFault> {
    let bytes = bytes(jwk, name)?;
    if bytes.first().is_none_or(|first| *first == 0) {
        return Err(AuthorityFault::Number);
    }
    Ok(bytes)
}

fn bits(number: &[u8]) -> usize {
    let zeros = number.first().map_or(0, |first| first.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(zeros as usize)
}

fn is_odd(number: &[u8]) -> bool {
    number.last().is_some_and(|last| last & 1 == 1)
}
