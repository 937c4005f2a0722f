//! Which certificates make a peer: each row of the catalogue of identity attacks with its twin.

use portreeve_core::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyUsagePurpose, NameConstraints, SanType,
};

use super::pki::{HOUR, at};
use super::*;

#[track_caller]
fn accepted(tls: &Service, client: &Issued) -> Peer {
    let (peer, alert) = present(tls, client);
    assert_eq!(alert, None);
    peer.unwrap()
}

#[track_caller]
fn refused(tls: &Service, client: &Issued, reason: &str, alert: &str) -> Refused {
    let (peer, heard) = present(tls, client);
    let refused = peer.unwrap_err();
    assert_eq!(refused.reason, reason, "{refused}");
    assert_eq!(refused.alert, Some(alert), "{refused}");
    assert_eq!(heard, Some(alert), "what the client heard");
    assert_eq!(refused.claimed.as_ref().unwrap().sha256.len(), 64);
    assert!(!refused.to_string().contains('\n'));
    refused
}

/// One root, one leaf changed in one point.
#[track_caller]
fn leaf(change: impl FnOnce(&mut CertificateParams), reason: &str, alert: &str) {
    let root = Authority::root("a");
    refused(&orders_of(&root), &root.issue_with(WEB, change), reason, alert);
}

#[test]
fn a_client_with_an_svid_becomes_a_peer() {
    let root = Authority::root("a");
    let client = root.issue(WEB);
    let peer = accepted(&orders_of(&root), &client);
    let svid = peer.svid.as_ref().unwrap();
    assert_eq!(svid.id.as_str(), WEB);
    assert_eq!(*svid.chain, *client.chain);
    assert_eq!(svid.until, svid.certificate.not_after);
    let leaf = portreeve_core::spiffe::Leaf::read(&client.chain[0]).unwrap();
    assert_eq!(svid.certificate, leaf.facts);
    let source = peer.source("10.0.0.7:5000".parse().unwrap());
    assert_eq!(source.spiffe_id.unwrap().as_str(), WEB);
    assert_eq!(source.certificate, Some(leaf.facts));
}

#[test]
fn a_leaf_that_breaks_a_rule_is_refused_by_that_rule() {
    let uri = |text: &str| SanType::URI(text.try_into().unwrap());
    let bad = "bad_certificate";
    leaf(|p| p.subject_alt_names.push(uri("spiffe://a.test/admin")), "svid.two_uri_sans", bad);
    leaf(|p| p.subject_alt_names = vec![uri("spiffe://a.test")], "svid.root_path", bad);
    leaf(|p| p.subject_alt_names = vec![uri("spiffe://A.test/x")], "svid.noncanonical_id", bad);
    leaf(|p| p.subject_alt_names = vec![uri("spiffe://a.test/%2e")], "svid.noncanonical_id", bad);
    leaf(|p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "svid.is_ca", bad);
    leaf(|p| p.key_usages.push(KeyUsagePurpose::KeyCertSign), "svid.key_usage", bad);
    leaf(|p| p.key_usages.clear(), "svid.key_usage", bad);
    let server_only = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf(|p| p.extended_key_usages = server_only, "svid.extended_key_usage", bad);
}

#[test]
fn an_id_in_cn_or_dns_name_is_no_identity() {
    let as_dns = |p: &mut CertificateParams| {
        p.distinguished_name.push(DnType::CommonName, WEB);
        p.subject_alt_names = vec![SanType::DnsName(WEB.try_into().unwrap())];
    };
    leaf(as_dns, "svid.no_uri_san", "bad_certificate");
}

