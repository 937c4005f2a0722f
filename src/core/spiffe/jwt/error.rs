//! The rules of a JWT-SVID as refusals: one reason code for each, and never a byte of the token's
//! signature in a text.

use super::json::{Fault, MAX_TOKEN_VALUES};
use super::{MAX_TOKEN_BYTES, header::MAX_HEADER_BYTES};
use crate::Timestamp;
use crate::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};

/// The rule that a token breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    #[error("the token is {bytes} bytes long; at most {MAX_TOKEN_BYTES} are read")]
    TooLarge { bytes: usize },
    #[error("the token is not three parts of base64url (RFC 7515 §3.1)")]
    NotCompact,
    #[error("the {part} is no base64url without padding and spare bits (RFC 7515 §2)")]
    Base64 { part: &'static str },
    #[error("the header is longer than {MAX_HEADER_BYTES} bytes")]
    HeaderTooLarge,
    #[error("the {part} is no JSON object (RFC 7515 §4, RFC 7519 §4)")]
    Json { part: &'static str },
    #[error("the {part} has a member twice (RFC 7515 §4, RFC 7519 §4)")]
    DuplicateMember { part: &'static str },
    #[error("the {part} is nested too deep")]
    TooDeep { part: &'static str },
    #[error("the {part} holds more than {MAX_TOKEN_VALUES} values")]
    TooManyValues { part: &'static str },
    #[error("the header names no algorithm (JWT-SVID §2.1)")]
    NoAlgorithm,
    #[error("the algorithm `{named}` is not one of JWT-SVID §2.1")]
    Algorithm { named: String },
    #[error(
        "the header's `typ` is `{named}`; only `JWT` and `JOSE` are a JWT-SVID's (JWT-SVID §2.3)"
    )]
    Type { named: String },
    #[error("the header's `{member}` is no text, or a longer one than is read")]
    HeaderType { member: &'static str },
    #[error("the header has `{name}`; only `alg`, `kid` and `typ` are allowed (JWT-SVID §2)")]
    HeaderMember { name: String },
    #[error("the claim `{claim}` is not of its type (RFC 7519 §4.1)")]
    ClaimType { claim: &'static str },
    #[error("the token has no subject (JWT-SVID §3.1)")]
    NoSubject,
    #[error("the subject `{claimed}` is not a canonical SPIFFE ID (JWT-SVID §3.1)")]
    Subject { claimed: String, source: SpiffeIdError },
    #[error("`{id}` has no path; a workload's ID has one (JWT-SVID §3.1)")]
    RootPath { id: SpiffeId },
    #[error("there is no JWT bundle of `{}`", trust_domain.as_str())]
    NoBundle { trust_domain: TrustDomain },
    #[error("the JWT bundle of `{}` has no usable key `{kid}`", trust_domain.as_str())]
    UnknownKey { trust_domain: TrustDomain, kid: String },
    #[error("the token names no key, and the JWT bundle of `{}` has not exactly one", trust_domain.as_str())]
    NoKeyId { trust_domain: TrustDomain },
    #[error("the key does not verify {algorithm} (JWT-SVID §2.1)")]
    KeyAlgorithm { algorithm: &'static str },
    #[error("the signature is wrong (RFC 7515 §5.2)")]
    Signature,
    #[error("the token has no audience (JWT-SVID §3.2)")]
    NoAudience,
    #[error("the token is for another audience (JWT-SVID §3.2)")]
    Audience,
    #[error("the claim `{claim}` is a time that cannot be represented (RFC 7519 §2)")]
    Date { claim: &'static str },
    #[error("the token has no expiry (JWT-SVID §3.3)")]
    NoExpiry,
    #[error("the token expired at {at} (JWT-SVID §3.3)")]
    Expired { at: Timestamp },
    #[error("the token is not valid before {at} (RFC 7519 §4.1.5)")]
    NotYetValid { at: Timestamp },
    #[error("the token was issued at {at}, which is to come (RFC 7519 §4.1.6)")]
    IssuedInFuture { at: Timestamp },
}

impl JwtError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::HeaderTooLarge | Self::TooManyValues { .. } => {
                "jwt.too_large"
            }
            Self::NotCompact => "jwt.not_compact",
            Self::Base64 { .. } => "jwt.base64",
            Self::Json { .. } => "jwt.malformed",
            Self::DuplicateMember { .. } => "jwt.duplicate_member",
            Self::TooDeep { .. } => "jwt.too_deep",
            Self::NoAlgorithm | Self::Algorithm { .. } => "jwt.algorithm",
            Self::Type { .. } => "jwt.type",
            Self::HeaderType { .. } => "jwt.header_type",
            Self::HeaderMember { .. } => "jwt.header_member",
            Self::ClaimType { .. } => "jwt.claim_type",
            Self::NoSubject => "jwt.no_subject",
            Self::Subject { .. } => "jwt.noncanonical_subject",
            Self::RootPath { .. } => "jwt.root_path",
            Self::NoBundle { .. } => "jwt.no_bundle",
            Self::UnknownKey { .. } => "jwt.unknown_key",
            Self::NoKeyId { .. } => "jwt.no_key_id",
            Self::KeyAlgorithm { .. } => "jwt.key_algorithm",
            Self::Signature => "jwt.signature",
            Self::NoAudience => "jwt.no_audience",
            Self::Audience => "jwt.audience",
            Self::Date { .. } => "jwt.date",
            Self::NoExpiry => "jwt.no_expiry",
            Self::Expired { .. } => "jwt.expired",
            Self::NotYetValid { .. } => "jwt.not_yet_valid",
            Self::IssuedInFuture { .. } => "jwt.issued_in_future",
        }
    }

    pub(super) const fn of_json(fault: Fault, part: &'static str) -> Self {
        match fault {
            Fault::NoObject => Self::Json { part },
            Fault::DuplicateMember => Self::DuplicateMember { part },
            Fault::TooDeep => Self::TooDeep { part },
            Fault::TooManyValues => Self::TooManyValues { part },
        }
    }
}
