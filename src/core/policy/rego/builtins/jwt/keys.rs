//! The keys that a policy trusts, and which of them a token is tried with.

use super::super::BuiltinError;
use super::super::crypto::{PublicKey, invalid, next_block, parse_certificate};
use super::algorithm::{Algorithm, Key};
use super::jwk;
use super::token::text_member;

/// Of one call, in units of [`Algorithm::cost`] of about 0.3 ms: a set without key IDs is tried key by
/// key, and a call must stay below 5 ms.
const MAX_COST: usize = 8;

/// A key with what its JWK says of it; a key in PEM says nothing.
pub(super) struct TrustedKey {
    pub(super) id: Option<String>,
    pub(super) algorithm: Option<Algorithm>,
    pub(super) key: Key,
}

/// From a PEM certificate, a PEM public key, a JWK or a JWKS.
pub(super) fn trusted(text: &str) -> Result<Vec<TrustedKey>, BuiltinError> {
    let Some(block) = next_block(text)? else { return from_jwks(text) };
    if !block.rest.is_empty() {
        return Err(invalid("extra data after a PEM certificate block"));
    }
    let key = match block.label {
        "CERTIFICATE" => parse_certificate(&block.bytes, PublicKey::of)
            .map_err(|error| invalid(format!("failed to parse a PEM certificate: {error}")))?,
        "PUBLIC KEY" => PublicKey::from_der(&block.bytes)
            .ok_or_else(|| invalid("failed to parse a PEM public key"))?,
        _ => return Err(invalid("failed to extract a Key from the PEM certificate")),
    };
    Ok(vec![TrustedKey { id: None, algorithm: None, key: Key::Public(key) }])
}

/// Keys for an algorithm that is none of ours are left out, as OPA does it.
fn from_jwks(text: &str) -> Result<Vec<TrustedKey>, BuiltinError> {
    let mut keys = Vec::new();
    for jwk in jwk::members(text)? {
        let key = jwk::verifying(&jwk)?;
        let named = text_member(&jwk, "alg").map_err(|error| jwk::failed(&error.0))?;
        let algorithm = named.and_then(Algorithm::named);
        if named.is_some_and(|name| !name.is_empty()) && algorithm.is_none() {
            continue;
        }
        let id = text_member(&jwk, "kid").map_err(|error| jwk::failed(&error.0))?;
        let id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        keys.push(TrustedKey { id, algorithm, key });
    }
    Ok(keys)
}

/// What the signatures that a call may still try cost together.
pub(super) struct Attempts(usize);

impl Attempts {
    pub(super) fn new() -> Self {
        Self(MAX_COST)
    }

    fn take(&mut self, cost: usize) -> Result<(), BuiltinError> {
        let left = self.0.checked_sub(cost).ok_or_else(|| {
            invalid(
                "too many keys could be the token's: \
                 give each a `kid` and the token the one of its key",
            )
        })?;
        self.0 = left;
        Ok(())
    }
}

/// What is to be verified.
pub(super) struct Signed<'a> {
    /// The header's `alg`, whatever it is.
    pub(super) named: Option<&'a str>,
    pub(super) key_id: Option<&'a str>,
    pub(super) message: &'a [u8],
    pub(super) signature: &'a [u8],
}

/// Whether one of the keys signed it with this algorithm. The key of the token's key ID is the only
/// one tried; without it each key is that fits, and a key that names an algorithm is only for it.
pub(super) fn verify(
    keys: &[TrustedKey],
    algorithm: Algorithm,
    signed: &Signed<'_>,
    attempts: &mut Attempts,
) -> Result<bool, BuiltinError> {
    let by_id = signed.key_id.and_then(|id| keys.iter().find(|key| key.id.as_deref() == Some(id)));
    let candidates = match by_id {
        Some(key) => std::slice::from_ref(key),
        None => keys,
    };
    for key in candidates {
        let is_allowed = match key.algorithm {
            Some(own) => own == algorithm && signed.named.and_then(Algorithm::named) == Some(own),
            None => true,
        };
        if !is_allowed || !algorithm.fits(&key.key) {
            continue;
        }
        attempts.take(algorithm.cost(&key.key))?;
        if algorithm.verify(&key.key, signed.message, signed.signature) {
            return Ok(true);
        }
    }
    Ok(false)
}
