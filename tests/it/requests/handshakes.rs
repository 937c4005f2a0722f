//! Connections that prove nobody: refused, counted by reason, and without effect on those that do.

use std::sync::Arc;
use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::dev::{self, Authority, Issued, WorkloadApi};
use portreeve::tls::Alpn;
use portreeve_core::spiffe::TrustDomain;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::heads::{count_of, refused};
use crate::support::*;

const HOUR: Duration = Duration::from_secs(3_600);

/// The one refusal in the log, which must be of this reason.
#[track_caller]
fn the_refusal<'a>(log: &'a [Value], reason: &str) -> &'a Value {
    let all = of_kind(log, "refused");
    let found = refused(log, "tls", reason);
    assert_eq!((all.len(), found.len()), (1, 1), "not {reason}: {all:?}");
    found[0]
}

/// The IDs that refused peers claimed; each came with its certificate's serial number and fingerprint.
#[track_caller]
fn claimed_ids(record: &Value) -> Vec<&str> {
    let claimed = record["refused"]["claimed"].as_array().unwrap();
    let ids = claimed.iter().map(|claimed| {
        assert!(!claimed["serial"].as_str().unwrap().is_empty());
        assert_eq!(claimed["sha256"].as_str().unwrap().len(), 64);
        claimed["spiffe_id"].as_str().unwrap()
    });
    ids.collect()
}

/// A client that presents this certificate gets nothing but an alert.
async fn check_refused(scene: Scene, issued: &Issued, reason: &str, claimed: &str) {
    for alpn in [Alpn::Http1, Alpn::Http2] {
        let stream = handshake(scene.address(), &scene.workload_api, issued, alpn).await;
        // In TLS 1.3 the client is done before the server has looked at its certificate.
        if let Ok(mut stream) = stream {
            let _ = stream.write_all(b"GET /orders/1 HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
            let mut read = Vec::new();
            assert!(stream.read_to_end(&mut read).await.is_err(), "closed without an alert");
            assert!(read.is_empty(), "{read:?}");
        }
    }
    assert_eq!(scene.client(WEB, "h2").await.get("/orders/1").await.status.as_u16(), 200);
    let (log, _, seen) = scene.finish_with().await;
    let record = the_refusal(&log, reason);
    assert_eq!(count_of(record), 2);
    assert_eq!(claimed_ids(record), [claimed], "{record}");
    assert_eq!((seen.len(), decisions(&log).len()), (1, 1));
}

fn foreign(name: &str) -> Authority {
    Authority::new(TrustDomain::parse(name).unwrap(), Clock::system()).unwrap()
}

#[test]
fn another_trust_domain_is_refused_with_the_identity_it_claims() {
    run(async {
        let claimed = "spiffe://other.test/ns/shop/sa/web";
        let issued = foreign("other.test").issue(&id(claimed), HOUR).unwrap();
        check_refused(Scene::start().await, &issued, "trust.no_bundle", claimed).await;
    });
}

#[test]
fn a_federated_domain_may_not_sign_for_ours() {
    run(async {
        let scene = Scene::start().await;
        let other = foreign("other.test");
        let name = TrustDomain::parse("other.test").unwrap();
        scene.workload_api.federate(&name, other.root().to_vec());
        let is_federated = || {
            let status = scene.sidecar.report().status().identity;
            status.is_some_and(|identity| identity.trust_domains.len() == 2)
        };
        scene.until("federated", is_federated).await;
        // Its own workloads are proven, and policy knows none of them.
        let honest = other.issue(&id("spiffe://other.test/ns/shop/sa/web"), HOUR).unwrap();
        let stream = handshake(scene.address(), &scene.workload_api, &honest, Alpn::Http2).await;
        let mut client = Client::over(stream.unwrap(), true).await;
        assert_eq!(client.get("/orders/1").await.status.as_u16(), 403);
        assert_eq!(client.get("/healthz").await.status.as_u16(), 200);
        drop(client);
        let forged = other.issue(&id(ADMIN), HOUR).unwrap();
        let stream = handshake(scene.address(), &scene.workload_api, &forged, Alpn::Http1).await;
        if let Ok(mut stream) = stream {
            assert!(stream.read_u8().await.is_err());
        }
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(seen.len(), 1);
        let record = of_kind(&log, "refused")[0];
        assert_eq!(claimed_ids(record), [ADMIN]);
        assert_eq!(text(record, "/refused/stage"), "tls");
    });
}

#[test]
fn our_domain_by_name_but_not_by_key_is_refused() {
    run(async {
        let issued = foreign(TRUST_DOMAIN).issue(&id(ADMIN), HOUR).unwrap();
        check_refused(Scene::start().await, &issued, "trust.unknown_issuer", ADMIN).await;
    });
}

#[test]
fn a_workload_api_of_the_same_name_is_no_way_in() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let settings = dev::Settings::new(trust_domain(), dir.path().join("api.sock"));
        let other = WorkloadApi::start(settings).unwrap();
        let issued = other.issue(&id(WEB)).unwrap();
        check_refused(Scene::start().await, &issued, "trust.unknown_issuer", WEB).await;
    });
}

/// Accepts any server: what is tested is what the server accepts.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[test]
fn a_caller_without_certificate_is_refused() {
    run(async {
        let scene = Scene::start().await;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anyone))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(scene.address()).await.unwrap();
        let name = ServerName::try_from("orders.shop.test").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
        assert!(stream.read_u8().await.is_err());
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty() && decisions(&log).is_empty());
        assert_eq!(the_refusal(&log, "tls.no_certificate")["refused"]["count"], 1);
    });
}

#[test]
fn plaintext_to_the_listener_is_refused() {
    run(async {
        let scene = Scene::start().await;
        let mut stream = TcpStream::connect(scene.address()).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a.test\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        let (log, _, seen) = scene.finish_with().await;
        assert!(seen.is_empty() && decisions(&log).is_empty());
        let record = the_refusal(&log, "tls.not_tls");
        assert_eq!(text(record, "/refused/source"), "127.0.0.0/24");
        assert_eq!(record["refused"]["claimed"], serde_json::json!([]));
    });
}

/// Invariant 7: what is refused is counted whole and takes nothing from what is decided.
#[test]
fn a_flood_of_garbage_is_counted_in_few_records_while_requests_are_decided() {
    const GARBAGE: usize = 2_000;
    const AT_ONCE: usize = 50;
    run(async {
        let scene = Scene::start().await;
        let address = scene.address();
        let mut web = scene.client(WEB, "h1").await;
        let mut garbage = JoinSet::new();
        for _ in 0..AT_ONCE {
            garbage.spawn(async move {
                for _ in 0..GARBAGE / AT_ONCE {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(b"this is not a hello\r\n").await.unwrap();
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                }
            });
        }
        let mut decided = 0;
        while !garbage.is_empty() {
            assert_eq!(web.get("/orders/1").await.status.as_u16(), 200);
            assert_eq!(web.get("/reports/1").await.status.as_u16(), 403);
            decided += 2;
            while let Some(ended) = garbage.try_join_next() {
                ended.unwrap();
            }
        }
        drop(web);
        let log = scene.finish().await;
        assert_eq!(decisions(&log).len(), decided);
        let records = of_kind(&log, "refused");
        let counted: u64 = records.iter().map(|record| count_of(record)).sum();
        assert_eq!(counted, GARBAGE as u64);
        assert!(records.len() < 20, "{} records", records.len());
    });
}
