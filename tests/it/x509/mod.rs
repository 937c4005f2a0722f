//! The cases of the suite `spiffe-x509`, presented by a peer over a connection: by a client or server
//! that sends the case's certificates whatever they are worth.

mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use portreeve::tls::Role;
use portreeve_core::Timestamp;
use portreeve_core::spiffe::TrustDomain;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime,
};
use rustls::sign::{CertifiedKey, SigningKey, SingleCertAndKey};
use rustls::{ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme};
use serde_json::Value;

/// One case, as much of it as a connection needs.
pub(crate) struct Case {
    pub(crate) id: String,
    pub(crate) role: Role,
    pub(crate) bundles: BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>,
    pub(crate) crls: Vec<CertificateRevocationListDer<'static>>,
    /// Leaf first.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    /// The leaf's key, where rustls can sign with it.
    pub(crate) key: Option<Arc<dyn SigningKey>>,
    pub(crate) time: Timestamp,
}

/// Every case of every file.
pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/spiffe-x509/cases");
    let mut files: Vec<_> = folder.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let of_file: Vec<Value> = serde_json::from_str(&text).unwrap();
        cases.extend(of_file.iter().map(case));
    }
    assert!(cases.len() > 500, "{} cases", cases.len());
    cases
}

fn case(case: &Value) -> Case {
    let text = |name: &str| case[name].as_str().unwrap().to_owned();
    let bundle = |(name, roots): (&String, &Value)| {
        (TrustDomain::parse(name).unwrap(), pems(roots).map(|pem| der(&pem)).collect())
    };
    let mut chain = vec![der(&text("peer_certificate"))];
    chain.extend(pems(&case["untrusted_intermediates"]).map(|pem| der(&pem)));
    let crl = |pem: String| CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap();
    Case {
        id: text("id"),
        role: if case["role"] == "server" { Role::Server } else { Role::Client },
        bundles: case["bundles"].as_object().unwrap().iter().map(bundle).collect(),
        crls: pems(&case["crls"]).map(crl).collect(),
        chain,
        key: case["peer_certificate_key"].as_str().and_then(signing_key),
        time: Timestamp::parse(&text("validation_time")).unwrap(),
    }
}

fn pems(list: &Value) -> impl Iterator<Item = String> {
    let list = list.as_array().cloned().unwrap_or_default();
    list.into_iter().map(|pem| pem.as_str().unwrap().to_owned())
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn signing_key(pem: &str) -> Option<Arc<dyn SigningKey>> {
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    aws_lc_rs::sign::any_supported_type(&key).ok()
}

impl Case {
    /// What the peer presents. A certificate that is refused is refused before its key matters, so
    /// where rustls cannot sign with the case's own another stands in.
    fn presented(&self, stand_in: &Arc<dyn SigningKey>) -> Arc<SingleCertAndKey> {
        let key = self.key.as_ref().unwrap_or(stand_in);
        let certified = CertifiedKey::new(self.chain.clone(), Arc::clone(key));
        Arc::new(SingleCertAndKey::from(certified))
    }

    pub(crate) fn as_client(&self, stand_in: &Arc<dyn SigningKey>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer));
        Arc::new(builder.with_client_cert_resolver(self.presented(stand_in)))
    }

    pub(crate) fn as_server(&self, stand_in: &Arc<dyn SigningKey>) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth();
        Arc::new(builder.with_cert_resolver(self.presented(stand_in)))
    }
}

/// A key that belongs to no case.
pub(crate) fn stand_in() -> Arc<dyn SigningKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    aws_lc_rs::sign::any_supported_type(&der).unwrap()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The case's peer is on trial, not whom it talks to.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
