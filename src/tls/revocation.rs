//! Lists of revoked certificates (RFC 5280 §5) that came with a snapshot, and what they revoke.
//!
//! A list counts only for certificates of the very key that signed it: one that is signed by somebody
//! else, under whatever name, revokes nothing and hinders nobody. Any list that counts revokes what it
//! lists, also after its end: an old list never makes a revoked certificate good again. Where no list
//! speaks of an issuer nothing is revoked, since SPIRE publishes none.

use std::collections::HashMap;
use std::sync::OnceLock;

use portreeve_core::Timestamp;
use rustls::pki_types::CertificateRevocationListDer;
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::asn1_rs::{Any, FromDer as _, Tag};
use x509_parser::revocation_list::CertificateRevocationList;

use super::provider;

/// Everything that the lists of a snapshot revoke, by the name of the issuer.
#[derive(Debug, Default)]
pub(super) struct Revocation {
    lists: HashMap<Box<[u8]>, Vec<List>>,
}

/// A list that does not count, for the operator to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableCrl {
    /// The issuer as the list names it, where it could be read.
    pub issuer: Option<String>,
    pub error: CrlError,
}

/// Why a list of revoked certificates does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CrlError {
    #[error("it is no list that is understood here: {0} (RFC 5280 §5)")]
    Malformed(String),
    #[error("it is not signed by the root that it names (RFC 5280 §6.3.3)")]
    Signature,
    #[error("the root that signed it may not: its keyUsage lacks cRLSign (RFC 5280 §6.3.3)")]
    Issuer,
}

/// A list whose next one is overdue. It still revokes what it lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueCrl {
    pub issuer: String,
    pub next_update: Timestamp,
}

/// A key that may have signed a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signer<'a> {
    /// The contents of `SubjectPublicKeyInfo`, without tag and length.
    pub(super) key: &'a [u8],
    pub(super) may_sign_crls: bool,
}

/// One list, and the key that signed it once that is known.
#[derive(Debug)]
struct List {
    issuer: String,
    next_update: Timestamp,
    revoked: CertRevocationList<'static>,
    signed: Signed,
    /// The one key that its signature was seen to be of.
    proven: OnceLock<Box<[u8]>>,
}

/// The signed part of a list, its algorithm and its signature.
#[derive(Debug)]
struct Signed {
    data: Box<[u8]>,
    algorithm: Box<[u8]>,
    signature: Box<[u8]>,
}

impl Revocation {
    /// Reads the lists. `roots` gives the keys of all roots with a name, so that the signatures of
    /// their lists are verified here and not in a handshake; an intermediate's are once it is seen.
    pub(super) fn new<'a, F>(
        crls: &[CertificateRevocationListDer<'_>],
        roots: F,
    ) -> (Self, Vec<UnusableCrl>)
    where
        F: Fn(&[u8]) -> Vec<Signer<'a>>,
    {
        let (mut all, mut unusable) = (Self::default(), Vec::new());
        for crl in crls {
            let (name, list) = match List::read(crl) {
                Ok(read) => read,
                Err(error) => {
                    unusable.push(UnusableCrl { issuer: None, error });
                    continue;
                }
            };
            let signers = roots(&name);
            let by = signers.iter().find(|signer| list.is_signed_by(signer.key));
            let error = match by {
                Some(signer) if !signer.may_sign_crls => Some(CrlError::Issuer),
                None if !signers.is_empty() => Some(CrlError::Signature),
                Some(_) | None => None,
            };
            if let Some(error) = error {
                unusable.push(UnusableCrl { issuer: Some(list.issuer.clone()), error });
            }
            all.lists.entry(name).or_default().push(list);
        }
        (all, unusable)
    }

    /// Whether there is a list at all that could speak of this issuer's certificates.
    pub(super) fn knows(&self, issuer: &[u8]) -> bool {
        !self.lists.is_empty() && self.lists.contains_key(issuer)
    }

