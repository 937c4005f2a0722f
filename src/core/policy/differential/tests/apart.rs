//! A large policy, whose entry definitions are parsed apart from the rest, means what it means whole.

use super::*;
use crate::policy::{Findings, rego};

#[test]
fn definitions_parsed_apart_mean_what_they_mean_together() {
    let mut files = reference::split(75, 20).unwrap();
    files.insert("data.json", reference::data(75).into_bytes()).unwrap();
    let load = |min_definitions| {
        let mut findings = Findings::default();
        let loaded = rego::Policies::load_split(&files, "authz", min_definitions, &mut findings);
        loaded.unwrap_or_else(|| panic!("{findings}"))
    };
    let (together, apart) = (load(usize::MAX), load(1));
    let document = |request: &AccessRequest| serde_json::to_value(apart.document(request)).ok();
    let generator = Generator::new(apart.recipes(), &document, 3);
    let mut outcomes = std::collections::BTreeMap::<&str, usize>::new();
    for input in (0..200).filter_map(|number| generator.input(number)) {
        let document = input.document.or_else(|| document(&input.request)).unwrap();
        let now = input.request.time;
        let meaning = together.evaluate_whole(document.clone().into(), now);
        let seen = apart.evaluate_whole(document.clone().into(), now);
        assert_eq!(format!("{seen:?}"), format!("{meaning:?}"), "{document}");
        *outcomes.entry(meaning.outcome.as_str()).or_default() += 1;
    }
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
}
