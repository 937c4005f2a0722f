//! The JOSE header (JWT-SVID §2): `alg`, `kid`, `typ` and nothing else.

use serde_json::Value;

use super::algorithm::Algorithm;
use super::key::MAX_KEY_ID_BYTES;
use super::{JwtError, MAX_SHOWN_BYTES, json};
use crate::spiffe::svid::printable;

/// Three short members take a hundred bytes.
pub(super) const MAX_HEADER_BYTES: usize = 1 << 10;

#[derive(Debug)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

impl Header {
    /// Reads the decoded header.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, JwtError> {
        let mut members = json::object(bytes, json::MAX_TOKEN_VALUES)
            .map_err(|fault| JwtError::of_json(fault, "header"))?;
        let algorithm = match members.swap_remove("alg") {
            None => return Err(JwtError::NoAlgorithm),
            Some(Value::String(name)) => Algorithm::named(&name)
                .ok_or_else(|| JwtError::Algorithm { named: printable(&name, MAX_SHOWN_BYTES) })?,
            Some(_) => return Err(JwtError::HeaderType { member: "alg" }),
        };
        // `JWT` and `JOSE` only, so that no token of another kind passes for a JWT-SVID: a WIT-SVID
        // says `wit+jwt`, an access token `at+jwt`.
        match members.swap_remove("typ") {
            None => {}
            Some(Value::String(name)) if matches!(name.as_str(), "JWT" | "JOSE") => {}
            Some(Value::String(name)) => {
                return Err(JwtError::Type { named: printable(&name, MAX_SHOWN_BYTES) });
            }
            Some(_) => return Err(JwtError::HeaderType { member: "typ" }),
        }
        let key_id = match members.swap_remove("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= MAX_KEY_ID_BYTES => Some(kid),
            Some(_) => return Err(JwtError::HeaderType { member: "kid" }),
        };
        if let Some((name, _)) = members.into_iter().next() {
            return Err(JwtError::HeaderMember { name: printable(&name, MAX_SHOWN_BYTES) });
        }
        Ok(Self { algorithm, key_id })
    }
}
