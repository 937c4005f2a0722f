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

pub(super) const SPIFFE_ID: CaseFiles =
    texts!["conformance/spiffe-id/cases/bytes.json", "conformance/spiffe-id/cases/ids.json"];

pub(super) const SPIFFE_X509: CaseFiles = texts![
    "conformance/spiffe-x509/cases/algorithms.json",
    "conformance/spiffe-x509/cases/chain.json",
    "conformance/spiffe-x509/cases/crls.json",
    "conformance/spiffe-x509/cases/domains.json",
    "conformance/spiffe-x509/cases/encodings.json",
    "conformance/spiffe-x509/cases/extensions.json",
    "conformance/spiffe-x509/cases/ids.json",
    "conformance/spiffe-x509/cases/leaf.json",
    "conformance/spiffe-x509/cases/validity.json",
];

pub(super) const SPIFFE_JWT: CaseFiles = texts![
    "conformance/spiffe-jwt/cases/algorithms.json",
    "conformance/spiffe-jwt/cases/audience.json",
    "conformance/spiffe-jwt/cases/bundles.json",
    "conformance/spiffe-jwt/cases/form.json",
    "conformance/spiffe-jwt/cases/header.json",
    "conformance/spiffe-jwt/cases/keys.json",
    "conformance/spiffe-jwt/cases/signatures.json",
    "conformance/spiffe-jwt/cases/subject.json",
    "conformance/spiffe-jwt/cases/times.json",
];

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

pub(super) const EVALUATION: CaseFiles = texts![
    "conformance/evaluation/cases/entry.txt",
    "conformance/evaluation/cases/errors.txt",
    "conformance/evaluation/cases/gates.txt",
    "conformance/evaluation/cases/order.txt",
    "conformance/evaluation/cases/tests.txt",
    "conformance/evaluation/typical/01-spiffe-allow-list.rego",
    "conformance/evaluation/typical/02-rbac-from-data.rego",
    "conformance/evaluation/typical/03-abac-owner-employee.rego",
    "conformance/evaluation/typical/04-path-segments.rego",
    "conformance/evaluation/typical/05-scopes-in-a-token.rego",
    "conformance/evaluation/typical/06-groups-with-some-any.rego",
    "conformance/evaluation/typical/07-deny-list-with-messages.rego",
    "conformance/evaluation/typical/08-allow-and-not-blocked.rego",
    "conformance/evaluation/typical/09-cidr-and-host.rego",
    "conformance/evaluation/typical/10-decision-object-with-else.rego",
    "conformance/evaluation/typical/11-numeric-limit.rego",
    "conformance/evaluation/typical/12-helper-function-regex-every.rego",
    "conformance/evaluation/typical/13-tenant-of-the-caller-from-data.rego",
    "conformance/evaluation/typical/14-blocked-by-loop-over-claim.rego",
    "conformance/evaluation/typical/15-permissions-inside-a-role-object-loop-over-a-local.rego",
    "conformance/evaluation/typical/16-lookup-table-by-comprehension.rego",
    "conformance/evaluation/typical/17-action-with-several-values.rego",
    "conformance/evaluation/typical/18-time-window-with-division.rego",
    "conformance/evaluation/typical/19-with.rego",
    "conformance/evaluation/typical/20-partial-object-of-limits.rego",
    "conformance/evaluation/typical/data.json",
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
        Suite::SpiffeX509 => {
            include_str!(repository_file!("conformance/spiffe-x509/expected_failures.toml"))
        }
        Suite::SpiffeJwt => {
            include_str!(repository_file!("conformance/spiffe-jwt/expected_failures.toml"))
        }
        Suite::Rego => include_str!(repository_file!("conformance/rego/expected_failures.toml")),
        Suite::Evaluation => {
            include_str!(repository_file!("conformance/evaluation/expected_failures.toml"))
        }
    }
}
