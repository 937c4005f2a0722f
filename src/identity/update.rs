//! One update of a source, read: the SVID that is picked and the bundles to trust.
//!
//! What our own SVID needs is read strictly, and an error in it discards the message. A foreign
//! bundle that cannot be read never blocks the rest: its trust domain then trusts nothing.

use std::collections::BTreeMap;

use portreeve_core::spiffe::{SpiffeId, SpiffeIdError, TrustDomain};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

use super::source::UnusableBundle;
use super::svid::{MaterialError, NotCertificates, certificates};
use super::{Pick, Svid, proto};

/// What becomes a snapshot.
pub(super) struct Update {
    pub(super) svid: Svid,
    pub(super) bundles: Bundles,
    pub(super) crls: Vec<CertificateRevocationListDer<'static>>,
    pub(super) unusable: Vec<UnusableBundle>,
}

/// Why an update cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("the update holds no SVID")]
    NoSvid,
    #[error("SVID `{id}` cannot be used")]
    Svid { id: String, source: MaterialError },
    #[error("the bundle of our own trust domain `{trust_domain}` cannot be read")]
    Bundle { trust_domain: TrustDomain, source: NotCertificates },
    #[error("the bundle of our own trust domain `{trust_domain}` is empty")]
    EmptyBundle { trust_domain: TrustDomain },
    #[error(
        "the SVID is now `{id}`, and it was one of `{first}` at the start: another trust domain needs \
         a restart"
    )]
    OtherTrustDomain { first: TrustDomain, id: SpiffeId },
}

/// The roots (DER) by trust domain.
pub(crate) type Bundles = BTreeMap<TrustDomain, Vec<CertificateDer<'static>>>;

/// The SVID to serve; `None` if the one that is picked is not among those that the message holds.
/// Of a duplicate hint the first counts (Workload API §5.2.1).
///
/// # Errors
/// The message holds no SVID at all, which none may (Workload API §5.2.1).
pub(crate) fn picked<'a>(
    message: &'a proto::X509SvidResponse,
    pick: Option<&Pick>,
) -> Result<Option<&'a proto::X509Svid>, UpdateError> {
    let first = message.svids.first().ok_or(UpdateError::NoSvid)?;
    let mut all = message.svids.iter();
    Ok(match pick {
        None => Some(first),
        Some(Pick::Hint(hint)) => all.find(|svid| svid.hint == *hint),
        Some(Pick::SpiffeId(id)) => all.find(|svid| svid.spiffe_id == id.as_str()),
    })
}

/// Reads one SVID of a message.
///
/// # Errors
/// Its certificates, its key or its ID cannot be used, or they do not belong together.
pub(crate) fn read_svid(message: &proto::X509Svid) -> Result<Svid, UpdateError> {
    let error = |source| UpdateError::Svid { id: message.spiffe_id.clone(), source };
    let svid = Svid::from_der(&message.x509_svid, &message.x509_svid_key).map_err(error)?;
    if svid.id.as_str() != message.spiffe_id {
        return Err(error(MaterialError::OtherId { named: svid.id }));
    }
    Ok(svid)
}

/// Reads the bundle of an SVID's own trust domain and the foreign ones beside it, and says which of
/// these cannot be used. Bundles are never pooled (Federation §4.2): a foreign one under our own name
/// is left out.
///
/// # Errors
/// The bundle of the SVID's own trust domain is empty or cannot be read.
pub(crate) fn read_bundles(
    message: &proto::X509SvidResponse,
    own: &proto::X509Svid,
    id: &SpiffeId,
) -> Result<(Bundles, Vec<UnusableBundle>), UpdateError> {
    let trust_domain = id.trust_domain().clone();
    let roots = certificates(&own.bundle)
        .map_err(|source| UpdateError::Bundle { trust_domain: trust_domain.clone(), source })?;
    if roots.is_empty() {
        return Err(UpdateError::EmptyBundle { trust_domain });
    }
    let mut bundles = Bundles::from([(trust_domain, roots)]);
    let mut unusable = Vec::new();
    for (name, der) in &message.federated_bundles {
        let mut leave_out =
            |text: String| unusable.push(UnusableBundle { name: name.clone(), text });
        match trust_domain_named(name) {
            Err(error) => leave_out(format!("the name is of no trust domain: {error}")),
            Ok(foreign) if foreign == *id.trust_domain() => {
                leave_out(String::from("the trust domain is our own"));
            }
            Ok(foreign) => {
                let roots = certificates(der).unwrap_or_else(|error| {
                    leave_out(error.to_string());
                    Vec::new()
                });
                bundles.insert(foreign, roots);
            }
        }
    }
    Ok((bundles, unusable))
}

/// A bundle's key is the SPIFFE ID of its trust domain: `spiffe://partner.example`.
pub(crate) fn trust_domain_named(name: &str) -> Result<TrustDomain, SpiffeIdError> {
    let id = SpiffeId::parse(name)?;
    if id.path().is_empty() {
        Ok(id.trust_domain().clone())
    } else {
        Err(SpiffeIdError::PathCharacter)
    }
}
