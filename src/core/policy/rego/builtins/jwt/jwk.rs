//! JSON web keys (RFC 7517, 7518, 8037): one, or the `keys` of a set.

use regorus::Value;

use super::super::BuiltinError;
use super::super::crypto::{Curve, PublicKey, from_base64_url, invalid, without_zeros};
use super::algorithm::Key;
use super::token::{json_object, member, text_member};

/// Of a set; the largest published ones have about ten.
const MAX_KEYS: usize = 64;

/// The keys of a set in their order, or the one key.
pub(super) fn members(text: &str) -> Result<Vec<Value>, BuiltinError> {
    let set = json_object(text.as_bytes()).map_err(|error| failed(&error.0))?;
    let Some(keys) = member(&set, "keys") else { return Ok(vec![set]) };
    let keys = keys.as_array().map_err(|_| failed("`keys` is not a list"))?;
    if keys.len() > MAX_KEYS {
        let count = keys.len();
        return Err(failed(&format!("it has {count} keys, and at most {MAX_KEYS} are read")));
    }
    Ok(keys.iter().cloned().collect())
}

pub(super) fn failed(why: &str) -> BuiltinError {
    invalid(format!("failed to parse a JWK key (set): {why}"))
}

/// What the key verifies with. A private key is not taken for a public one.
pub(super) fn verifying(jwk: &Value) -> Result<Key, BuiltinError> {
    let kind = text_member(jwk, "kty").map_err(|error| failed(&error.0))?;
    let key = match kind {
        Some("oct") => return secret(jwk).map(Key::Secret),
        Some("RSA") => PublicKey::Rsa {
            modulus: without_zeros(&bytes(jwk, "n")?).to_vec(),
            exponent: without_zeros(&bytes(jwk, "e")?).to_vec(),
        },
        Some("EC") => {
            let curve = Curve::named(text(jwk, "crv")?)
                .ok_or_else(|| failed("the curve is not P-256, P-384 or P-521"))?;
            let mut point = vec![4];
            for name in ["x", "y"] {
                point.extend(coordinate(curve, &bytes(jwk, name)?)?);
            }
            PublicKey::Ec { curve, point }
        }
        Some("OKP") => match text(jwk, "crv")? {
            "Ed25519" => PublicKey::Ed25519(bytes(jwk, "x")?),
            _ => PublicKey::Other,
        },
        Some(_) => return Err(failed("the key type is unknown")),
        None => return Err(failed("a key has no type")),
    };
    let is_private = member(jwk, "d").is_some();
    Ok(Key::Public(if is_private { PublicKey::Other } else { key }))
}

/// The secret of an HMAC; everybody knows the empty one.
pub(super) fn secret(jwk: &Value) -> Result<Vec<u8>, BuiltinError> {
    let secret = bytes(jwk, "k")?;
    if secret.is_empty() { Err(failed("the secret is empty")) } else { Ok(secret) }
}

/// As long as the curve wants it; RFC 7518 (6.2.1.2) allows no other length, Go does.
fn coordinate(curve: Curve, bytes: &[u8]) -> Result<Vec<u8>, BuiltinError> {
    let bytes = without_zeros(bytes);
    let zeros = curve.bytes().checked_sub(bytes.len());
    let zeros = zeros.ok_or_else(|| failed("a coordinate is longer than its curve's"))?;
    let mut padded = vec![0; zeros];
    padded.extend(bytes);
    Ok(padded)
}

pub(super) fn text<'a>(jwk: &'a Value, name: &str) -> Result<&'a str, BuiltinError> {
    match text_member(jwk, name) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(failed(&format!("a key has no `{name}`"))),
        Err(error) => Err(failed(&error.0)),
    }
}

/// A member in base64url.
pub(super) fn bytes(jwk: &Value, name: &str) -> Result<Vec<u8>, BuiltinError> {
    let encoded = text(jwk, name)?;
    from_base64_url(encoded).map_err(|error| failed(&format!("`{name}`: {error}")))
}
