//! Suite `spiffe-id`: texts through the reader that every SPIFFE ID of the product passes.

use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::spiffe::SpiffeId;
use serde::Deserialize;

use super::json_cases::{self, CaseFile};

/// A text, and either the ID that it is or the reason why it is none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    uri: String,
    expected_id: Option<String>,
    /// What the ID is made of, where the case is about that.
    trust_domain: Option<String>,
    path: Option<String>,
    expected_reason: Option<String>,
}

pub(super) fn run(files: &[CaseFile]) -> Vec<CaseResult> {
    json_cases::run(files, run_case)
}

fn run_case(case: &Case) -> CaseOutcome {
    let parsed = SpiffeId::parse(&case.uri);
    let (expected, is_expected) = match (&case.expected_id, &case.expected_reason) {
        (Some(id), None) => {
            let is_expected = parsed.as_ref().is_ok_and(|seen| {
                let domain = case.trust_domain.as_deref();
                seen.as_str() == id
                    && domain.is_none_or(|name| seen.trust_domain().as_str() == name)
                    && case.path.as_deref().is_none_or(|path| seen.path() == path)
            });
            (described(id, case.trust_domain.as_deref(), case.path.as_deref()), is_expected)
        }
        (None, Some(reason)) => {
            let is_expected = parsed.as_ref().is_err_and(|seen| seen.reason() == reason);
            (format!("refused ({reason})"), is_expected)
        }
        _ => {
            let message = "a case has either `expected_id` or `expected_reason`";
            return CaseOutcome::errored(message);
        }
    };
    if is_expected {
        return CaseOutcome::Passed;
    }
    let (actual, detail) = match parsed {
        Ok(id) => {
            let parts = (Some(id.trust_domain().as_str()), Some(id.path()));
            (described(id.as_str(), parts.0, parts.1), None)
        }
        Err(error) => (format!("refused ({})", error.reason()), Some(error.to_string())),
    };
    CaseOutcome::Failed { expected, actual, detail }
}

fn described(id: &str, trust_domain: Option<&str>, path: Option<&str>) -> String {
    let mut text = id.to_owned();
    for (name, part) in [("trust domain", trust_domain), ("path", path)] {
        if let Some(part) = part {
            text.push_str(&format!(", {name} `{part}`"));
        }
    }
    text
}
