//! What the embedded authority issues.

use super::*;

use portreeve_core::spiffe::{Leaf, SvidError};
use rcgen::SanType;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::dev::{Authority, AuthorityError, ORGANISATION};
use crate::identity::{MaterialError, Svid};

const TTL: Duration = Duration::from_secs(60);

fn authority() -> Authority {
    Authority::new(domain("a.test"), Clock::system()).unwrap()
}

#[test]
fn only_a_development_domain_gets_an_authority() {
    for name in ["a.test", "a.b.dev", "x.localhost"] {
        assert!(Authority::new(domain(name), Clock::system()).is_ok(), "{name}");
    }
    for name in ["example.org", "test", "dev", "a.test.example.org", "atest"] {
        let refused = Authority::new(domain(name), Clock::system());
        assert!(matches!(refused, Err(AuthorityError::NotDevelopment(_))), "{name}");
    }
}

#[test]
fn every_certificate_says_that_it_is_for_development() {
    let authority = authority();
    let issued = authority.issue(&id("spiffe://a.test/web"), TTL).unwrap();
    for der in [authority.root(), &issued.chain()[0]] {
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        assert!(certificate.subject().to_string().contains(ORGANISATION));
    }
}

#[test]
fn two_authorities_of_one_domain_differ_in_their_subject() {
    let subject = |authority: &Authority| {
        let (_, certificate) = X509Certificate::from_der(authority.root()).unwrap();
        certificate.subject().to_string()
    };
    assert_ne!(subject(&authority()), subject(&authority()));
}

#[test]
fn a_subordinate_sends_its_own_certificate_along() {
    let root = authority();
    let below = root.subordinate().unwrap();
    assert_eq!(below.root(), root.root());
    let issued = below.issue(&id("spiffe://a.test/web"), TTL).unwrap();
    let svid = issued.svid().unwrap();
    assert_eq!(svid.certified_key.cert.len(), 2);
    assert_eq!(svid.certified_key.cert, issued.chain());
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = authority();
    let one = authority.issue(&id("spiffe://a.test/web"), TTL).unwrap();
    let other = authority.issue(&id("spiffe://a.test/web"), TTL).unwrap();
    let mixed = Svid::from_der(&one.chain_der(), other.key_der());
    assert!(matches!(mixed, Err(MaterialError::OtherKey)), "{mixed:?}");
    let no_key = Svid::from_der(&one.chain_der(), b"");
    assert!(matches!(no_key, Err(MaterialError::Key { .. })), "{no_key:?}");
}

#[test]
fn chains_that_are_empty_broken_or_too_long_are_refused() {
    let issued = authority().issue(&id("spiffe://a.test/web"), TTL).unwrap();
    let (chain, key) = (issued.chain_der(), issued.key_der());
    assert!(Svid::from_der(&chain.repeat(16), key).is_ok());
    let long = Svid::from_der(&chain.repeat(17), key);
    assert!(matches!(long, Err(MaterialError::LongChain)), "{long:?}");
    assert!(matches!(Svid::from_der(b"", key), Err(MaterialError::NoCertificate)));
    let cut = Svid::from_der(&chain[..chain.len() - 1], key);
    assert!(matches!(cut, Err(MaterialError::Chain { .. })), "{cut:?}");
}

#[test]
fn bad_leaves_can_be_made_for_tests() {
    let authority = authority();
    let ours = id("spiffe://a.test/web");
    let mut two = authority.leaf_params(&ours, TTL).unwrap();
    two.subject_alt_names.push(SanType::URI("spiffe://a.test/other".try_into().unwrap()));
    let leaf = Leaf::read(&authority.issue_from(two).unwrap().chain()[0]);
    assert_eq!(leaf.map(|_| ()), Err(SvidError::TwoUriSans { count: 2 }));
}

#[test]
fn no_debug_text_shows_a_key() {
    let issued = authority().issue(&id("spiffe://a.test/web"), TTL).unwrap();
    let message = identity::proto::X509Svid {
        x509_svid_key: b"secret".as_slice().into(),
        ..Default::default()
    };
    assert_eq!(format!("{issued:?}"), "Issued { certificates: 1, .. }");
    assert_eq!(format!("{message:?}"), "X509Svid { spiffe_id: \"\", hint: \"\", .. }");
}
