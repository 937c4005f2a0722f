//! What decides requests says what the plain authorizer over all policies says, errors included.

use super::generated::{Random, bundle, by_caller_method_and_path, request};
use super::*;

fn policies(texts: &[(String, String)]) -> Policies {
    let mut files = Files::default();
    for (path, text) in texts {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    let mut findings = Findings::default();
    Policies::load(&files, &mut findings).unwrap_or_else(|| panic!("{findings}\n{texts:#?}"))
}

/// Decides so many random requests both ways; the outcomes by their reason.
fn compare(texts: &[(String, String)], random: &mut Random, count: usize) -> Vec<&'static str> {
    let policies = policies(texts);
    let compared = (0..count).map(|_| {
        let description = request(random);
        let request = AccessRequest::described(&description).unwrap();
        let (seen, meant) = (policies.evaluate(&request), policies.evaluate_whole(&request));
        assert_eq!(format!("{seen:?}"), format!("{meant:?}"), "{description}\n{texts:#?}");
        meant.reason.as_str()
    });
    compared.collect()
}

#[test]
fn candidates_decide_as_all_policies_do() {
    let mut seen = Vec::new();
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let texts = bundle(&mut random);
        seen.extend(compare(&texts, &mut random, 50));
    }
    let example = EXAMPLE.map(|(path, text)| (path.to_owned(), text.to_owned()));
    seen.extend(compare(&example, &mut Random::new(1), 300));
    seen.extend(compare(&by_caller_method_and_path(50), &mut Random::new(2), 200));
    assert_eq!(seen.len(), 2_000);
    for reason in ["allowed", "forbidden", "not_allowed", "policy_error"] {
        let count = seen.iter().filter(|seen| **seen == reason).count();
        assert!(count > 100, "{reason}: {count}");
    }
}

#[test]
fn a_request_meets_what_names_it_among_any_number_of_policies() {
    let policies = policies(&by_caller_method_and_path(60));
    for (method, path, conditional) in [
        ("GET", "/api/v40/orders", 1),
        ("POST", "/api/v40/orders", 0),
        ("GET", "/api/v41/orders", 0),
        ("GET", "/api/v40", 1),
    ] {
        let description = json!({
            "source": "spiffe://bench.test/ns/ns6/sa/svc40", "method": method, "path": path,
        });
        let request = AccessRequest::described(&description).unwrap();
        let (slice, _) = prepared(&policies, &request);
        assert_eq!(slice.candidates.conditional.len(), conditional, "{method} {path}");
        assert!(slice.candidates.holding.is_empty());
    }
}

#[test]
fn every_policy_says_how_it_is_evaluated() {
    let texts = [
        "permit(principal, action, resource);",
        "permit(principal, action in Action::\"http\", resource) when { context.host == \"a\" };",
        "permit(principal, action in Action::\"http\", resource) when { context.path like \"/a/*\" };",
        "permit(principal in Group::\"g\", action, resource in Path::\"/a\") when { false };",
    ];
    let policies = policies(&[("p.cedar".to_owned(), texts.join("\n"))]);
    let mut seen = String::new();
    for PolicyWay { policy, way, why } in policies.ways() {
        seen.push_str(&format!("{} {}: {why}\n", policy.line, way.as_str()));
    }
    expect![[r#"
        1 native: 
        2 always: its scope names no principal and no resource, and its condition does not begin with a test of the path
        3 interpreter: found by path; only Cedar can evaluate its condition
        4 interpreter: found by principal and resource; only Cedar can evaluate its condition
    "#]]
    .assert_eq(&seen);
}
