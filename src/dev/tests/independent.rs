//! The crate `spiffe`, which shares no code with ours, is content with our server.

use super::*;

use hyper_util::rt::{TokioExecutor, TokioIo};
use spiffe::{JwtSource, JwtSvid, WorkloadApiClient, X509Source};
use tonic::Code;
use tonic::metadata::MetadataValue;
use tonic_prost::ProstCodec;

use crate::dev::Fault;
use crate::identity::proto::{FETCH_X509_SVID, SECURITY_HEADER, X509SvidRequest, X509SvidResponse};

const AUDIENCE: &str = "spiffe://a.test/api";

#[tokio::test]
async fn an_x509_source_gets_the_svid_and_follows_its_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let source = X509Source::builder().endpoint(api.endpoint()).build().await.unwrap();
    let first = source.svid().unwrap();
    assert_eq!(first.spiffe_id().to_string(), "spiffe://a.test/web");
    let ours = spiffe::TrustDomain::new("a.test").unwrap();
    let bundle = source.try_bundle_for_trust_domain(&ours).unwrap();
    assert_eq!(bundle.authorities()[0].as_bytes(), api.bundle()[0].as_ref());
    let mut updates = source.updated();
    api.rotate_authority().unwrap();
    timeout(PATIENCE, updates.changed()).await.unwrap().unwrap();
    assert_eq!(source.try_bundle_for_trust_domain(&ours).unwrap().authorities().len(), 2);
    assert_ne!(source.svid().unwrap().leaf().as_bytes(), first.leaf().as_bytes());
}

#[tokio::test]
async fn a_jwt_svid_validates_offline_and_by_the_server() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let source = JwtSource::builder().endpoint(api.endpoint()).build().await.unwrap();
    let fetched = source.fetch_jwt_svid([AUDIENCE]).await.unwrap();
    let bundles = source.bundle_set().unwrap();
    let offline = JwtSvid::parse_and_validate(fetched.token(), &*bundles, &[AUDIENCE]).unwrap();
    assert_eq!(offline.spiffe_id().to_string(), "spiffe://a.test/web");
    let other = JwtSvid::parse_and_validate(fetched.token(), &*bundles, &["someone else"]);
    assert!(other.is_err());

    let client = WorkloadApiClient::connect_to(api.endpoint()).await.unwrap();
    let validated = client.validate_jwt_token(AUDIENCE, fetched.token()).await.unwrap();
    assert_eq!(validated.spiffe_id().to_string(), "spiffe://a.test/web");
    assert!(client.validate_jwt_token("someone else", fetched.token()).await.is_err());
    // An old key verifies until it is retired.
    api.rotate_authority().unwrap();
    assert!(client.validate_jwt_token(AUDIENCE, fetched.token()).await.is_ok());
    api.retire_authorities();
    assert!(client.validate_jwt_token(AUDIENCE, fetched.token()).await.is_err());
}

#[tokio::test]
async fn both_kinds_of_bundles_can_be_fetched_alone() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    let client = WorkloadApiClient::connect_to(api.endpoint()).await.unwrap();
    let ours = spiffe::TrustDomain::new("a.test").unwrap();
    let x509 = client.fetch_x509_bundles().await.unwrap();
    assert_eq!(x509.get(&ours).unwrap().authorities().len(), 1);
    assert!(client.fetch_jwt_bundles().await.unwrap().get(&ours).is_some());
    api.set_fault(Fault::Denied);
    assert!(client.fetch_x509_bundles().await.is_err());
    assert!(client.fetch_jwt_bundles().await.is_err());
    assert!(client.fetch_jwt_svid([AUDIENCE], None).await.is_err());
}

/// One raw call; the code that it is answered with.
async fn call(socket: &Path, path: &'static str, security: &[&'static str]) -> Code {
    let stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    let handshake =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let calls = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let origin = http::Uri::from_static("http://localhost");
    let mut client = tonic::client::Grpc::with_origin(calls, origin);
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(X509SvidRequest {});
    for value in security {
        request.metadata_mut().append(SECURITY_HEADER, MetadataValue::from_static(value));
    }
    let codec = ProstCodec::<X509SvidRequest, X509SvidResponse>::default();
    let path = http::uri::PathAndQuery::from_static(path);
    let mut stream = match client.server_streaming(request, path, codec).await {
        Ok(response) => response.into_inner(),
        Err(status) => return status.code(),
    };
    stream.message().await.map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn every_call_needs_the_security_header_exactly_once() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    assert_eq!(call(api.socket(), FETCH_X509_SVID, &["true"]).await, Code::Ok);
    for wrong in [&[][..], &["TRUE"], &["false"], &["true", "true"]] {
        let code = call(api.socket(), FETCH_X509_SVID, wrong).await;
        assert_eq!(code, Code::InvalidArgument, "{wrong:?}");
    }
}

#[tokio::test]
async fn calls_that_are_not_there_are_unimplemented() {
    let dir = tempfile::tempdir().unwrap();
    let api = WorkloadApi::start(settings(&dir)).unwrap();
    for path in ["/SpiffeWorkloadAPI/FetchWITSVID", "/grpc.health.v1.Health/Watch"] {
        assert_eq!(call(api.socket(), path, &["true"]).await, Code::Unimplemented, "{path}");
    }
}
