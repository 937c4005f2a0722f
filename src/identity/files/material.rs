//! From the bytes of files to an update: certificates, key, bundles, revocation lists.

use std::path::Path;

use rustls::pki_types::pem::SectionKind;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::revocation_list::CertificateRevocationList;

use super::FileSettings;
use super::pem::{self, Section};
use super::read::{Contents, FileError};
use crate::identity::svid::MaterialError;
use crate::identity::update::{Bundles, Update, UpdateError};
use crate::identity::{Pick, Svid, UnusableBundle};

/// Our own SVID and bundle are read strictly; a foreign bundle that cannot be read never blocks the
/// rest: its trust domain then trusts nothing.
pub(super) fn read(
    files: &FileSettings,
    mut contents: Contents,
    pick: Option<&Pick>,
) -> Result<Update, FileError> {
    let svid = svid(files, &contents)?;
    if let Some(Pick::SpiffeId(picked)) = pick
        && *picked != svid.id
    {
        let (found, picked) = (svid.id.to_string(), picked.to_string());
        return Err(FileError::NotPicked { path: files.certificate.clone(), found, picked });
    }
    let own = svid.id.trust_domain();
    if !files.bundles.contains_key(own) {
        return Err(FileError::NoOwnBundle { trust_domain: own.clone() });
    }
    let mut bundles = Bundles::new();
    let mut unusable = Vec::new();
    for (trust_domain, path) in &files.bundles {
        let bytes = contents.bundles.remove(trust_domain).unwrap_or_else(|| Ok(Vec::new()));
        let roots = match bytes.and_then(|bytes| certificates(path, &bytes)) {
            Ok(roots) if roots.is_empty() && trust_domain == own => {
                let source = UpdateError::EmptyBundle { trust_domain: own.clone() };
                return Err(FileError::Update { source });
            }
            Err(error) if trust_domain == own => return Err(error),
            Ok(roots) => roots,
            Err(error) => {
                let name = format!("spiffe://{trust_domain}");
                unusable.push(UnusableBundle { name, text: error.to_string() });
                Vec::new()
            }
        };
        bundles.insert(trust_domain.clone(), roots);
    }
    let lists = files.crls.iter().zip(&contents.crls);
    let lists = lists.map(|(path, bytes)| revocation_lists(path, bytes));
    let crls = lists.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    Ok(Update { svid, bundles, crls, unusable })
}

fn svid(files: &FileSettings, contents: &Contents) -> Result<Svid, FileError> {
    let chain = certificates(&files.certificate, &contents.certificate)?;
    if chain.is_empty() {
        let path = files.certificate.clone();
        return Err(FileError::Nothing { path, label: "CERTIFICATE" });
    }
    let key = private_key(&files.key, &contents.key)?;
    Svid::new(chain, key).map_err(|source| match source {
        MaterialError::OtherKey => {
            FileError::OtherKey { certificate: files.certificate.clone(), key: files.key.clone() }
        }
        MaterialError::Key { .. } => FileError::Svid { path: files.key.clone(), source },
        source => FileError::Svid { path: files.certificate.clone(), source },
    })
}

/// The certificates of a PEM file, in its order; each is one whole DER certificate.
fn certificates(path: &Path, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let is_empty = bytes.iter().all(u8::is_ascii_whitespace);
    let mut found = Vec::new();
    for Section { kind, der, line } in pem::sections(path, bytes)? {
        if kind != SectionKind::Certificate {
            continue;
        }
        if !matches!(X509Certificate::from_der(&der), Ok((rest, _)) if rest.is_empty()) {
            return Err(FileError::Certificate { path: path.to_owned(), line });
        }
        found.push(CertificateDer::from(der));
    }
    // DER, or something else altogether: no section is found in it, and that is not "no certificate".
    if found.is_empty() && !is_empty {
        return Err(FileError::Nothing { path: path.to_owned(), label: "CERTIFICATE" });
    }
    Ok(found)
}

fn private_key(path: &Path, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, FileError> {
    let path = || path.to_owned();
    let mut key = None;
    for Section { kind, der, line } in pem::sections(&path(), bytes)? {
        let found = match kind {
            SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(der.into()),
            SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
            SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
            _ => continue,
        };
        if key.replace(found).is_some() {
            return Err(FileError::SecondKey { path: path(), line });
        }
    }
    key.ok_or_else(|| match pem::encrypted(bytes) {
        Some(line) => FileError::Encrypted { path: path(), line },
        None => FileError::Nothing { path: path(), label: "PRIVATE KEY" },
    })
}

fn revocation_lists(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    if is_list(bytes) {
        return Ok(vec![bytes.to_vec().into()]);
    }
    let mut found = Vec::new();
    for Section { kind, der, line } in pem::sections(path, bytes)? {
        if kind != SectionKind::Crl {
            continue;
        }
        if !is_list(&der) {
            let reason = String::from("the revocation list cannot be read");
            return Err(FileError::Pem { path: path.to_owned(), line, reason });
        }
        found.push(der.into());
    }
    if found.is_empty() {
        return Err(FileError::Nothing { path: path.to_owned(), label: "X509 CRL" });
    }
    Ok(found)
}

fn is_list(der: &[u8]) -> bool {
    matches!(CertificateRevocationList::from_der(der), Ok((rest, _)) if rest.is_empty())
}
