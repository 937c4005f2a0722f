//! The cases that come with the program.

use super::Suite;

/// Names and texts of case files.
type CaseFiles = &'static [(&'static str, &'static str)];

macro_rules! repository_file {
    ($path:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)
    };
}

macro_rules! texts {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(repository_file!($path)))),+]
    };
}

pub(super) const CANONICAL_REQUEST: CaseFiles = texts![
    "conformance/canonical-request/cases/target.json",
    "conformance/canonical-request/cases/host.json",
    "conformance/canonical-request/cases/headers.json",
    "conformance/canonical-request/cases/h2.json",
    "conformance/canonical-request/cases/relaxed.json",
];

pub(super) const SPIFFE_ID: CaseFiles = texts!["conformance/spiffe-id/cases/ids.json"];

pub(super) const CEDAR: CaseFiles = texts![
    "conformance/cedar/cases/documents.cedar",
    "conformance/cedar/cases/documents.cedarschema",
    "conformance/cedar/cases/documents.entities.json",
    "conformance/cedar/cases/documents.json",
];

pub(super) const REGO: CaseFiles = texts![
    "conformance/rego/cases/errors.json",
    "conformance/rego/cases/language.json",
    "conformance/rego/cases/refused.json",
    "conformance/rego/cases/time.json",
];

/// The list of expected failures of a suite.
pub(super) fn expected_failures(suite: Suite) -> &'static str {
    match suite {
        Suite::Policy => {
            include_str!(repository_file!("conformance/policy/expected_failures.toml"))
        }
        Suite::CanonicalRequest => {
            include_str!(repository_file!("conformance/canonical-request/expected_failures.toml"))
        }
        Suite::Cedar => {
            include_str!(repository_file!("conformance/cedar/expected_failures.toml"))
        }
        Suite::SpiffeId => {
            include_str!(repository_file!("conformance/spiffe-id/expected_failures.toml"))
        }
        Suite::Rego => include_str!(repository_file!("conformance/rego/expected_failures.toml")),
    }
}