#[test]
fn a_critical_extension_that_nobody_knows_is_refused_and_a_plain_one_is_not() {
    let with = |critical| {
        move |p: &mut CertificateParams| {
            let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 9], vec![5, 0]);
            extension.set_criticality(critical);
            p.custom_extensions = vec![extension];
        }
    };
    let root = Authority::root("a");
    let tls = orders_of(&root);
    accepted(&tls, &root.issue_with(WEB, with(false)));
    let alert = "bad_certificate";
    refused(&tls, &root.issue_with(WEB, with(true)), "svid.critical_extension", alert);
    accepted(&tls, &root.intermediate_with("i", with(false)).issue(WEB));
    let client = root.intermediate_with("i", with(true)).issue(WEB);
    refused(&tls, &client, "trust.critical_extension", alert);
}

#[test]
fn an_svid_is_valid_from_its_first_to_its_last_second() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let with =
        |first, last| root.issue_with(WEB, |p| (p.not_before, p.not_after) = (at(first), at(last)));
    accepted(&tls, &with(-1, 0));
    accepted(&tls, &with(0, 1));
    let alert = "certificate_expired";
    let expired = refused(&tls, &with(-9, -1), "svid.expired", alert);
    assert!(expired.text.ends_with(", 1 s ago"), "{expired}");
    assert_eq!(expired.claimed.unwrap().id.as_deref(), Some(WEB));
    let early = refused(&tls, &with(12, HOUR), "svid.not_yet_valid", alert);
    assert!(early.text.contains("in 12 s: do the clocks differ?"), "{early}");
    refused(&tls, &with(9, -9), "svid.validity", "bad_certificate");
}

#[test]
fn an_expired_intermediate_or_root_ends_the_chain_and_a_valid_one_does_not() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    accepted(&tls, &root.intermediate("i").issue(WEB));
    let expired = root.intermediate_with("i", |p| p.not_after = at(-1));
    let reason = "trust.intermediate_validity";
    refused(&tls, &expired.issue(WEB), reason, "certificate_expired");

    let old = Authority::root_with("old", |p| p.not_after = at(-1));
    let future = Authority::root_with("future", |p| p.not_before = at(60));
    let tls = orders_trusting(&root, &[("a.test", &[&root, &old, &future])]);
    accepted(&tls, &root.issue(WEB));
    refused(&tls, &old.issue(WEB), "trust.root_expired", "unknown_ca");
    refused(&tls, &future.issue(WEB), "trust.root_not_yet_valid", "unknown_ca");
}

#[test]
fn a_chain_needs_a_root_of_the_bundle() {
    let (root, stranger) = (Authority::root("a"), Authority::root("x"));
    refused(&orders_of(&root), &stranger.issue(WEB), "trust.unknown_issuer", "unknown_ca");
    let namesake = Authority::root("a");
    let tls = orders_of(&root);
    refused(&tls, &namesake.issue(WEB), "trust.bad_signature", "bad_certificate");
    let alone = root.intermediate("i").issue(WEB).with_chain(|chain| chain.truncate(1));
    refused(&tls, &alone, "trust.unknown_issuer", "unknown_ca");
}

#[test]
fn one_domain_s_ca_never_speaks_for_another_domain() {
    let (a, b) = (Authority::root("a"), Authority::root("b"));
    let tls = orders_trusting(&a, &[("a.test", &[&a]), ("b.test", &[&b])]);
    accepted(&tls, &a.issue(WEB));
    accepted(&tls, &b.issue("spiffe://b.test/web"));
    refused(&tls, &a.issue("spiffe://b.test/web"), "trust.unknown_issuer", "unknown_ca");
    refused(&tls, &b.issue(WEB), "trust.unknown_issuer", "unknown_ca");
}

#[test]
fn a_cross_signed_intermediate_speaks_for_a_domain_only_through_that_domain_s_root() {
    let (a, b) = (Authority::root("a"), Authority::root("b"));
    let tls = orders_trusting(&a, &[("a.test", &[&a]), ("b.test", &[&b])]);
    let shared = a.intermediate("shared");
    let by_a = || shared.issue("spiffe://b.test/web");
    refused(&tls, &by_a(), "trust.unknown_issuer", "unknown_ca");
    // Bringing b's root along proves nothing; b's signature over the same CA does.
    let with_root = by_a().with_chain(|chain| chain.push(b.der()));
    refused(&tls, &with_root, "trust.unknown_issuer", "unknown_ca");
    let cross = shared.signed_again_by(&b);
    accepted(&tls, &by_a().with_chain(|chain| chain.push(cross)));
}

