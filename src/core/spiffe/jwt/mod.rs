//! JWT-SVIDs (JWT-SVID.md): a bearer token and the JWT bundles enter, whose it is and what it claims or
//! the first broken rule leaves.
//!
//! Nothing here asks a clock, fetches a key or keeps a token. A key is looked up in the bundle of the
//! subject's own trust domain and in no other, by the token's `kid` letter by letter. A token without
//! `kid`, which JWT-SVID §2.2 leaves optional, is verified where that bundle has exactly one usable key
//! and refused elsewhere: trying one key after the other would let a caller choose how long we work.
//!
//! ECDSA lets anybody turn a signature (r, s) into (r, n − s) of the same message, and signers make both.
//! So two tokens may differ and be the same to us: what remembers tokens must go by their first two parts.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::svid::{MAX_CLAIMED_ID_BYTES, printable};
use super::{SpiffeId, TrustDomain};
use crate::Timestamp;

mod algorithm;
mod authorities;
mod claims;
mod error;
mod header;
mod json;
mod key;
mod weak_rsa;
#[cfg(test)]
mod tests;

use self::authorities::Keys;
use self::claims::Claims;
use self::header::{Header, MAX_HEADER_BYTES};
use self::key::Key;

pub use self::authorities::{JwtAuthorities, UnusableAuthority};
pub use self::error::JwtError;
pub use self::key::{AuthorityFault, JwtKeyName};

/// Servers take about this much for all headers together; a JWT-SVID has about 500 bytes.
pub const MAX_TOKEN_BYTES: usize = 16 << 10;
/// How far clocks may be apart when nothing else is configured.
pub const DEFAULT_LEEWAY: Duration = Duration::from_secs(5);
/// JWT-SVID appendix A: a leeway is small. A longer one counts as this one.
pub const MAX_LEEWAY: Duration = Duration::from_secs(60);
/// Of a name in a refusal's text.
const MAX_SHOWN_BYTES: usize = 64;

/// A JWT-SVID that holds. It is not shown whole: claims may say more of a person than of a workload.
#[derive(Clone, PartialEq)]
pub struct JwtSvid {
    pub id: SpiffeId,
    /// `exp`, without leeway.
    pub not_after: Timestamp,
    /// The key of the subject's trust domain that verified it.
    pub key: JwtKeyName,
    /// Every claim of the token.
    pub claims: Map<String, Value>,
}

impl fmt::Debug for JwtSvid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("JwtSvid");
        fields.field("id", &self.id.as_str()).field("not_after", &self.not_after);
        fields.finish_non_exhaustive()
    }
}

/// The parts of a token in the compact serialisation.
struct Compact<'a> {
    header: &'a str,
    claims: &'a str,
    signature: &'a str,
    /// Header and claims with the dot between them.
    signed: &'a str,
}

impl JwtAuthorities {
    /// Verifies a token for one of our audiences.
    ///
    /// # Errors
    /// The first rule that it breaks: form, header, subject, key, signature, audience, times.
    pub fn verify(
        &self,
        token: &str,
        audience: &[String],
        now: Timestamp,
        leeway: Duration,
    ) -> Result<JwtSvid, JwtError> {
        let token = compact(token)?;
        let header = token.header()?;
        let claims = Claims::read(&decoded(token.claims, "claims")?)?;
        let key = self.check_signature(&token, &header, claims.subject.trust_domain())?;
        let not_after = claims.check(audience, now, micros(leeway))?;
        Ok(JwtSvid { id: claims.subject, not_after, key, claims: claims.all })
    }

    /// Whether a token that was verified before would still be: whether its key is in force, and its
    /// time not over. Who holds no token can ask this.
    ///
    /// # Errors
    /// The bundle or the key is gone, or the token has expired.
    pub fn still_holds(
        &self,
        trust_domain: &TrustDomain,
        key: &JwtKeyName,
        not_after: Timestamp,
        now: Timestamp,
        leeway: Duration,
    ) -> Result<(), JwtError> {
        let keys = self.of(trust_domain);
        let keys = keys.ok_or_else(|| JwtError::NoBundle { trust_domain: trust_domain.clone() })?;
        if !keys.get(&key.kid).is_some_and(|found| found.is(key)) {
            return Err(unknown(&key.kid, trust_domain));
        }
        claims::check_not_expired(not_after, now, micros(leeway))
    }

