//! Whom our own client takes for the server that it wanted.

use portreeve_core::spiffe::TrustDomain;
use rcgen::SanType;

use super::*;

/// Connects from `web` to a server with this SVID, both trusting `bundles`.
#[track_caller]
fn call(
    ours: &Issued,
    server: &Issued,
    bundles: &[(&str, &[&Authority])],
    expected: &ExpectedPeer,
) -> (Result<Peer, Refused>, Result<Peer, Refused>) {
    let settings = Settings::default();
    let client = ClientTls::new(&clock(), &settings).unwrap();
    let own = Credentials::new(&snapshot(ours, bundles));
    let server = Service::new(&snapshot(server, bundles), &clock(), &settings);
    run(async {
        let (near, far) = duplex(1 << 16);
        let name = ServerName::try_from("orders.shop.test").unwrap();
        let (there, here) =
            tokio::join!(server.accept(near), connect(far, &client, &own, expected.clone(), name));
        (here.map(|(_, peer)| peer), there.map(|(_, peer)| peer))
    })
}

fn one(id: &str) -> ExpectedPeer {
    ExpectedPeer::Id(pki::id(id))
}

fn domain(name: &str) -> ExpectedPeer {
    ExpectedPeer::TrustDomain(TrustDomain::parse(name).unwrap())
}

#[test]
fn both_ends_know_each_other_by_spiffe_id() {
    let root = Authority::root("a");
    let bundles: &[(&str, &[&Authority])] = &[("a.test", &[&root])];
    for expected in [one(ORDERS), domain("a.test")] {
        let (here, there) = call(&root.issue(WEB), &root.issue(ORDERS), bundles, &expected);
        let here = here.unwrap();
        assert_eq!(here.id().unwrap().as_str(), ORDERS);
        assert!(here.speaks_http2());
        assert_eq!(there.unwrap().id().unwrap().as_str(), WEB);
    }
}

#[test]
fn a_server_with_another_id_is_refused_whatever_its_dns_name() {
    let root = Authority::root("a");
    let bundles: &[(&str, &[&Authority])] = &[("a.test", &[&root])];
    let other = root.issue_with("spiffe://a.test/other", |p| {
        p.subject_alt_names.push(SanType::DnsName("orders.shop.test".try_into().unwrap()));
    });
    let (here, there) = call(&root.issue(WEB), &other, bundles, &one(ORDERS));
    let refused = here.unwrap_err();
    assert_eq!(refused.reason, "peer.unexpected_id");
    let told = refused.to_string();
    assert!(told.contains(" (serial ") && !told.contains("claims to be"), "{told}");
    assert_eq!(refused.claimed.unwrap().id.as_deref(), Some("spiffe://a.test/other"));
    assert!(
        refused.text.contains("`spiffe://a.test/other`, but `spiffe://a.test/ns/shop/sa/orders`")
    );
    assert_eq!(there.unwrap_err().text, "the peer sent the alert access_denied");
}

#[test]
fn a_trusted_server_of_another_trust_domain_is_not_the_expected_one() {
    let (a, b) = (Authority::root("a"), Authority::root("b"));
    let bundles: &[(&str, &[&Authority])] = &[("a.test", &[&a]), ("b.test", &[&b])];
    let server = b.issue("spiffe://b.test/orders");
    let (here, _) = call(&a.issue(WEB), &server, bundles, &domain("a.test"));
    assert_eq!(here.unwrap_err().reason, "peer.unexpected_id");
    let (here, _) = call(&a.issue(WEB), &server, bundles, &domain("b.test"));
    assert_eq!(here.unwrap().id().unwrap().as_str(), "spiffe://b.test/orders");
}

#[test]
fn a_server_that_no_bundle_vouches_for_is_refused_before_its_id_counts() {
    let (root, stranger) = (Authority::root("a"), Authority::root("x"));
    let bundles: &[(&str, &[&Authority])] = &[("a.test", &[&root])];
    let (here, there) = call(&root.issue(WEB), &stranger.issue(ORDERS), bundles, &one(ORDERS));
    assert_eq!(here.unwrap_err().reason, "trust.unknown_issuer");
    assert_eq!(there.unwrap_err().reason, "tls.alert");
}

#[test]
fn a_server_that_answers_in_plaintext_is_named_so() {
    let root = Authority::root("a");
    let ours = snapshot(&root.issue(WEB), &[("a.test", &[&root])]);
    let client = ClientTls::new(&clock(), &Settings::default()).unwrap();
    let own = Credentials::new(&ours);
    let refused = run(async {
        let (mut near, far) = duplex(1 << 16);
        near.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        connect(far, &client, &own, one(ORDERS), name).await.unwrap_err()
    });
    assert_eq!(refused.reason, "tls.not_tls");
}
