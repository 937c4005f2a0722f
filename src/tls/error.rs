//! Why a peer's certificate is refused: a stable reason, words, and the alert that it hears.

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{IssuerError, SpiffeId, SvidError, TrustDomain};
use rustls::CertificateError;

use super::client::ExpectedPeer;
use super::trust::{MAX_CHAIN_BYTES, MAX_CHAIN_CERTIFICATES};
use crate::identity::DenyListFile;

/// Why a chain is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("the chain has {0} certificates; at most {MAX_CHAIN_CERTIFICATES} are read")]
    ChainLength(usize),
    #[error("the chain has {0} bytes; at most {MAX_CHAIN_BYTES} are read")]
    ChainBytes(usize),
    #[error(transparent)]
    Leaf(#[from] SvidError),
    #[error("there is no bundle with roots for trust domain `{0}` (Workload API §4.6)")]
    NoBundle(TrustDomain),
    #[error("the SVID expired at {not_after}, {seconds} s ago")]
    Expired { not_after: Timestamp, seconds: i64 },
    #[error("the SVID is valid from {not_before}, in {seconds} s: do the clocks differ?")]
    NotYetValid { not_before: Timestamp, seconds: i64 },
    #[error("the SVID ends before it begins")]
    Validity,
    #[error("no root in the bundle of the SVID's own trust domain issued it")]
    UnknownIssuer,
    #[error("a signature in the chain is not by the issuer that it names, or by a namesake of it")]
    BadSignature,
    #[error("an intermediate is expired or not yet valid")]
    IntermediateValidity,
    #[error("the root that issued the chain expired at {0}")]
    RootExpired(Timestamp),
    #[error("the root that issued the chain is valid only from {0}")]
    RootNotYetValid(Timestamp),
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    #[error("the chain is longer than an issuer's path length allows (RFC 5280 §4.2.1.9)")]
    PathLength,
    #[error("the chain takes more steps to verify than are allowed")]
    PathBudget,
    #[error("an issuer's name constraints do not allow the chain's names (RFC 5280 §4.2.1.10)")]
    NameConstraints,
    #[error(
        "an issuer constrains the URI names below it, which is not supported: \
         every such chain is refused (X509-SVID §4.2)"
    )]
    UriNameConstraints,
    #[error("an issuer's extendedKeyUsage does not allow this leaf's use")]
    IssuerPurpose,
    #[error("a signature in the chain uses a key or an algorithm that is not accepted")]
    Algorithm,
    #[error("the SVID is revoked by its issuer (RFC 5280 §6.3)")]
    Revoked,
    #[error("an intermediate of the chain is revoked by its issuer (RFC 5280 §6.3)")]
    IssuerRevoked,
    #[error("a certificate in the chain is malformed: {0}")]
    Malformed(String),
}

/// Why a peer is refused by its certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the peer is `{id}`, but {expected} was expected")]
    UnexpectedId { id: SpiffeId, expected: ExpectedPeer },
    #[error("`{id}` is blocked here: {reason}")]
    Blocked { id: SpiffeId, reason: String },
    #[error("the peer did not prove that it holds the key of its certificate")]
    HandshakeSignature,
}

