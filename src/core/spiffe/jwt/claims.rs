//! The claims of JWT-SVID §3: whose the token is, for whom, and when it holds.

use serde_json::{Map, Value};

use super::{JwtError, json};
use crate::Timestamp;
use crate::spiffe::svid::{MAX_CLAIMED_ID_BYTES, printable};
use crate::spiffe::{SpiffeId, SpiffeIdError};

/// The last second of the year 9999, which every reader of a record can write.
const MAX_NUMERIC_DATE: i64 = 253_402_300_799;

/// The claims that have a meaning here, and all of them as they were read.
#[derive(Debug)]
pub(super) struct Claims {
    pub(super) subject: SpiffeId,
    pub(super) all: Map<String, Value>,
}

/// When a token holds, in the microseconds of [`Timestamp`].
#[derive(Debug)]
struct Validity {
    expires: Timestamp,
    /// `nbf` and `iat`, where they are given.
    begins: Option<Timestamp>,
    issued: Option<Timestamp>,
}

/// RFC 7519 §4.1.4: on or after its expiry a token must not be accepted.
pub(super) fn check_not_expired(
    at: Timestamp,
    now: Timestamp,
    leeway_micros: i64,
) -> Result<(), JwtError> {
    let late = now.unix_micros().saturating_sub(leeway_micros);
    if at.unix_micros() <= late { Err(JwtError::Expired { at }) } else { Ok(()) }
}

impl Claims {
    /// Reads the decoded payload as far as the key's choice needs it: nothing of it is proven yet.
    ///
    /// # Errors
    /// It is no JSON object, or its subject is no workload's SPIFFE ID.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, JwtError> {
        let all = json::object(bytes, json::MAX_TOKEN_VALUES)
            .map_err(|fault| JwtError::of_json(fault, "claims"))?;
        let subject = match all.get("sub") {
            None => return Err(JwtError::NoSubject),
            Some(Value::String(subject)) => subject,
            Some(_) => return Err(JwtError::ClaimType { claim: "sub" }),
        };
        let subject = SpiffeId::parse(subject).map_err(|source| noncanonical(subject, source))?;
        if subject.path().is_empty() {
            return Err(JwtError::RootPath { id: subject });
        }
        Ok(Self { subject, all })
    }

    /// Holds the proven claims against our audience and the time; returns when the token expires.
    ///
    /// # Errors
    /// The first rule that they break.
    pub(super) fn check(
        &self,
        audience: &[String],
        now: Timestamp,
        leeway_micros: i64,
    ) -> Result<Timestamp, JwtError> {
        self.check_audience(audience)?;
        let validity = self.validity()?;
        check_not_expired(validity.expires, now, leeway_micros)?;
        let early = now.unix_micros().saturating_add(leeway_micros);
        match validity.begins {
            Some(at) if at.unix_micros() > early => return Err(JwtError::NotYetValid { at }),
            Some(_) | None => {}
        }
        match validity.issued {
            Some(at) if at.unix_micros() > early => return Err(JwtError::IssuedInFuture { at }),
            Some(_) | None => {}
        }
        Ok(validity.expires)
    }

    /// `aud` is a text or a list of texts (RFC 7519 §4.1.3), compared byte for byte.
    fn check_audience(&self, ours: &[String]) -> Result<(), JwtError> {
        let named = match self.all.get("aud") {
            None => return Err(JwtError::NoAudience),
            Some(Value::Array(named)) => named.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let mut is_ours = false;
        for name in named {
            let Value::String(name) = name else {
                return Err(JwtError::ClaimType { claim: "aud" });
            };
            is_ours |= ours.contains(name);
        }
        if named.is_empty() {
            return Err(JwtError::NoAudience);
        }
        if is_ours { Ok(()) } else { Err(JwtError::Audience) }
    }

    fn validity(&self) -> Result<Validity, JwtError> {
        Ok(Validity {
            expires: self.date("exp")?.ok_or(JwtError::NoExpiry)?,
            begins: self.date("nbf")?,
            issued: self.date("iat")?,
        })
    }

    fn date(&self, claim: &'static str) -> Result<Option<Timestamp>, JwtError> {
        let Some(value) = self.all.get(claim) else { return Ok(None) };
        let Value::Number(_) = value else { return Err(JwtError::ClaimType { claim }) };
        numeric_date(value).map(Some).ok_or(JwtError::Date { claim })
    }
}

/// A `NumericDate` (RFC 7519 §2) counts seconds and may have a fraction, of which microseconds are
/// kept, rounded towards the past. `None` is a date that no calendar of four-digit years has.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let range = -MAX_NUMERIC_DATE..=MAX_NUMERIC_DATE;
    if let Some(seconds) = value.as_i64() {
        return range.contains(&seconds).then(|| Timestamp::from_unix_seconds(seconds));
    }
    let micros = (value.as_f64()? * 1e6).floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what an i64 cannot hold becomes its largest or smallest number, which is no date"
    )]
    let micros = micros as i64;
    let seconds = micros.div_euclid(1_000_000);
    range.contains(&seconds).then(|| Timestamp::from_unix_micros(micros))
}

fn noncanonical(claimed: &str, source: SpiffeIdError) -> JwtError {
    JwtError::Subject { claimed: printable(claimed, MAX_CLAIMED_ID_BYTES), source }
}
