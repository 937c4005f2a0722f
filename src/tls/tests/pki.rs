//! Certificate authorities and SVIDs made in the test, good and bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams,
    SanType, SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;

use crate::clock::Clock;
use crate::identity::{Snapshot, Svid};

/// 2026-06-01T00:00:00Z: when every test takes place.
pub(super) const NOW: i64 = 1_780_272_000;
pub(super) const HOUR: i64 = 3_600;

pub(super) fn clock() -> Clock {
    Clock::manual(Timestamp::from_unix_seconds(NOW))
}

/// The moment that many seconds from now.
pub(super) fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW + seconds).unwrap()
}

/// A CA: its certificate, what it signs with, and the intermediates up to a root.
pub(super) struct Authority {
    name: String,
    pub(super) issuer: CertifiedIssuer<'static, KeyPair>,
    pub(super) intermediates: Vec<CertificateDer<'static>>,
}

/// A chain, leaf first, and the leaf's key.
pub(super) struct Issued {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: Arc<dyn rustls::sign::SigningKey>,
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = at(-HOUR);
    params.not_after = at(24 * HOUR);
    params
}

pub(super) fn leaf_params(id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = at(-10);
    params.not_after = at(HOUR);
    params
}

impl Authority {
    pub(super) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(super) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { name: name.to_owned(), issuer, intermediates: Vec::new() }
    }

    pub(super) fn root_of(name: &str, key: KeyPair) -> Self {
        let issuer = CertifiedIssuer::self_signed(ca_params(name), key).unwrap();
        Self { name: name.to_owned(), issuer, intermediates: Vec::new() }
    }

    pub(super) fn intermediate(&self, name: &str) -> Self {
        self.intermediate_with(name, |_| {})
    }

    pub(super) fn intermediate_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let issuer = CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap();
        let mut intermediates = vec![issuer.der().clone()];
        intermediates.extend(self.intermediates.iter().cloned());
        Self { name: name.to_owned(), issuer, intermediates }
    }

    /// This root's name and key in another certificate of its own.
    pub(super) fn renewed(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(&self.name);
        change(&mut params);
        let key = KeyPair::try_from(self.issuer.key().serialize_der()).unwrap();
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { name: self.name.clone(), issuer, intermediates: Vec::new() }
    }

    /// This CA's name and key in a certificate that another CA signs.
    pub(super) fn signed_again_by(&self, other: &Self) -> CertificateDer<'static> {
        let params = ca_params(&self.name);
        params.signed_by(self.issuer.key(), &other.issuer).unwrap().der().clone()
    }

    /// A list of what this CA has revoked, valid for `valid` seconds from now.
    pub(super) fn crl(
        &self,
        revoked: &[&CertificateDer<'static>],
        valid: i64,
    ) -> CertificateRevocationListDer<'static> {
        let entry = |der: &&CertificateDer<'static>| RevokedCertParams {
            serial_number: serial(der),
            revocation_time: at(-HOUR),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: at(-HOUR),
            next_update: at(valid),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().clone()
    }

    pub(super) fn der(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    pub(super) fn issue(&self, id: &str) -> Issued {
        self.issue_with(id, |_| {})
    }

    pub(super) fn issue_with(
        &self,
        id: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let mut params = leaf_params(id);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let mut chain = vec![leaf.der().clone()];
        chain.extend(self.intermediates.iter().cloned());
        Issued { chain, key: signing_key(&key) }
    }
}

impl Issued {
    pub(super) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::new(CertifiedKey::new(self.chain.clone(), Arc::clone(&self.key)))
    }

    /// The same key behind other certificates.
    pub(super) fn with_chain(self, change: impl FnOnce(&mut Vec<CertificateDer<'static>>)) -> Self {
        let mut chain = self.chain;
        change(&mut chain);
        Self { chain, key: self.key }
    }
}

fn serial(der: &[u8]) -> SerialNumber {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
    SerialNumber::from_slice(certificate.raw_serial())
}

fn signing_key(key: &KeyPair) -> Arc<dyn rustls::sign::SigningKey> {
    let der = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    aws_lc_rs::sign::any_supported_type(&der).unwrap()
}

/// What the Workload API would give: an SVID of ours and bundles of trust domains.
pub(super) fn snapshot(svid: &Issued, bundles: &[(&str, &[&Authority])]) -> Snapshot {
    let leaf = portreeve_core::spiffe::Leaf::read(&svid.chain[0]).unwrap();
    let bundles: BTreeMap<_, _> = bundles
        .iter()
        .map(|(name, roots)| {
            (TrustDomain::parse(name).unwrap(), roots.iter().map(|root| root.der()).collect())
        })
        .collect();
    Snapshot {
        sequence: 1,
        svid: Svid {
            id: leaf.id,
            not_before: leaf.facts.not_before,
            not_after: leaf.facts.not_after,
            certified_key: svid.certified(),
        },
        bundles,
        crls: Vec::new(),
        received: Timestamp::from_unix_seconds(NOW),
    }
}

pub(super) fn id(text: &str) -> SpiffeId {
    SpiffeId::parse(text).unwrap()
}