impl TrustError {
    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ChainLength(_) => "trust.chain_length",
            Self::ChainBytes(_) => "trust.chain_bytes",
            Self::Leaf(error) => error.reason(),
            Self::NoBundle(_) => "trust.no_bundle",
            Self::Expired { .. } => "svid.expired",
            Self::NotYetValid { .. } => "svid.not_yet_valid",
            Self::Validity => "svid.validity",
            Self::UnknownIssuer => "trust.unknown_issuer",
            Self::BadSignature => "trust.bad_signature",
            Self::IntermediateValidity => "trust.intermediate_validity",
            Self::RootExpired(_) => "trust.root_expired",
            Self::RootNotYetValid(_) => "trust.root_not_yet_valid",
            Self::Issuer(error) => error.reason(),
            Self::PathLength => "trust.path_length",
            Self::PathBudget => "trust.path_budget",
            Self::NameConstraints => "trust.name_constraints",
            Self::UriNameConstraints => "trust.uri_name_constraints",
            Self::IssuerPurpose => "trust.extended_key_usage",
            Self::Algorithm => "trust.algorithm",
            Self::Revoked => "svid.revoked",
            Self::IssuerRevoked => "trust.revoked",
            Self::Malformed(_) => "trust.malformed",
        }
    }

    pub(super) fn of_leaf(error: webpki::Error) -> Self {
        match error {
            webpki::Error::UnsupportedCriticalExtension => SvidError::CriticalExtension.into(),
            webpki::Error::SignatureAlgorithmMismatch => Self::BadSignature,
            _ => SvidError::Malformed("it is not strictly encoded, or repeats a field").into(),
        }
    }

    #[expect(deprecated, reason = "webpki still names these and they must not become `malformed`")]
    pub(super) fn of_path(error: webpki::Error) -> Self {
        use webpki::Error as E;
        match error {
            E::UnknownIssuer | E::CertDistrusted => Self::UnknownIssuer,
            E::InvalidSignatureForPublicKey | E::SignatureAlgorithmMismatch => Self::BadSignature,
            // The leaf's own validity was checked before.
            E::CertExpired { .. } | E::CertNotValidYet { .. } | E::InvalidCertValidity => {
                Self::IntermediateValidity
            }
            E::EndEntityUsedAsCa => IssuerError::NotCa.into(),
            E::PathLenConstraintViolated => Self::PathLength,
            E::MaximumPathDepthExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumSignatureChecksExceeded
            | E::MaximumNameConstraintComparisonsExceeded => Self::PathBudget,
            E::NameConstraintViolation
            | E::MalformedNameConstraint
            | E::InvalidNetworkMaskConstraint => Self::NameConstraints,
            E::UnsupportedCriticalExtension => IssuerError::CriticalExtension.into(),
            E::RequiredEkuNotFoundContext(_) | E::RequiredEkuNotFound | E::EmptyEkuExtension => {
                Self::IssuerPurpose
            }
            E::UnsupportedSignatureAlgorithm
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKey
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Algorithm,
            other => Self::Malformed(other.to_string()),
        }
    }

    /// The error that makes rustls send the alert of RFC 8446 §6.2 that fits.
    pub(super) fn alerting(&self) -> CertificateError {
        match self {
            Self::Expired { .. } | Self::NotYetValid { .. } | Self::IntermediateValidity => {
                CertificateError::Expired
            }
            Self::NoBundle(_)
            | Self::UnknownIssuer
            | Self::RootExpired(_)
            | Self::RootNotYetValid(_) => CertificateError::UnknownIssuer,
            Self::Revoked | Self::IssuerRevoked => CertificateError::Revoked,
            Self::ChainLength(_)
            | Self::ChainBytes(_)
            | Self::Leaf(_)
            | Self::Validity
            | Self::BadSignature
            | Self::Issuer(_)
            | Self::PathLength
            | Self::PathBudget
            | Self::NameConstraints
            | Self::UriNameConstraints
            | Self::IssuerPurpose
            | Self::Algorithm
            | Self::Malformed(_) => CertificateError::BadEncoding, // alert bad_certificate
        }
    }
}

impl PeerError {
    /// Whether the deny-list lets a peer pass.
    ///
    /// # Errors
    /// It is blocked.
    pub fn of_denied(list: &DenyListFile, id: &SpiffeId, now: Timestamp) -> Result<(), Self> {
        match list.current().denies(id, now) {
            Some(denial) => Err(Self::Blocked { id: id.clone(), reason: denial.reason.clone() }),
            None => Ok(()),
        }
    }

    /// The stable reason code that records, metrics and conformance cases use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Trust(error) => error.reason(),
            Self::UnexpectedId { .. } => "peer.unexpected_id",
            Self::Blocked { .. } => "peer.blocked",
            Self::HandshakeSignature => "peer.key_not_proven",
        }
    }

    pub(super) fn alerting(&self) -> CertificateError {
        match self {
            Self::Trust(error) => error.alerting(),
            Self::UnexpectedId { .. } | Self::Blocked { .. } => {
                CertificateError::ApplicationVerificationFailure // alert access_denied
            }
            Self::HandshakeSignature => CertificateError::BadSignature,
        }
    }
}
