//! Whose a request is: the connection's own peer, or the workload of the JWT-SVID that it carries.
//!
//! The canonical head enters; the facts of its caller leave, or why nobody is proven. A token is read
//! from `Authorization: Bearer` alone and verified at every request: what is remembered of it ends with
//! the token, with the keys that verified it and with the connection. Once verified it is taken out of
//! the head, so that neither policy nor record nor upstream can hold it.

use std::sync::Arc;
use std::time::Duration;

use ::http::HeaderMap;
use ::http::header::{AUTHORIZATION, HeaderValue};
use arc_swap::ArcSwap;
use portreeve_core::Timestamp;
use portreeve_core::request::{ConnectionFacts, JwtFacts, Source};
use portreeve_core::spiffe::{JwtAuthorities, JwtError, JwtSvid, SpiffeId, jwt};

use super::Connection;
use super::lapse::Proven;
use super::tokens::Digest;
use crate::identity::DenyListFile;

/// How the callers of a listener prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerSettings {
    pub proof: Proof,
    /// A token must be for one of these.
    pub audience: Vec<String>,
    /// How far the clocks of callers and ours may be apart.
    pub leeway: Duration,
}

/// What a caller must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// An X.509-SVID. `Authorization` is the application's own and not looked at.
    #[default]
    X509,
    /// A JWT-SVID at every request.
    Jwt,
    /// Both, of one SPIFFE ID.
    Both,
    /// An X.509-SVID, or where none is presented a JWT-SVID at every request.
    Either,
}

/// The settings of a listener with the keys that verify tokens, which are swapped whole.
#[derive(Debug)]
pub struct Callers {
    pub settings: CallerSettings,
    pub authorities: Arc<ArcSwap<JwtAuthorities>>,
    /// Whom an operator has blocked; of certificates the handshake asks it.
    pub denied: DenyListFile,
}

/// The caller of one request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) facts: Arc<ConnectionFacts>,
    /// Its SPIFFE ID as the upstream is told it.
    pub(super) name: Option<HeaderValue>,
    /// By its JWT-SVID, where it came with one.
    pub(super) proven: Option<Arc<Proven>>,
}

/// Why the caller of a request is not proven. No text holds a byte of a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallerError {
    #[error("there is no `Authorization`: a JWT-SVID is required")]
    Missing,
    #[error("there is more than one `Authorization`")]
    TwoAuthorizations,
    #[error("`Authorization` has another scheme than `Bearer`")]
    NotBearer,
    #[error("`Authorization: Bearer` holds no token")]
    Empty,
    #[error("the JWT-SVID does not hold: {error}")]
    Token { claimed: Option<String>, error: JwtError },
    #[error("the certificate is of `{certificate}`, the JWT-SVID of `{token}`")]
    OtherWorkload { certificate: SpiffeId, token: SpiffeId },
    #[error("no certificate was presented")]
    NoCertificate,
    #[error("`{id}` is blocked here: {reason}")]
    Blocked { id: SpiffeId, reason: String },
}

impl Default for CallerSettings {
    fn default() -> Self {
        let (proof, audience) = (Proof::default(), Vec::new());
        Self { proof, audience, leeway: jwt::DEFAULT_LEEWAY }
    }
}

impl Proof {
    /// Whether a handshake without a client's certificate is refused.
    #[must_use]
    pub const fn needs_certificate(self) -> bool {
        matches!(self, Self::X509 | Self::Both)
    }

    /// Whether there are callers that prove themselves by a JWT-SVID.
    #[must_use]
    pub const fn takes_tokens(self) -> bool {
        !matches!(self, Self::X509)
    }
}

impl CallerError {
    /// The stable reason code.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "jwt.missing",
            Self::TwoAuthorizations => "jwt.two_authorizations",
            Self::NotBearer => "jwt.not_bearer",
            Self::Empty => "jwt.empty",
            Self::Token { error, .. } => error.reason(),
            Self::OtherWorkload { .. } => "jwt.other_workload",
            Self::NoCertificate => "tls.no_certificate",
            Self::Blocked { .. } => "peer.blocked",
        }
    }

    /// Who the caller says it is.
    pub(super) fn claimed(&self) -> Option<String> {
        match self {
            Self::Token { claimed, .. } => claimed.clone(),
            Self::OtherWorkload { token: id, .. } | Self::Blocked { id, .. } => {
                Some(id.to_string())
            }
            Self::Missing
            | Self::TwoAuthorizations
            | Self::NotBearer
            | Self::Empty
            | Self::NoCertificate => None,
        }
    }
}

