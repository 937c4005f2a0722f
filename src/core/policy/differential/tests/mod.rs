//! The ways against the meaning, wrong ways against the comparison, and the table of policies on
//! which engines disagree.

mod apart;
mod small;
mod table;
mod wrong;

use super::*;
use crate::policy::{Files, Revision};

fn files(pairs: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec()).unwrap();
    }
    files
}

#[track_caller]
fn load(files: &Files) -> Bundle {
    match Bundle::load(files, Revision::default()) {
        Ok((bundle, _)) => bundle,
        Err(findings) => panic!("{findings}"),
    }
}

#[test]
fn every_place_that_a_policy_reads_becomes_each_kind() {
    let policy = reference::mixed(50);
    let bundle = load(&files(&[("authz.rego", &policy), ("data.json", &reference::data(50))]));
    let rego = bundle.rego().unwrap();
    let document = |request: &AccessRequest| serde_json::to_value(rego.document(request)).ok();
    let generator = Generator::new(rego.recipes(), &document, 1);
    let inputs = (0..2_000).filter_map(|number| generator.input(number));
    let flips: std::collections::BTreeSet<(String, Kind)> =
        inputs.flat_map(|input| input.flips).collect();
    for place in [
        "source",
        "source.spiffe_id",
        "source.address.ip",
        "source.address.port",
        "source.jwt",
        "source.jwt.claims.plan",
        "source.jwt.claims.groups",
        "request",
        "request.method",
        "request.path",
        "request.host",
        "request.headers",
        "request.headers.x-tenant",
        "request.body.risk",
    ] {
        for kind in Kind::ALL {
            assert!(flips.contains(&(place.to_owned(), kind)), "{place} as {kind:?}");
        }
    }
}
