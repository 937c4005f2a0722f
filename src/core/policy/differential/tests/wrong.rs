//! Ways that are wrong must be found: what is compared with is the meaning of another policy, or the
//! meaning of another document.

use serde_json::Value;

use super::*;
use crate::policy::decide::Verdict;
use crate::policy::{Outcome, rego};

/// A whole run in `cargo test`; a wrong way must be found by then.
const INPUTS: usize = 2_000;
const SEED: u64 = 1;
/// One of each kind.
const RULES: usize = 25;

fn mixed(text: &str) -> Bundle {
    load(&files(&[("authz.rego", text), ("data.json", &reference::data(50))]))
}

/// The first difference of a way, looked for in a whole run.
fn found(way: &dyn Fn(&rego::Policies, &Value, &Input) -> Verdict) -> Option<Difference> {
    let bundle = mixed(&reference::mixed(RULES));
    let rego = bundle.rego().unwrap();
    let document = |request: &AccessRequest| serde_json::to_value(rego.document(request)).ok();
    let generator = Generator::new(rego.recipes(), &document, SEED);
    let shown = |input: &Input| match &input.document {
        Some(document) => document.clone(),
        None => document(&input.request).unwrap(),
    };
    let meaning =
        |input: &Input| Some(rego.evaluate_whole(shown(input).into(), input.request.time));
    let wrong = |input: &Input| Some(way(rego, &shown(input), input));
    let ways = [Way { name: "wrong", decide: &wrong }];
    let mut parts = (0..INPUTS).step_by(50).map(|first| first..first + 50);
    parts.find_map(|part| run(&generator, &meaning, &ways, SEED, part).differences.pop())
}

/// The meaning of the mixed policy with a text of it changed wherever it stands.
#[track_caller]
fn check_changed(text: &str, changed: &str) {
    let policy = reference::mixed(RULES);
    assert!(policy.contains(text), "{text}");
    let other = mixed(&policy.replace(text, changed));
    let way = |_: &rego::Policies, document: &Value, input: &Input| {
        let now = input.request.time;
        other.rego().unwrap().evaluate_whole(document.clone().into(), now)
    };
    assert!(found(&way).is_some(), "`{text}` as `{changed}` is not found");
}

#[test]
fn a_way_that_takes_an_error_under_not_for_no_is_found() {
    let way = |rego: &rego::Policies, document: &Value, input: &Input| {
        let whole = rego.evaluate_whole(document.clone().into(), input.request.time);
        let raised_by = whole.errors.first().and_then(|error| error.policy.as_ref());
        if raised_by.is_none_or(|policy| &*policy.id != "data.authz.denied") {
            return whole;
        }
        let mut without = document.clone();
        without["request"]["headers"] = Value::Null;
        rego.evaluate_whole(without.into(), input.request.time)
    };
    assert!(found(&way).is_some());
}

#[test]
fn a_way_that_drops_a_rule_whose_prefix_test_meets_no_text_is_found() {
    let way = |rego: &rego::Policies, document: &Value, input: &Input| {
        let mut with_text = document.clone();
        let path = with_text.pointer_mut("/request/path").filter(|path| !path.is_string());
        path.into_iter().for_each(|path| *path = "".into());
        rego.evaluate_whole(with_text.into(), input.request.time)
    };
    assert!(found(&way).is_some());
}

#[test]
fn a_way_that_tells_no_reason_or_another_policy_is_found() {
    let meaning = |rego: &rego::Policies, document: &Value, input: &Input| {
        rego.evaluate_whole(document.clone().into(), input.request.time)
    };
    let nameless = |rego: &rego::Policies, document: &Value, input: &Input| Verdict {
        policies: Vec::new(),
        ..meaning(rego, document, input)
    };
    assert!(found(&nameless).is_some());
    let wordless = |rego: &rego::Policies, document: &Value, input: &Input| {
        let mut verdict = meaning(rego, document, input);
        verdict.errors.iter_mut().for_each(|error| error.text.truncate(4));
        verdict
    };
    assert!(found(&wordless).is_some());
    let placeless = |rego: &rego::Policies, document: &Value, input: &Input| {
        let mut verdict = meaning(rego, document, input);
        verdict.errors.iter_mut().for_each(|error| error.policy = None);
        verdict
    };
    assert!(found(&placeless).is_some());
    let failing_open = |rego: &rego::Policies, document: &Value, input: &Input| {
        let verdict = meaning(rego, document, input);
        let outcome = match verdict.outcome {
            Outcome::Error => Outcome::Allow,
            outcome @ (Outcome::Allow | Outcome::Deny) => outcome,
        };
        Verdict { outcome, ..verdict }
    };
    assert!(found(&failing_open).is_some());
}

#[test]
fn a_policy_that_is_nearly_the_same_is_found() {
    check_changed("/\")\n}", "\")\n}");
    check_changed("startswith(input.request.path, \"/api/v18/\")", "true");
    check_changed("    not denied\n", "");
    check_changed("in {\"GET\", \"HEAD\"}\n", "in {\"GET\"}\n");
    check_changed("(input.source.address.ip, \"10.\")", "(input.source.address.ip, \"1\")");
    check_changed("(input.request.path, \"/public", "(input.request.path, \"public");
    check_changed("deny contains \"port\" if input.source.address.port == 22\n", "");
    check_changed("else := \"none\"", "else := \"gold\"");
}