    /// Whether the header and the signature alone hold, by the bundle of a trust domain: for published
    /// vectors, whose payloads are no claims. It says nothing about whom a token is from.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn verify_signature(
        &self,
        token: &str,
        trust_domain: &TrustDomain,
    ) -> Result<(), JwtError> {
        let token = compact(token)?;
        let header = token.header()?;
        decoded(token.claims, "claims")?;
        self.check_signature(&token, &header, trust_domain).map(|_| ())
    }

    fn check_signature(
        &self,
        token: &Compact<'_>,
        header: &Header,
        trust_domain: &TrustDomain,
    ) -> Result<JwtKeyName, JwtError> {
        let signature = decoded(token.signature, "signature")?;
        let keys = self.of(trust_domain);
        let keys = keys.ok_or_else(|| JwtError::NoBundle { trust_domain: trust_domain.clone() })?;
        let (kid, key) = chosen(keys, header.key_id.as_deref(), trust_domain)?;
        if !key.fits(header.algorithm) {
            return Err(JwtError::KeyAlgorithm { algorithm: header.algorithm.as_str() });
        }
        if !key.verifies(header.algorithm, token.signed.as_bytes(), &signature) {
            return Err(JwtError::Signature);
        }
        Ok(key.named(kid))
    }
}

impl Compact<'_> {
    fn header(&self) -> Result<Header, JwtError> {
        if self.header.len() > MAX_HEADER_BYTES {
            return Err(JwtError::HeaderTooLarge);
        }
        Header::read(&decoded(self.header, "header")?)
    }
}

/// What claims would say if somebody had signed them: for the fuzzer, which cannot sign.
#[cfg(any(fuzzing, test))]
pub(crate) fn unproven(
    claims: &[u8],
    audience: &[String],
    now: Timestamp,
) -> Result<JwtSvid, JwtError> {
    let claims = Claims::read(claims)?;
    let not_after = claims.check(audience, now, micros(DEFAULT_LEEWAY))?;
    Ok(JwtSvid { id: claims.subject, not_after, key: JwtKeyName::none(), claims: claims.all })
}

fn micros(leeway: Duration) -> i64 {
    i64::try_from(leeway.min(MAX_LEEWAY).as_micros()).unwrap_or_default()
}

/// The subject that a token claims, proven or not, printable and cut: for the record of a refusal.
#[must_use]
pub fn claimed(token: &str) -> Option<String> {
    let claims = compact(token).ok()?.claims;
    let claims = json::object(&base64_url(claims)?, json::MAX_TOKEN_VALUES).ok()?;
    let subject = claims.get("sub")?.as_str()?;
    Some(printable(subject, MAX_CLAIMED_ID_BYTES))
}

fn chosen<'a>(
    keys: &'a Keys,
    kid: Option<&str>,
    trust_domain: &TrustDomain,
) -> Result<(&'a str, &'a Key), JwtError> {
    let Some(kid) = kid else {
        let mut keys = keys.iter();
        return match (keys.next(), keys.next()) {
            (Some((kid, only)), None) => Ok((kid, only)),
            _ => Err(JwtError::NoKeyId { trust_domain: trust_domain.clone() }),
        };
    };
    let found = keys.get_key_value(kid).map(|(kid, key)| (&**kid, key));
    found.ok_or_else(|| unknown(kid, trust_domain))
}

fn unknown(kid: &str, trust_domain: &TrustDomain) -> JwtError {
    let (trust_domain, kid) = (trust_domain.clone(), printable(kid, MAX_SHOWN_BYTES));
    JwtError::UnknownKey { trust_domain, kid }
}

/// Three parts and the dots between them (RFC 7515 §3.1). Five parts are a JWE, an object is a JWS of
/// another serialisation.
fn compact(token: &str) -> Result<Compact<'_>, JwtError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(JwtError::TooLarge { bytes: token.len() });
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::NotCompact)?;
    let (header, claims) = signed.split_once('.').ok_or(JwtError::NotCompact)?;
    if claims.contains('.') {
        return Err(JwtError::NotCompact);
    }
    Ok(Compact { header, claims, signature, signed })
}

fn decoded(text: &str, part: &'static str) -> Result<Vec<u8>, JwtError> {
    base64_url(text).ok_or(JwtError::Base64 { part })
}

/// Without padding, line breaks or spare bits: there is one text for the bytes.
fn base64_url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
