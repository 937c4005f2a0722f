//! The policies that come with the program: what the conformance suite tests and the demo serves.

use portreeve_core::policy::Files;

macro_rules! texts {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)))),+]
    };
}

/// Every file of `policies/`, by its path in the repository; a test holds the list against the folder.
pub(super) const POLICIES: &[(&str, &str)] = texts![
    "policies/cedar/.manifest",
    "policies/cedar/entities.json",
    "policies/cedar/orders.cedar",
    "policies/cedar/orders.cedar-tests.json",
    "policies/cedar/orders_test.yaml",
    "policies/rego-envoy/.manifest",
    "policies/rego-envoy/envoy/authz.rego",
    "policies/rego-envoy/envoy/authz_test.rego",
    "policies/rego-envoy/envoy/authz_test.yaml",
    "policies/rego-envoy/roles/data.json",
    "policies/rego/.manifest",
    "policies/rego/authz/orders.rego",
    "policies/rego/authz/orders_test.rego",
    "policies/rego/authz/orders_test.yaml",
    "policies/rego/shop/data.json",
];

/// All of them as the files of a folder.
pub(super) fn policies() -> anyhow::Result<Files> {
    let mut files = Files::default();
    for (path, content) in POLICIES {
        let path = path.strip_prefix("policies/").unwrap_or(path);
        files.insert(path, content.as_bytes().to_vec())?;
    }
    Ok(files)
}

/// The files of one bundle, by their paths in it.
pub(super) fn bundle(name: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    POLICIES.iter().filter_map(move |(path, content)| {
        let path = path.strip_prefix("policies/")?.strip_prefix(name)?.strip_prefix('/')?;
        Some((path, *content))
    })
}
