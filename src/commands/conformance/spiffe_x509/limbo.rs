//! The file format of x509-limbo, whose leaves are certificates of web servers and no SVIDs.
//!
//! Each case is held against two things: the whole verifier, which must refuse every leaf that has no
//! SPIFFE ID, and the path alone, whose answer is compared with the one that the suite expects. Names
//! of hosts are never compared here, so cases about them stand in the list of expected failures.

use portreeve_core::Timestamp;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::spiffe::{Leaf, TrustDomain};
use serde::Deserialize;

use super::{Chain, certificate, certificates, crls};
use crate::tls::{Role, Trust};

/// Stands for the trust domain whose bundle the roots are.
const DOMAIN: &str = "limbo.test";
/// When a case is verified that names no time; its certificates hold for centuries.
const ANY_TIME: &str = "2026-01-01T00:00:00Z";

#[derive(Debug, Deserialize)]
pub(super) struct Suite {
    testcases: Vec<Case>,
}

/// The fields that say what to verify and what comes out; the others tell of names and of wishes.
#[derive(Debug, Deserialize)]
struct Case {
    id: String,
    validation_kind: Kind,
    trusted_certs: Vec<String>,
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: Expected,
    #[serde(default)]
    crls: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Expected {
    Success,
    Failure,
}

/// `None` where the text is not of this format.
pub(super) fn read(text: &str) -> Option<Suite> {
    // An array of cases is told at its first byte, without reading it twice.
    text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())?
}

pub(super) fn run(file: &str, suite: Suite) -> Vec<CaseResult> {
    let case = |case: Case| {
        let outcome = run_case(&case).unwrap_or_else(CaseOutcome::errored);
        CaseResult::new(file, 0, case.id, outcome)
    };
    suite.testcases.into_iter().map(case).collect()
}

fn run_case(case: &Case) -> Result<CaseOutcome, String> {
    let domain = TrustDomain::parse(DOMAIN).map_err(|error| error.to_string())?;
    let crls = crls(&case.crls)?;
    let bundles = [(domain.clone(), certificates(&case.trusted_certs)?)].into();
    let chain = Chain {
        leaf: certificate(&case.peer_certificate)?,
        intermediates: certificates(&case.untrusted_intermediates)?,
        trust: Trust::new(&bundles, &crls),
    };
    let time = case.validation_time.as_deref().unwrap_or(ANY_TIME);
    let now = Timestamp::parse(time).map_err(|error| format!("`{time}`: {error}"))?;
    let role = match case.validation_kind {
        Kind::Client => Role::Client,
        Kind::Server => Role::Server,
    };
    let Chain { leaf, intermediates, trust } = &chain;
    if trust.verify(leaf, intermediates, role, now).is_ok() && Leaf::read(leaf).is_err() {
        return Ok(failed("refused: the leaf is no SVID", "accepted".to_owned()));
    }
    let path = trust.verify_path(&domain, leaf, intermediates, role, now);
    Ok(match (case.expected_result, path) {
        (Expected::Success, Ok(_)) | (Expected::Failure, Err(_)) => CaseOutcome::Passed,
        (Expected::Success, Err(error)) => failed(
            "the path is accepted",
            format!("refused ({}): {}", error.reason(), super::error_text(&error)),
        ),
        (Expected::Failure, Ok(_)) => failed("the path is refused", "accepted".to_owned()),
    })
}

fn failed(expected: &str, actual: String) -> CaseOutcome {
    CaseOutcome::Failed { expected: expected.to_owned(), actual, detail: None }
}
