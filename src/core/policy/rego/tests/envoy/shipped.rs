//! The policy for the plugin that comes with the program.

use serde_json::Value;

use super::super::super::{RegoTestOutcome, run_rego_tests};
use super::super::files;
use super::policies::check_loaded;
use super::{ENTRYPOINT, load};

macro_rules! shipped {
    ($($path:literal)*) => {
        [$(($path, include_str!(concat!("../../../../../../policies/rego-envoy/", $path)))),*]
    };
}

const SHIPPED: [(&str, &str); 5] = shipped! {
    ".manifest" "envoy/authz.rego" "envoy/authz_test.rego" "envoy/authz_test.yaml" "roles/data.json"
};

#[test]
fn the_shipped_policy_passes_its_tests_and_decides_real_requests() {
    let results = run_rego_tests(&files(&SHIPPED));
    assert!(results.len() > 10, "{}", results.len());
    for result in results {
        assert_eq!(result.outcome, RegoTestOutcome::Pass, "{} {}", result.file, result.name);
    }
    let manifest: Value = serde_json::from_str(SHIPPED[0].1).unwrap();
    let entrypoint = manifest["metadata"]["portreeve"]["entrypoint"].as_str().unwrap();
    assert_eq!(entrypoint, ENTRYPOINT);
    check_loaded(
        &load(&SHIPPED, entrypoint).unwrap(),
        &[
            (Some("spiffe://demo.test/ns/shop/sa/web"), "GET /people/alice", &[], "allow"),
            (Some("spiffe://demo.test/ns/shop/sa/batch"), "GET /people/alice", &[], "deny"),
        ],
    );
}