#[test]
fn a_domain_without_bundle_or_with_an_empty_one_trusts_nobody() {
    let (a, c) = (Authority::root("a"), Authority::root("c"));
    let tls = orders_trusting(&a, &[("a.test", &[&a]), ("empty.test", &[])]);
    refused(&tls, &c.issue("spiffe://c.test/x"), "trust.no_bundle", "unknown_ca");
    refused(&tls, &c.issue("spiffe://empty.test/x"), "trust.no_bundle", "unknown_ca");
}

#[test]
fn an_issuer_is_a_ca_that_may_sign() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let with = |change: fn(&mut CertificateParams)| root.intermediate_with("i", change).issue(WEB);
    let bad = "bad_certificate";
    refused(&tls, &with(|p| p.is_ca = IsCa::ExplicitNoCa), "trust.issuer_not_ca", bad);
    refused(&tls, &with(|p| p.is_ca = IsCa::NoCa), "trust.issuer_not_ca", bad);
    let crl_only = with(|p| p.key_usages = vec![KeyUsagePurpose::CrlSign]);
    refused(&tls, &crl_only, "trust.issuer_key_usage", bad);
    refused(&tls, &with(|p| p.key_usages.clear()), "trust.issuer_key_usage", bad);
    let server_only = with(|p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    refused(&tls, &server_only, "trust.extended_key_usage", bad);
}

#[test]
fn a_root_that_is_no_ca_signs_nothing_and_is_named() {
    let good = Authority::root("a");
    let not_ca = Authority::root_with("n", |p| p.is_ca = IsCa::NoCa);
    let crl_only = Authority::root_with("k", |p| p.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let tls = orders_trusting(&good, &[("a.test", &[&good, &not_ca, &crl_only])]);
    let reasons: Vec<_> = tls.trust().unusable().iter().map(|root| root.error.reason()).collect();
    assert_eq!(reasons, ["trust.issuer_not_ca", "trust.issuer_key_usage"]);
    accepted(&tls, &good.issue(WEB));
    refused(&tls, &not_ca.issue(WEB), "trust.issuer_not_ca", "bad_certificate");
}

#[test]
fn path_length_holds_for_intermediates_and_for_the_root() {
    let none = |p: &mut CertificateParams| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let last = root.intermediate_with("last", none);
    accepted(&tls, &last.issue(WEB));
    let bad = "bad_certificate";
    refused(&tls, &last.intermediate("more").issue(WEB), "trust.path_length", bad);
    let short = Authority::root_with("a", none);
    let tls = orders_of(&short);
    accepted(&tls, &short.issue(WEB));
    refused(&tls, &short.intermediate("i").issue(WEB), "trust.path_length", bad);
    // A root that renewed its key signed itself: that is no step (RFC 5280 §4.2.1.9).
    accepted(&tls, &short.intermediate("a").issue(WEB));
}

#[test]
fn dns_name_constraints_bind_a_leaf_that_has_a_dns_name() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let ca = root.intermediate_with("i", |p| {
        p.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("a.test".to_owned())],
            excluded_subtrees: Vec::new(),
        });
    });
    let with = |name: &'static str| {
        ca.issue_with(WEB, |p| {
            p.subject_alt_names.push(SanType::DnsName(name.try_into().unwrap()));
        })
    };
    accepted(&tls, &with("web.a.test"));
    refused(&tls, &with("web.b.test"), "trust.name_constraints", "bad_certificate");
}

