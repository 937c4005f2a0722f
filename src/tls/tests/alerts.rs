//! The list of reasons says of each refusal which alert the peer hears.

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{
    IssuerError, KeyFault, KeyUsageFault, SpiffeIdError, SvidError, reasons,
};

use super::*;

/// One of each; the match makes a new one fail to compile here.
fn each() -> Vec<PeerError> {
    use TrustError as E;
    let (at, id) = (Timestamp::from_unix_seconds(0), pki::id(WEB));
    let trust = [
        E::ChainLength(9),
        E::ChainBytes(9),
        E::NoBundle(id.trust_domain().clone()),
        E::Expired { not_after: at, seconds: 1 },
        E::NotYetValid { not_before: at, seconds: 1 },
        E::Validity,
        E::UnknownIssuer,
        E::BadSignature,
        E::IntermediateValidity,
        E::RootExpired(at),
        E::RootNotYetValid(at),
        E::PathLength,
        E::PathBudget,
        E::NameConstraints,
        E::UriNameConstraints,
        E::IssuerPurpose,
        E::Algorithm,
        E::Revoked,
        E::IssuerRevoked,
        E::Malformed(String::new()),
    ];
    for error in &trust {
        match error {
            E::Leaf(_) | E::Issuer(_) => panic!("{error} comes below"),
            E::ChainLength(_)
            | E::ChainBytes(_)
            | E::NoBundle(_)
            | E::Expired { .. }
            | E::NotYetValid { .. }
            | E::Validity
            | E::UnknownIssuer
            | E::BadSignature
            | E::IntermediateValidity
            | E::RootExpired(_)
            | E::RootNotYetValid(_)
            | E::PathLength
            | E::PathBudget
            | E::NameConstraints
            | E::UriNameConstraints
            | E::IssuerPurpose
            | E::Algorithm
            | E::Revoked
            | E::IssuerRevoked
            | E::Malformed(_) => {}
        }
    }
    let expected = ExpectedPeer::Id(id.clone());
    let own = [PeerError::UnexpectedId { id, expected }, PeerError::HandshakeSignature];
    let trust = trust.into_iter().chain(of_certificates());
    trust.map(PeerError::from).chain(own).collect()
}

/// What single certificates are refused for.
fn of_certificates() -> impl Iterator<Item = TrustError> {
    let key = KeyFault::Algorithm;
    let issuer = [
        IssuerError::Malformed,
        IssuerError::NotCa,
        IssuerError::KeyUsage,
        IssuerError::KeyUsageNotCritical,
        IssuerError::Id,
        IssuerError::CriticalExtension,
        IssuerError::WeakKey(key),
    ];
    let leaf = [
        SvidError::Malformed(""),
        SvidError::TooLarge { bytes: 9 },
        SvidError::DuplicateExtension,
        SvidError::Serial,
        SvidError::CriticalExtension,
        SvidError::NoUriSan,
        SvidError::TwoUriSans { count: 2 },
        SvidError::NoncanonicalId { claimed: String::new(), source: SpiffeIdError::Scheme },
        SvidError::RootPath { id: pki::id(WEB) },
        SvidError::IsCa,
        SvidError::KeyUsage(KeyUsageFault::Absent),
        SvidError::ExtendedKeyUsage { missing: "" },
        SvidError::WeakKey(key),
    ];
    issuer.map(TrustError::from).into_iter().chain(leaf.map(TrustError::from))
}

#[test]
fn every_refusal_of_a_certificate_is_listed_with_the_alert_that_it_sends() {
    for error in each() {
        let reason = reasons::find(error.reason()).unwrap_or_else(|| panic!("{error:?}"));
        assert_eq!(refused::alert_name(error.alerting().into()), reason.alert, "{error:?}");
    }
}
