//! The verifier that rustls calls, one per connection: it knows the snapshot's trust and keeps what
//! it found, because rustls gives a refused certificate to nobody.

use std::sync::{Arc, OnceLock};

use portreeve_core::Timestamp;
use portreeve_core::spiffe::Claimed;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::ClientSvid;
use super::client::ExpectedPeer;
use super::error::PeerError;
use super::provider::signature_algorithms;
use super::trust::{Role, Trust, Verified};
use crate::identity::DenyListFile;

/// Verifies the peer of one connection and remembers the outcome.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    trust: Arc<Trust>,
    /// Whom a client wants to talk to; a server takes any trusted peer and leaves the rest to policy.
    expected: Option<ExpectedPeer>,
    client_svid: ClientSvid,
    /// Whom a server turns away whatever its trust domain says.
    denied: Option<DenyListFile>,
    verified: OnceLock<Verified>,
    refusal: OnceLock<Refusal>,
}

/// Why the certificate was refused, and what it claims to be.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) error: PeerError,
    pub(super) claimed: Claimed,
}

impl PeerVerifier {
    /// A server's verifier, for whoever connects.
    pub(super) fn of_client(
        trust: Arc<Trust>,
        client_svid: ClientSvid,
        denied: Option<DenyListFile>,
    ) -> Self {
        let (verified, refusal) = (OnceLock::new(), OnceLock::new());
        Self { trust, expected: None, client_svid, denied, verified, refusal }
    }

    /// A client's verifier, for the one peer that it wants.
    pub(super) fn of_server(trust: Arc<Trust>, expected: ExpectedPeer) -> Self {
        let verifier = Self::of_client(trust, ClientSvid::Required, None);
        Self { expected: Some(expected), ..verifier }
    }

    /// The verified chain. The leaf's key is proven only once the handshake is complete.
    pub(super) fn verified(&self) -> Option<&Verified> {
        self.verified.get()
    }

    /// Whether a handshake without a certificate is complete.
    pub(super) fn may_be_absent(&self) -> bool {
        self.client_svid == ClientSvid::Optional
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.get()
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        role: Role,
        now: UnixTime,
    ) -> Result<(), Error> {
        let now = Timestamp::from_unix_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let verified = self
            .trust
            .verify(end_entity, intermediates, role, now)
            .map_err(PeerError::from)
            .and_then(|verified| self.check_expected(verified))
            .and_then(|verified| self.check_denied(verified, now));
        match verified {
            Ok(verified) => {
                let _ = self.verified.set(verified);
                Ok(())
            }
            Err(error) => Err(self.refuse(error, end_entity)),
        }
    }

    fn check_expected(&self, verified: Verified) -> Result<Verified, PeerError> {
        match &self.expected {
            Some(expected) if !expected.accepts(&verified.leaf.id) => {
                Err(PeerError::UnexpectedId { id: verified.leaf.id, expected: expected.clone() })
            }
            Some(_) | None => Ok(verified),
        }
    }

    fn check_denied(&self, verified: Verified, now: Timestamp) -> Result<Verified, PeerError> {
        match &self.denied {
            Some(denied) => PeerError::of_denied(denied, &verified.leaf.id, now).map(|()| verified),
            None => Ok(verified),
        }
    }

    fn refuse(&self, error: PeerError, end_entity: &CertificateDer<'_>) -> Error {
        let alerting = error.alerting();
        let _ = self.refusal.set(Refusal { error, claimed: Claimed::read(end_entity) });
        Error::InvalidCertificate(alerting)
    }

    fn check_key(
        &self,
        proof: Result<HandshakeSignatureValid, Error>,
        certificate: &CertificateDer<'_>,
    ) -> Result<HandshakeSignatureValid, Error> {
        proof.map_err(|_| self.refuse(PeerError::HandshakeSignature, certificate))
    }

    fn check_tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proof = verify_tls12_signature(message, certificate, dss, signature_algorithms());
        self.check_key(proof, certificate)
    }

    fn check_tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proof = verify_tls13_signature(message, certificate, dss, signature_algorithms());
        self.check_key(proof, certificate)
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.client_svid == ClientSvid::Required
    }

    /// No hints: a workload has one identity, and a list of our roots would tell strangers whom we trust.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, intermediates, Role::Client, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature_algorithms().supported_schemes()
    }
}

impl ServerCertVerifier for PeerVerifier {
    /// The name that was dialled decides nothing: only the SPIFFE ID does.
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, intermediates, Role::Server, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_tls12(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_tls13(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        signature_algorithms().supported_schemes()
    }
}