#[test]
fn a_shuffled_chain_is_sorted_but_the_leaf_comes_first() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let deep = || root.intermediate("i").intermediate("ii").issue(WEB);
    accepted(&tls, &deep().with_chain(|chain| chain[1..].reverse()));
    let stranger = Authority::root("x").der();
    accepted(&tls, &deep().with_chain(|chain| chain.insert(1, stranger)));
    let swapped = deep().with_chain(|chain| chain.swap(0, 1));
    refused(&tls, &swapped, "svid.no_uri_san", "bad_certificate");
    // Another workload's certificate in front does not make its key ours.
    let borrowed = root.issue("spiffe://a.test/admin").chain[0].clone();
    let client = root.issue(WEB).with_chain(|chain| chain.insert(0, borrowed));
    refused(&tls, &client, "peer.key_not_proven", "decrypt_error");
}

#[test]
fn chains_are_bounded_in_number_and_in_bytes() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let nested = |depth| {
        (0..depth).fold(root.intermediate("i0"), |ca, n| ca.intermediate(&format!("i{}", n + 1)))
    };
    accepted(&tls, &nested(5).issue(WEB));
    refused(&tls, &nested(6).issue(WEB), "trust.chain_length", "bad_certificate");
    let bulky = |bytes: usize| {
        root.issue_with(WEB, |p| {
            let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 9], vec![4; bytes]);
            p.custom_extensions = vec![extension];
        })
    };
    accepted(&tls, &bulky(16 << 10));
    refused(&tls, &bulky(33 << 10), "trust.chain_bytes", "bad_certificate");
}

#[test]
fn many_issuers_with_one_name_cost_a_bounded_number_of_attempts() {
    let root = Authority::root("a");
    // Every CA is named like every other, so each could have issued each.
    let strangers: Vec<_> = (0..4).map(|_| Authority::root("a").intermediate("a").der()).collect();
    let client = root.issue(WEB).with_chain(|chain| chain.extend(strangers));
    accepted(&orders_of(&root), &client);
    let other = Authority::root("a");
    let strangers: Vec<_> = (0..6).map(|_| Authority::root("a").intermediate("a").der()).collect();
    let client = other.issue(WEB).with_chain(|chain| chain.extend(strangers));
    let (peer, _) = present(&orders_of(&root), &client);
    assert_eq!(peer.unwrap_err().reason, "trust.path_budget");
    let client = client.with_chain(|chain| chain.truncate(5));
    let (peer, _) = present(&orders_of(&root), &client);
    assert_eq!(peer.unwrap_err().reason, "trust.bad_signature");
}

#[test]
fn a_broken_signature_and_a_borrowed_certificate_prove_nothing() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let tampered = root.issue(WEB).with_chain(|chain| {
        let mut der = chain[0].to_vec();
        *der.last_mut().unwrap() ^= 1;
        chain[0] = der.into();
    });
    refused(&tls, &tampered, "trust.bad_signature", "bad_certificate");
    let mut thief = root.issue(WEB);
    thief.key = root.issue(WEB).key;
    refused(&tls, &thief, "peer.key_not_proven", "decrypt_error");
}

#[test]
fn a_certificate_that_is_not_one_is_refused_without_a_claim() {
    let root = Authority::root("a");
    let client = root.issue(WEB).with_chain(|chain| chain[0] = b"rubbish".to_vec().into());
    let refused = refused(&orders_of(&root), &client, "svid.malformed", "bad_certificate");
    assert_eq!(refused.claimed.unwrap().id, None);
}

#[test]
fn a_chain_can_be_verified_again_under_later_trust() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let client = old.intermediate("i").issue(WEB);
    let (leaf, rest) = client.chain.split_first().unwrap();
    let now = Timestamp::from_unix_seconds(pki::NOW);
    let verify = |tls: &Service| tls.trust().verify(leaf, rest, Role::Client, now);
    assert_eq!(verify(&orders_of(&old)).unwrap().leaf.id.as_str(), WEB);
    assert_eq!(verify(&orders_of(&new)), Err(TrustError::UnknownIssuer));
}
