//! What is offered and agreed on, and what may never be: weak groups and suites, names that decide,
//! sessions that come back.
//!
//! Compression and renegotiation have no code in rustls: the first is refused in the hello, the second
//! as an unexpected message.

use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{Ticketer, kx_group};
use rustls::pki_types::IpAddr;
use rustls::server::Acceptor;
use rustls::{ClientConnection, HandshakeKind, NamedGroup, ServerConfig};

use super::*;

/// The first bytes that our own client sends.
fn our_hello() -> Vec<u8> {
    let root = Authority::root("a");
    let own = Credentials::new(&snapshot(&root.issue(WEB), &[("a.test", &[&root])]));
    let client = ClientTls::new(&clock(), &Settings::default()).unwrap();
    run(async {
        let (mut near, far) = duplex(1 << 16);
        let expected = ExpectedPeer::Id(pki::id(ORDERS));
        let name = ServerName::try_from("localhost").unwrap();
        let mut hello = vec![0; 1 << 14];
        let length = tokio::select! {
            _ = connect(far, &client, &own, expected, name) => panic!("nobody has answered"),
            length = near.read(&mut hello) => length.unwrap(),
        };
        hello.truncate(length);
        hello
    })
}

#[test]
fn our_hello_offers_the_hybrid_group_first_and_none_below_x25519_and_p_256() {
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut our_hello().as_slice()).unwrap();
    let accepted = acceptor.accept().unwrap().unwrap();
    let groups = accepted.client_hello().named_groups().unwrap().to_vec();
    let expected = [
        NamedGroup::X25519MLKEM768,
        NamedGroup::X25519,
        NamedGroup::secp256r1,
        NamedGroup::secp384r1,
    ];
    assert_eq!(groups, expected);
    let ours: Vec<_> = provider::crypto().kx_groups.iter().map(|group| group.name()).collect();
    assert_eq!(ours, expected, "a server takes the same");
}

#[test]
fn two_of_ours_agree_on_the_hybrid_group() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let own = Credentials::new(&snapshot(&root.issue(WEB), &[("a.test", &[&root])]));
    let client = ClientTls::new(&clock(), &Settings::default()).unwrap();
    run(async {
        let (near, far) = duplex(1 << 16);
        let name = ServerName::try_from("localhost").unwrap();
        let expected = ExpectedPeer::Id(pki::id(ORDERS));
        let (server, client) =
            tokio::join!(tls.accept(near), connect(far, &client, &own, expected, name));
        let (server, client) = (server.unwrap().0, client.unwrap().0);
        for group in [
            server.get_ref().1.negotiated_key_exchange_group(),
            client.get_ref().1.negotiated_key_exchange_group(),
        ] {
            assert_eq!(group.unwrap().name(), NamedGroup::X25519MLKEM768);
        }
    });
}

#[test]
fn a_client_without_the_hybrid_group_is_served_and_one_with_none_of_ours_is_not() {
    let root = Authority::root("a");
    let tls = orders_of(&root);
    let with = |group: &'static dyn SupportedKxGroup| {
        let mut only = (*provider::crypto()).clone();
        only.kx_groups = vec![group];
        let config = ClientConfig::builder_with_provider(Arc::new(only))
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(
                root.issue(WEB).certified(),
            )));
        run(shake(&tls, config))
    };
    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1] {
        assert!(with(group).0.is_ok());
    }
    let (peer, alert) = with(kx_group::MLKEM768);
    assert_eq!(peer.unwrap_err().reason, "tls.protocol");
    assert_eq!(alert, Some("handshake_failure"));
}

#[test]
fn every_suite_is_aead_with_forward_secrecy() {
    let suites: Vec<_> = provider::crypto()
        .cipher_suites
        .iter()
        .map(|suite| suite.suite().as_str().unwrap())
        .collect();
    assert_eq!(
        suites,
        [
            "TLS13_AES_256_GCM_SHA384",
            "TLS13_AES_128_GCM_SHA256",
            "TLS13_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        ]
    );
}

#[test]
fn sni_decides_nothing_whether_absent_or_another_s() {
    let root = Authority::root("a");
    let (tls, client, stranger) =
        (orders_of(&root), root.issue(WEB), Authority::root("x").issue(WEB));
    let named = |name: ServerName<'static>, client: &Issued| {
        let config = Arc::new(client_config(Some(client)));
        run(async {
            let (near, far) = duplex(1 << 16);
            let (server, _client) =
                tokio::join!(tls.accept(near), TlsConnector::from(config).connect(name, far));
            server.map(|(_, peer)| peer)
        })
    };
    let ip = ServerName::IpAddress(IpAddr::from(std::net::IpAddr::from([192, 0, 2, 1])));
    let other = ServerName::try_from("other.test").unwrap();
    for (name, sni) in [(ip, None), (other, Some("other.test"))] {
        let peer = named(name.clone(), &client).unwrap();
        assert_eq!((peer.id().unwrap().as_str(), peer.tls.sni.as_deref()), (WEB, sni));
        assert_eq!(named(name, &stranger).unwrap_err().reason, "trust.unknown_issuer");
    }
}

