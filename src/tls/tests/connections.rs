//! What a handshake negotiates, what it never leaves behind, and how it fails on the wire.

use rustls::version::TLS12;
use rustls::{HandshakeKind, NamedGroup};

use super::pki::HOUR;
use super::*;
use crate::clock::Clock;
use portreeve_core::Timestamp;

/// What the server makes of raw bytes, after which the client hangs up.
#[track_caller]
fn bytes(sent: &[u8], reason: &str) {
    let tls = orders_of(&Authority::root("a"));
    let refused = run(async {
        let (near, mut far) = duplex(1 << 16);
        far.write_all(sent).await.unwrap();
        far.shutdown().await.unwrap();
        tls.accept(near).await.unwrap_err()
    });
    assert_eq!(refused.reason, reason, "{refused}");
    assert!(refused.claimed.is_none());
}

#[test]
fn tls_1_3_with_a_hybrid_key_exchange_is_what_two_of_ours_agree_on() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let mut config = client_config(Some(&root.issue(WEB)));
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    run(async {
        let (near, far) = duplex(1 << 16);
        let (server, client) = tokio::join!(tls.accept(near), dial(far, config));
        let ((stream, peer), _client) = (server.unwrap(), client.unwrap());
        assert_eq!(&*peer.tls.version, "TLSv1.3");
        assert_eq!(&*peer.tls.cipher_suite, "TLS13_AES_256_GCM_SHA384");
        assert_eq!(peer.tls.sni.as_deref(), Some("orders.shop.test"));
        assert!(peer.speaks_http2());
        let group = stream.get_ref().1.negotiated_key_exchange_group().unwrap();
        assert_eq!(group.name(), NamedGroup::X25519MLKEM768);
    });
}

#[test]
fn without_alpn_it_is_http_1_and_an_unknown_protocol_is_refused() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let with = |protocols: &[&[u8]]| {
        let mut config = client_config(Some(&root.issue(WEB)));
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        run(shake(&tls, config))
    };
    let (peer, _) = with(&[]);
    let peer = peer.unwrap();
    assert!(peer.tls.alpn.is_none() && !peer.speaks_http2());
    let (peer, _) = with(&[b"http/1.1"]);
    assert_eq!(peer.unwrap().tls.alpn.as_deref(), Some("http/1.1"));
    let (peer, alert) = with(&[b"spdy/3"]);
    assert_eq!(peer.unwrap_err().reason, "tls.alpn");
    assert_eq!(alert, Some("no_application_protocol"));
}

#[test]
fn a_client_without_certificate_is_refused() {
    let tls = orders_of(&Authority::root("a"));
    let (peer, alert) = run(shake(&tls, client_config(None)));
    let refused = peer.unwrap_err();
    assert_eq!((refused.reason, refused.alert), ("tls.no_certificate", alert));
    assert_eq!(alert, Some("certificate_required"));
}

#[test]
fn where_an_svid_is_optional_none_is_no_identity_and_a_bad_one_is_still_refused() {
    let root = Authority::root("a");
    let ours = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    let settings = Settings { client_svid: ClientSvid::Optional, ..Settings::default() };
    let tls = Service::new(&ours, &clock(), &settings);
    let (peer, _) = run(shake(&tls, client_config(None)));
    assert!(peer.unwrap().svid.is_none());
    let (peer, _) = present(&tls, &root.issue(WEB));
    assert_eq!(peer.unwrap().id().unwrap().as_str(), WEB);
    let (peer, alert) = present(&tls, &Authority::root("x").issue(WEB));
    assert_eq!(peer.unwrap_err().reason, "trust.unknown_issuer");
    assert_eq!(alert, Some("unknown_ca"));
}

#[test]
fn tls_1_2_is_refused_unless_it_is_asked_for() {
    let root = Authority::root("a");
    let client = root.issue(WEB);
    let old = || {
        ClientConfig::builder_with_provider(provider::crypto())
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(client.certified())))
    };
    let (peer, alert) = run(shake(&orders_of(&root), old()));
    assert_eq!(peer.unwrap_err().reason, "tls.version");
    assert_eq!(alert, Some("protocol_version"));

    let snapshot = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    let settings = Settings { tls12: true, ..Settings::default() };
    let tls = Service::new(&snapshot, &clock(), &settings);
    let (peer, _) = run(shake(&tls, old()));
    let facts = peer.unwrap().tls;
    assert_eq!(&*facts.version, "TLSv1.2");
    assert!(facts.cipher_suite.contains("_GCM_"), "{}", facts.cipher_suite);
    let (peer, _) = run(shake(&tls, client_config(Some(&client))));
    assert_eq!(&*peer.unwrap().tls.version, "TLSv1.3");
}

