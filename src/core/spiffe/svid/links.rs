//! How a certificate, good or bad, names itself and its issuer: for explaining why no path held.

use x509_parser::extensions::{AuthorityKeyIdentifier, KeyIdentifier, NameConstraints};
use x509_parser::oid_registry::{
    OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER, OID_X509_EXT_NAME_CONSTRAINTS,
    OID_X509_EXT_SUBJECT_KEY_IDENTIFIER,
};

use super::certificate::parse;
use super::key::{KeyFault, check_key};
use super::{read, uri_bytes};

/// What links a certificate to others, as it says itself; nothing of it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links<'a> {
    /// The subject's name as it is written, with tag and length.
    pub subject: &'a [u8],
    /// The issuer's name as it is written, with tag and length.
    pub issuer: &'a [u8],
    pub key_id: Option<&'a [u8]>,
    pub issuer_key_id: Option<&'a [u8]>,
    pub weak_key: Option<KeyFault>,
    /// Whether it constrains the URI names of the certificates below it (RFC 5280 §4.2.1.10).
    pub constrains_uris: bool,
}

impl<'a> Links<'a> {
    /// Reads what can be read; `None` if it is no certificate at all.
    #[must_use]
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let (_, certificate) = parse(der)?;
        let key_id =
            read::<KeyIdentifier<'a>>(&certificate, &OID_X509_EXT_SUBJECT_KEY_IDENTIFIER, "");
        let issuer_key_id = read::<AuthorityKeyIdentifier<'a>>(
            &certificate,
            &OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER,
            "",
        );
        let constraints =
            read::<NameConstraints<'a>>(&certificate, &OID_X509_EXT_NAME_CONSTRAINTS, "");
        Some(Self {
            subject: certificate.tbs_certificate.subject.as_raw(),
            issuer: certificate.tbs_certificate.issuer.as_raw(),
            key_id: key_id.ok().flatten().map(|(id, _)| id.0),
            issuer_key_id: issuer_key_id
                .ok()
                .flatten()
                .and_then(|(id, _)| id.key_identifier.map(|id| id.0)),
            weak_key: check_key(certificate.public_key()).err(),
            constrains_uris: constraints
                .ok()
                .flatten()
                .is_some_and(|(constraints, _)| names_uris(&constraints)),
        })
    }
}

fn names_uris(constraints: &NameConstraints<'_>) -> bool {
    let NameConstraints { permitted_subtrees, excluded_subtrees } = constraints;
    let mut subtrees = permitted_subtrees.iter().chain(excluded_subtrees).flatten();
    subtrees.any(|subtree| uri_bytes(&subtree.base).is_some())
}