/// A hello with any bytes as its SNI. Nothing follows it, so a server that takes it waits in vain.
fn hello_with_sni(name: &[u8]) -> Vec<u8> {
    let config = Arc::new(client_config(None));
    let mut client =
        ClientConnection::new(config, ServerName::try_from("sni.test").unwrap()).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let at = hello.windows(8).position(|window| window == b"sni.test").unwrap();
    let u16_at =
        |hello: &[u8], at: usize| usize::from(u16::from_be_bytes([hello[at], hello[at + 1]]));
    // The extensions' length stands behind version, random, session, suites and compression.
    let session = 5 + 4 + 2 + 32;
    let suites = session + 1 + usize::from(hello[session]);
    let compression = suites + 2 + u16_at(&hello, suites);
    let extensions = compression + 1 + usize::from(hello[compression]);
    // Record, handshake message, extensions, this one, its list, the name.
    for length in [3, 7, extensions, at - 7, at - 5, at - 2] {
        let new = u16::try_from(u16_at(&hello, length) + name.len() - 8).unwrap();
        hello[length..length + 2].copy_from_slice(&new.to_be_bytes());
    }
    hello.splice(at..at + 8, name.iter().copied());
    hello
}

#[test]
fn an_sni_that_is_no_name_ends_the_handshake() {
    let tls = orders_of(&Authority::root("a"));
    let reason = |name: &[u8]| {
        run(async {
            let (near, mut far) = duplex(1 << 16);
            far.write_all(&hello_with_sni(name)).await.unwrap();
            far.shutdown().await.unwrap();
            tls.accept(near).await.unwrap_err().reason
        })
    };
    assert_eq!(reason(b"any-name.test"), "tls.closed");
    assert_eq!(reason(&[b'a'; 10_000]), "tls.protocol");
    assert_eq!(reason(b"a.test\0b.test"), "tls.protocol");
    assert_eq!(reason(b"\xff\xfe"), "tls.protocol");
    assert_eq!(reason(b""), "tls.protocol");
}

/// Somebody else's listener hands out tickets; here they open nothing.
#[test]
fn a_ticket_from_another_listener_is_not_taken() {
    let (root, stranger) = (Authority::root("a"), Authority::root("x"));
    let tls = orders_of(&root);
    let mut generous = ServerConfig::builder_with_provider(provider::crypto())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(root.issue(ORDERS).certified())));
    generous.ticketer = Ticketer::new().unwrap();
    generous.max_early_data_size = 1 << 10;
    let generous = tokio_rustls::TlsAcceptor::from(Arc::new(generous));
    let come_back = |client: &Issued| {
        let mut config = client_config(Some(client));
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(8)));
        config.enable_early_data = true;
        run(async {
            let mut kinds = Vec::new();
            for _ in 0..2 {
                let (near, far) = duplex(1 << 16);
                let (server, client) =
                    tokio::join!(generous.accept(near), dial(far, config.clone()));
                let (mut server, mut client) = (server.unwrap(), client.unwrap());
                server.shutdown().await.unwrap();
                drain(&mut client).await.unwrap();
                kinds.push(server.get_ref().1.handshake_kind().unwrap());
            }
            // It would have been resumed there, so it is offered here as well.
            assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
            let (near, far) = duplex(1 << 16);
            let (server, client) = tokio::join!(tls.accept(near), dial(far, config));
            let client = client.unwrap();
            assert!(!client.get_ref().1.is_early_data_accepted());
            server.map(|(server, _)| server.get_ref().1.handshake_kind())
        })
    };
    assert_eq!(come_back(&root.issue(WEB)).unwrap(), Some(HandshakeKind::Full));
    assert_eq!(come_back(&stranger.issue(WEB)).unwrap_err().reason, "trust.unknown_issuer");
}