/// CVE-2025-23419: a resumed session is not verified again, so nothing may be resumed.
#[test]
fn a_client_that_comes_back_is_verified_again() {
    let root = Authority::root("a");
    let (tls, client) = (orders_of(&root), root.issue(WEB));
    let mut config = client_config(Some(&client));
    config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
    config.enable_early_data = true;
    run(async {
        for _ in 0..3 {
            let (near, far) = duplex(1 << 16);
            let (server, client) = tokio::join!(tls.accept(near), dial(far, config.clone()));
            let ((mut server, _), mut client) = (server.unwrap(), client.unwrap());
            server.write_all(b"x").await.unwrap();
            server.shutdown().await.unwrap();
            drain(&mut client).await.unwrap();
            assert_eq!(server.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            let session = client.get_mut().1;
            assert_eq!(session.tls13_tickets_received(), 0);
            assert!(session.early_data().is_none() && !session.is_early_data_accepted());
        }
    });
}

#[test]
fn tls_1_2_sessions_are_not_resumed_either() {
    let root = Authority::root("a");
    let snapshot = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    let settings = Settings { tls12: true, ..Settings::default() };
    let tls = Service::new(&snapshot, &clock(), &settings);
    let config = ClientConfig::builder_with_provider(provider::crypto())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(root.issue(WEB).certified())));
    run(async {
        for _ in 0..2 {
            let (near, far) = duplex(1 << 16);
            let (server, client) = tokio::join!(tls.accept(near), dial(far, config.clone()));
            let _client = client.unwrap();
            let (server, _) = server.unwrap();
            assert_eq!(server.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
        }
    });
}

#[test]
fn bytes_that_are_not_tls_are_named_so() {
    bytes(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", "tls.not_tls");
    bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "tls.not_tls");
    bytes(b"\0\0\0\0\0\0\0\0", "tls.not_tls");
    bytes(b"", "tls.closed");
    bytes(b"\x16\x03\x01", "tls.closed");
    bytes(b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff", "tls.protocol");
    bytes(b"\x15\x03\x01\x00\x02\x02\x28", "tls.protocol");
}

#[test]
fn a_client_that_refuses_us_is_told_by_its_alert() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let stranger = Authority::root("b");
    let theirs = snapshot(&stranger.issue("spiffe://b.test/x"), &[("b.test", &[&stranger])]);
    let client = ClientTls::new(&clock(), &Settings::default()).unwrap();
    let own = Credentials::new(&theirs);
    let refused = run(async {
        let (near, far) = duplex(1 << 16);
        let expected = ExpectedPeer::Id(pki::id(ORDERS));
        let name = ServerName::try_from("localhost").unwrap();
        let (server, client) =
            tokio::join!(tls.accept(near), connect(far, &client, &own, expected, name));
        assert_eq!(client.unwrap_err().reason, "trust.no_bundle");
        server.unwrap_err()
    });
    assert_eq!(refused.to_string(), "tls.alert: the peer sent the alert unknown_ca");
}

#[test]
fn with_an_expired_svid_of_our_own_no_handshake_is_started() {
    let root = Authority::root("a");
    let clock = clock();
    let snapshot = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    let tls = Service::new(&snapshot, &clock, &Settings::default());
    let long_lived = root.issue_with(WEB, |p| p.not_after = pki::at(9 * HOUR));
    assert!(present(&tls, &long_lived).0.is_ok());
    clock.set(Timestamp::from_unix_seconds(pki::NOW + HOUR));
    assert_eq!(present(&tls, &long_lived).0.unwrap_err().reason, "identity.expired");
}

#[test]
fn a_new_snapshot_counts_for_new_connections_and_leaves_old_ones_alone() {
    let (old, new) = (Authority::root("old"), Authority::root("new"));
    let (before, after) = (orders_of(&old), orders_of(&new));
    run(async {
        let (near, far) = duplex(1 << 16);
        let config = client_config(Some(&old.issue(WEB)));
        let (server, client) = tokio::join!(before.accept(near), dial(far, config));
        let ((mut server, _), mut client) = (server.unwrap(), client.unwrap());

        let (peer, alert) = shake(&after, client_config(Some(&old.issue(WEB)))).await;
        assert_eq!(peer.unwrap_err().reason, "trust.unknown_issuer");
        assert_eq!(alert, Some("unknown_ca"));
        assert!(shake(&after, client_config(Some(&new.issue(WEB)))).await.0.is_ok());

        drop(before);
        server.write_all(b"still here").await.unwrap();
        let mut read = [0; 10];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"still here");
    });
}

#[test]
fn the_clock_that_judges_is_the_one_that_was_passed_in() {
    let root = Authority::root("a");
    let older = root.issue_with(ORDERS, |p| p.not_before = pki::at(-HOUR));
    let older = snapshot(&older, &[("a.test", &[&root])]);
    let early = Clock::manual(Timestamp::from_unix_seconds(pki::NOW - 11));
    let tls = Service::new(&older, &early, &Settings::default());
    let (peer, _) = present(&tls, &root.issue(WEB));
    assert_eq!(peer.unwrap_err().reason, "svid.not_yet_valid");
}

#[test]
fn before_our_own_svid_begins_no_handshake_is_started() {
    let root = Authority::root("a");
    let clock = clock();
    let snapshot = snapshot(&root.issue(ORDERS), &[("a.test", &[&root])]);
    let tls = Service::new(&snapshot, &clock, &Settings::default());
    assert!(present(&tls, &root.issue(WEB)).0.is_ok());
    clock.set(Timestamp::from_unix_seconds(pki::NOW - HOUR));
    let refused = present(&tls, &root.issue(WEB)).0.unwrap_err();
    assert_eq!(refused.reason, "clock.suspect");
    assert!(refused.text.contains("is the clock set?"), "{}", refused.text);
}
