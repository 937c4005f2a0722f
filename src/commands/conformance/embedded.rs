//! The cases that come with the program.

use portreeve_core::policy::Files;

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
];

pub(super) const SPIFFE_ID: CaseFiles = texts!["conformance/spiffe-id/cases/ids.json"];

/// Every file of `policies/`, by its path in the repository; a test holds the list against the folder.
pub(super) const POLICIES: CaseFiles = texts![
    "policies/cedar/.manifest",
    "policies/cedar/entities.json",
    "policies/cedar/orders.cedar",
    "policies/cedar/orders.cedar-tests.json",
    "policies/cedar/orders_test.yaml",
    "policies/rego/.manifest",
    "policies/rego/authz/orders.rego",
    "policies/rego/authz/orders_test.rego",
    "policies/rego/authz/orders_test.yaml",
    "policies/rego/shop/data.json",
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
        Suite::SpiffeId => {
            include_str!(repository_file!("conformance/spiffe-id/expected_failures.toml"))
        }
    }
}

/// The shipped policies as the files of a folder.
pub(super) fn policies() -> anyhow::Result<Files> {
    let mut files = Files::default();
    for (path, content) in POLICIES {
        let path = path.strip_prefix("policies/").unwrap_or(path);
        files.insert(path, content.as_bytes().to_vec())?;
    }
    Ok(files)
}
