//! JWT-SVIDs: an ES256 key with a name, and the key set to verify them.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use portreeve_core::Timestamp;
use portreeve_core::spiffe::SpiffeId;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::AuthorityError;
use super::authority::key_name;

/// A signing key of a trust domain's JWT-SVIDs.
pub struct JwtAuthority {
    key_id: String,
    key: KeyPair,
}

impl JwtAuthority {
    /// Makes a new key.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn new() -> Result<Self, AuthorityError> {
        let error = |source| AuthorityError::Issue { subject: String::from("JWT key"), source };
        let key = KeyPair::generate().map_err(error)?;
        Ok(Self { key_id: key_name(key.public_key_raw()), key })
    }

    /// Signs a JWT-SVID.
    ///
    /// # Errors
    /// Signing fails.
    pub fn sign(
        &self,
        id: &SpiffeId,
        audience: &[String],
        now: Timestamp,
        ttl: Duration,
    ) -> Result<String, AuthorityError> {
        let issued = now.unix_seconds();
        let expires = issued.saturating_add_unsigned(ttl.as_secs());
        let claims = json!({ "sub": id.as_str(), "aud": audience, "iat": issued, "exp": expires });
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.key_id.clone());
        let key = EncodingKey::from_ec_der(self.key.serialized_der());
        jsonwebtoken::encode(&header, &claims, &key)
            .map_err(|source| AuthorityError::Sign { subject: id.to_string(), source })
    }

    /// The key set that verifies what this authority signs.
    #[must_use]
    pub fn key_set(&self) -> String {
        key_set(std::iter::once(self))
    }

    /// The public key as a JWK, without `use`: so SPIRE hands them to workloads.
    fn jwk(&self) -> Value {
        // An uncompressed point: 0x04, then both coordinates.
        let point = self.key.public_key_raw().get(1..).unwrap_or_default();
        let (x, y) = point.split_at(point.len() / 2);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": self.key_id, "x": x, "y": y })
    }
}

impl fmt::Debug for JwtAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthority").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The key set that verifies what these authorities sign.
pub(super) fn key_set<'a>(authorities: impl Iterator<Item = &'a JwtAuthority>) -> String {
    json!({ "keys": authorities.map(JwtAuthority::jwk).collect::<Vec<_>>() }).to_string()
}
