//! The bundles that the evidence is about.

use crate::policy::{Bundle, Files, Revision};

macro_rules! typical {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(
            "../../../../../conformance/evaluation/typical/", $name, ".rego"
        )))),+]
    };
}

pub(super) const TYPICAL: &[(&str, &str)] = typical![
    "01-spiffe-allow-list",
    "02-rbac-from-data-opa-docs",
    "03-abac-owner-employee",
    "04-path-segments-envoy-tutorial",
    "05-scopes-in-a-token",
    "06-groups-with-some-any",
    "07-deny-list-with-messages",
    "08-allow-and-not-blocked",
    "09-cidr-and-host",
    "10-decision-object-with-else",
    "11-numeric-limit",
    "12-helper-function-regex-every",
    "13-tenant-of-the-caller-from-data",
    "14-blocked-by-loop-over-claim",
    "15-permissions-inside-a-role-object-loop-over-a-local",
    "16-lookup-table-by-comprehension",
    "17-action-with-several-values",
    "18-time-window-with-division",
    "19-with",
    "20-partial-object-of-limits",
];
macro_rules! small {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!(
            "../../../../../conformance/evaluation/cases/", $name, ".txt"
        )))),+]
    };
}

/// Policies that are hard on an index, by what they are about.
pub(super) const SMALL: &[(&str, &str)] = small!["order", "gates", "errors", "tests", "entry"];

pub(super) const TYPICAL_DATA: &str =
    include_str!("../../../../../conformance/evaluation/typical/data.json");

pub(super) fn files(pairs: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec()).unwrap();
    }
    files
}

#[track_caller]
pub(super) fn load(files: &Files) -> Bundle {
    match Bundle::load(files, Revision::default()) {
        Ok((bundle, _)) => bundle,
        Err(findings) => panic!("{findings}"),
    }
}