/// Proves the caller of a request, and takes the token that did out of its head.
pub(super) fn authenticate(
    connection: &Connection,
    headers: &mut HeaderMap,
) -> Result<Caller, CallerError> {
    let proven = connection.facts.source.spiffe_id.as_ref();
    match (connection.gate.callers.settings.proof, proven) {
        (Proof::X509, _) | (Proof::Either, Some(_)) => Ok(Caller::of_connection(connection)),
        (Proof::Jwt, _) | (Proof::Either, None) => by_token(connection, headers),
        (Proof::Both, Some(id)) => {
            let caller = by_token(connection, headers)?;
            match &caller.facts.source.spiffe_id {
                Some(token) if token != id => {
                    let (certificate, token) = (id.clone(), token.clone());
                    Err(CallerError::OtherWorkload { certificate, token })
                }
                _ => Ok(caller),
            }
        }
        (Proof::Both, None) => Err(CallerError::NoCertificate),
    }
}

fn by_token(connection: &Connection, headers: &mut HeaderMap) -> Result<Caller, CallerError> {
    let token = bearer(headers)?;
    let gate = &connection.gate;
    let (now, authorities) = (gate.clock.now(), gate.callers.authorities.load());
    let digest = Digest::of(token);
    let caller = match connection.tokens.recall(&authorities, &digest, now) {
        Some(caller) => caller,
        None => {
            let CallerSettings { audience, leeway, .. } = &gate.callers.settings;
            let verified = authorities.verify(token, audience, now, *leeway);
            let svid = verified.map_err(|error| {
                let claimed = jwt::claimed(token);
                CallerError::Token { claimed, error }
            })?;
            let until = svid.not_after;
            let caller = Caller::of_token(connection, svid);
            connection.tokens.remember(&authorities, digest, until, caller.clone());
            caller
        }
    };
    check_not_blocked(connection, &caller, now)?;
    headers.remove(AUTHORIZATION);
    Ok(caller)
}

/// At every request: a token is remembered, and a block is in force at once.
fn check_not_blocked(
    connection: &Connection,
    caller: &Caller,
    now: Timestamp,
) -> Result<(), CallerError> {
    let Some(id) = &caller.facts.source.spiffe_id else { return Ok(()) };
    match connection.gate.callers.denied.current().denies(id, now) {
        Some(denial) => Err(CallerError::Blocked { id: id.clone(), reason: denial.reason.clone() }),
        None => Ok(()),
    }
}

/// The one bearer token of a head (RFC 6750 §2.1), never that of a query or a cookie.
fn bearer(headers: &HeaderMap) -> Result<&str, CallerError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(CallerError::Missing)?;
    if values.next().is_some() {
        return Err(CallerError::TwoAuthorizations);
    }
    let text = value.to_str().map_err(|_| CallerError::NotBearer)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(CallerError::NotBearer);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() { Err(CallerError::Empty) } else { Ok(token) }
}

impl Caller {
    fn of_connection(connection: &Connection) -> Self {
        let (facts, name) = (Arc::clone(&connection.facts), connection.caller.clone());
        Self { facts, name, proven: None }
    }

    /// A certificate stays among the facts only where it is of the same workload.
    fn of_token(connection: &Connection, svid: JwtSvid) -> Self {
        let ConnectionFacts { source, destination, tls, .. } = &*connection.facts;
        let is_same = source.spiffe_id.as_ref() == Some(&svid.id);
        let name = HeaderValue::from_str(svid.id.as_str()).ok();
        let JwtSvid { id, key, not_after, claims } = svid;
        let proven = Some(Arc::new(Proven { id: id.clone(), key, not_after }));
        let source = Source {
            spiffe_id: Some(id),
            address: source.address,
            certificate: source.certificate.clone().filter(|_| is_same),
            jwt: Some(JwtFacts { claims }),
        };
        let facts = ConnectionFacts::new(source, destination.clone(), tls.clone());
        Self { facts: Arc::new(facts), name, proven }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Result<&str, &str>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        assert_eq!(bearer(&headers).map_err(|error| error.reason()), expected, "{values:?}");
    }

    #[test]
    fn a_token_is_taken_from_one_bearer_header_alone() {
        check(&["Bearer a.b.c"], Ok("a.b.c"));
        check(&["bEARER   a.b.c "], Ok("a.b.c"));
        check(&[], Err("jwt.missing"));
        check(&["Bearer a.b.c", "Bearer a.b.c"], Err("jwt.two_authorizations"));
        check(&["Basic YTpi"], Err("jwt.not_bearer"));
        check(&["Bearera.b.c"], Err("jwt.not_bearer"));
        check(&["Bearer\ta.b.c"], Err("jwt.not_bearer"));
        check(&["Bearer é"], Err("jwt.not_bearer"));
        check(&[""], Err("jwt.not_bearer"));
        check(&["Bearer"], Err("jwt.empty"));
        check(&["Bearer  "], Err("jwt.empty"));
    }

    #[test]
    fn each_proof_says_what_the_handshake_and_the_request_need() {
        let needs = |proof: Proof| (proof.needs_certificate(), proof.takes_tokens());
        assert_eq!(needs(Proof::X509), (true, false));
        assert_eq!(needs(Proof::Jwt), (false, true));
        assert_eq!(needs(Proof::Both), (true, true));
        assert_eq!(needs(Proof::Either), (false, true));
    }
}
