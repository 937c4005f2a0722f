//! Suite `spiffe-x509`: chains through the verifier that every handshake of the product asks, at the
//! time and with the bundles that the case names. Files of x509-limbo's own format go to [`limbo`].

use std::collections::BTreeMap;

use portreeve_core::Timestamp;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::spiffe::TrustDomain;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use serde::Deserialize;

use super::json_cases::{self, CaseFile};
use crate::tls::{Role, Trust, TrustError};

mod limbo;
#[cfg(test)]
mod tests;

/// A chain as a peer presents it, and either its ID or the reason why it is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    rule: String,
    section: String,
    /// The row of the catalogue of attacks that the case belongs to.
    #[serde(rename = "attack")]
    _attack: Option<String>,
    role: RoleName,
    bundles: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    crls: Vec<String>,
    peer_certificate: String,
    /// For runs over a connection; here nothing is signed.
    #[serde(rename = "peer_certificate_key")]
    _peer_certificate_key: Option<String>,
    untrusted_intermediates: Vec<String>,
    validation_time: String,
    expected_id: Option<String>,
    expected_reason: Option<String>,
}

/// Which end of the connection the peer is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    Client,
    Server,
}

impl RoleName {
    const fn role(self) -> Role {
        match self {
            Self::Client => Role::Client,
            Self::Server => Role::Server,
        }
    }
}

/// What a chain is verified with.
#[derive(Debug)]
struct Chain {
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
    trust: Trust,
}

pub(super) fn run(files: Vec<CaseFile>) -> Vec<CaseResult> {
    let mut results = Vec::new();
    let mut ours = Vec::new();
    for file in files {
        match limbo::read(&file.text) {
            Some(suite) => results.extend(limbo::run(&file.name, suite)),
            None => ours.push(file),
        }
    }
    // Together, so that an id that stands in two files is found.
    results.extend(json_cases::run(&ours, run_case));
    results
}

fn run_case(case: &Case) -> CaseOutcome {
    let expected = match (&case.expected_id, &case.expected_reason) {
        (Some(id), None) => Ok(id.as_str()),
        (None, Some(reason)) => Err(reason.as_str()),
        _ => return CaseOutcome::errored("a case has either `expected_id` or `expected_reason`"),
    };
    let seen = chain(case).and_then(|chain| {
        let now = Timestamp::parse(&case.validation_time)
            .map_err(|error| format!("`validation_time` is no time: {error}"))?;
        Ok(chain.trust.verify(&chain.leaf, &chain.intermediates, case.role.role(), now))
    });
    let seen = match seen {
        Ok(seen) => seen.map(|verified| verified.leaf.id),
        Err(message) => return CaseOutcome::errored(message),
    };
    let answer = seen.as_ref().map_or_else(|error| Err(error.reason()), |id| Ok(id.as_str()));
    if answer == expected {
        return CaseOutcome::Passed;
    }
    let text = seen.as_ref().err().map(|error| format!("; seen: {}", error_text(error)));
    CaseOutcome::Failed {
        expected: told(expected),
        actual: told(answer),
        detail: Some(format!("{} ({}){}", case.rule, case.section, text.unwrap_or_default())),
    }
}

fn chain(case: &Case) -> Result<Chain, String> {
    let mut bundles = BTreeMap::new();
    for (name, roots) in &case.bundles {
        let name = TrustDomain::parse(name).map_err(|error| format!("`{name}`: {error}"))?;
        bundles.insert(name, certificates(roots)?);
    }
    let crls = crls(&case.crls)?;
    Ok(Chain {
        leaf: certificate(&case.peer_certificate)?,
        intermediates: certificates(&case.untrusted_intermediates)?,
        trust: Trust::new(&bundles, &crls),
    })
}

fn certificates(pems: &[String]) -> Result<Vec<CertificateDer<'static>>, String> {
    pems.iter().map(|pem| certificate(pem)).collect()
}

fn certificate(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| format!("a certificate is not PEM: {error}"))
}

fn crls(pems: &[String]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let read = |pem: &String| CertificateRevocationListDer::from_pem_slice(pem.as_bytes());
    let lists: Result<Vec<_>, _> = pems.iter().map(read).collect();
    lists.map_err(|error| format!("a revocation list is not PEM: {error}"))
}

fn told(answer: Result<&str, &str>) -> String {
    match answer {
        Ok(id) => format!("`{id}`"),
        Err(reason) => format!("refused ({reason})"),
    }
}

/// The error and its causes on one line.
fn error_text(error: &TrustError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
