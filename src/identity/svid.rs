//! Our own SVID, read from the bytes that a source gives: certificates and key that belong together.

use portreeve_core::spiffe::CertificateFacts;
use portreeve_core::spiffe::{Leaf, SpiffeId, SvidError};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Svid;

/// A chain has one leaf and few signing certificates; verifiers stop at six.
const MAX_CHAIN_CERTIFICATES: usize = 16;

/// Why certificates and key are no X.509-SVID that we can present.
#[derive(Debug, thiserror::Error)]
pub enum MaterialError {
    #[error("there is no certificate")]
    NoCertificate,
    #[error("the chain has more than {MAX_CHAIN_CERTIFICATES} certificates")]
    LongChain,
    #[error("the chain cannot be read")]
    Chain { source: NotCertificates },
    #[error("the certificate is no SVID")]
    Leaf { source: SvidError },
    #[error("the certificate is for `{named}`")]
    OtherId { named: SpiffeId },
    #[error("the private key cannot be used")]
    Key { source: rustls::Error },
    #[error("the private key is not the certificate's")]
    OtherKey,
}

/// Bytes that are not DER certificates one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no DER certificate starts at byte {offset} of {bytes}")]
pub struct NotCertificates {
    pub offset: usize,
    pub bytes: usize,
}

impl Svid {
    /// Reads an SVID as the Workload API carries it: a chain of concatenated DER certificates, leaf
    /// first, and a PKCS#8 DER key.
    ///
    /// # Errors
    /// The chain or the key cannot be used, they do not belong together, or the leaf does not name
    /// exactly one workload.
    pub fn from_der(chain: &[u8], key: &[u8]) -> Result<Self, MaterialError> {
        let chain = certificates(chain).map_err(|source| MaterialError::Chain { source })?;
        Self::new(chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec())))
    }

    /// Takes an SVID of certificates, leaf first, and a key in one of the usual forms.
    ///
    /// # Errors
    /// The key cannot be used, it does not belong to the leaf, or the leaf does not name exactly one
    /// workload.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, MaterialError> {
        if chain.len() > MAX_CHAIN_CERTIFICATES {
            return Err(MaterialError::LongChain);
        }
        let leaf = chain.first().ok_or(MaterialError::NoCertificate)?;
        let Leaf { id, facts } =
            Leaf::read(leaf).map_err(|source| MaterialError::Leaf { source })?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified_key =
            CertifiedKey::from_der(chain, key, &provider).map_err(|source| match source {
                rustls::Error::InconsistentKeys(_) => MaterialError::OtherKey,
                source => MaterialError::Key { source },
            })?;
        let CertificateFacts { not_before, not_after, .. } = facts;
        Ok(Self { id, not_before, not_after, certified_key: certified_key.into() })
    }
}

/// Splits concatenated DER certificates.
pub(super) fn certificates(der: &[u8]) -> Result<Vec<CertificateDer<'static>>, NotCertificates> {
    let mut found = Vec::new();
    let mut rest = der;
    while !rest.is_empty() {
        let wrong = NotCertificates { offset: der.len() - rest.len(), bytes: der.len() };
        let (after, _) = X509Certificate::from_der(rest).map_err(|_| wrong)?;
        let (one, _) = rest.split_at_checked(rest.len() - after.len()).ok_or(wrong)?;
        found.push(CertificateDer::from(one.to_vec()));
        rest = after;
    }
    Ok(found)
}