    /// Whether the issuer of that name and key has revoked the certificate with this serial number.
    pub(super) fn is_revoked(&self, issuer: &[u8], signer: Signer<'_>, serial: &[u8]) -> bool {
        let lists = self.lists.get(issuer).map_or(&[][..], Vec::as_slice);
        signer.may_sign_crls
            && lists.iter().any(|list| list.lists(serial) && list.is_signed_by(signer.key))
    }

    /// The lists whose next one should be here by now.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<OverdueCrl> {
        let lists = self.lists.values().flatten().filter(|list| list.next_update < now);
        let overdue =
            |list: &List| OverdueCrl { issuer: list.issuer.clone(), next_update: list.next_update };
        let mut all: Vec<_> = lists.map(overdue).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }
}

impl List {
    /// The issuer's name as certificates write it, and its list.
    fn read(der: &[u8]) -> Result<(Box<[u8]>, Self), CrlError> {
        let malformed = |error: webpki::Error| CrlError::Malformed(error.to_string());
        let revoked = OwnedCertRevocationList::from_der(der).map_err(malformed)?;
        let revoked = CertRevocationList::from(revoked);
        let unread = || CrlError::Malformed("it does not parse".to_owned());
        let (_, parsed) = CertificateRevocationList::from_der(der).map_err(|_| unread())?;
        let next_update = parsed.next_update().ok_or_else(unread)?.timestamp();
        let list = Self {
            issuer: parsed.issuer().to_string(),
            next_update: Timestamp::from_unix_seconds(next_update),
            signed: Signed::read(der).ok_or_else(unread)?,
            proven: OnceLock::new(),
            revoked,
        };
        Ok((list.revoked.issuer().into(), list))
    }

    /// What cannot be looked up counts as listed.
    fn lists(&self, serial: &[u8]) -> bool {
        !matches!(self.revoked.find_serial(serial), Ok(None))
    }

    /// A signature is of one key only: once that is known, no other is tried.
    fn is_signed_by(&self, key: &[u8]) -> bool {
        if let Some(proven) = self.proven.get() {
            return **proven == *key;
        }
        let is_signed = self.signed.is_by(key).unwrap_or(false);
        if is_signed {
            let _ = self.proven.set(key.into());
        }
        is_signed
    }
}

impl Signed {
    fn read(der: &[u8]) -> Option<Self> {
        let (list, _) = element(der, Tag::Sequence)?;
        let (_, rest) = element(list, Tag::Sequence)?;
        let data = list.get(..list.len().checked_sub(rest.len())?)?;
        let (algorithm, rest) = element(rest, Tag::Sequence)?;
        let (signature, _) = element(rest, Tag::BitString)?;
        Some(Self {
            data: data.into(),
            algorithm: algorithm.into(),
            signature: whole_bytes(signature)?.into(),
        })
    }

    /// Whether the signature is of this key; `None` if the key does not parse.
    fn is_by(&self, key: &[u8]) -> Option<bool> {
        let (key_algorithm, rest) = element(key, Tag::Sequence)?;
        let key = whole_bytes(element(rest, Tag::BitString)?.0)?;
        let mut algorithms = provider::signature_algorithms().all.iter();
        Some(algorithms.any(|algorithm| {
            *algorithm.signature_alg_id() == *self.algorithm
                && *algorithm.public_key_alg_id() == *key_algorithm
                && algorithm.verify_signature(key, &self.data, &self.signature).is_ok()
        }))
    }
}

/// The contents of the first element, which has this tag, and what follows it.
pub(super) fn element(der: &[u8], tag: Tag) -> Option<(&[u8], &[u8])> {
    let (rest, any) = Any::from_der(der).ok()?;
    (any.tag() == tag).then_some((any.data, rest))
}

/// A bit string of whole bytes.
fn whole_bytes(bits: &[u8]) -> Option<&[u8]> {
    match bits {
        [0, bytes @ ..] => Some(bytes),
        _ => None,
    }
}
