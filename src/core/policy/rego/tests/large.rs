//! Policies so large that their entry definitions are parsed apart from the rest.

use regorus::Value;
use serde_json::json;

use super::load;
use crate::Timestamp;
use crate::policy::rego::Policies;
use crate::policy::{Outcome, Reason};

/// A hundred definitions over two files, of which the last two raise an error, with a rule in the
/// middle that others need.
fn policies() -> Policies {
    let mut texts = Vec::new();
    for (file, numbers) in [("a.rego", 0..50), ("b.rego", 50..100)] {
        let mut text = "package authz\n\n# größer\n".to_owned();
        for number in numbers {
            text.push_str(&format!(
                "allow if {{\n\tinput.request.path == \"/{number}\"; is_read(\"ä\")\n}}\n"
            ));
            if number == 75 {
                text.push_str(
                    "default allow := false\n\nis_read(x) if x != input.request.method\n",
                );
            }
        }
        if file == "b.rego" {
            text.push_str("\tallow if { input.request.host == \"ä\";\tto_number(\"ä\") == 1 }\n");
            text.push_str("allow if input.request.host == `last\n`");
        }
        texts.push((file, text));
    }
    let files: Vec<_> = texts.iter().map(|(file, text)| (*file, text.as_str())).collect();
    load(&files, "authz").unwrap()
}

#[track_caller]
fn check(document: serde_json::Value, expected: (Outcome, Reason), place: &str) {
    let rego = policies();
    let (document, now) = (Value::from(document), Timestamp::from_unix_seconds(0));
    let seen = rego.evaluate_document(document.clone(), now);
    let meaning = rego.evaluate_whole(document, now);
    assert_eq!(format!("{seen:?}"), format!("{meaning:?}"));
    assert_eq!((seen.outcome, seen.reason), expected);
    let error = seen.errors.first().and_then(|error| error.policy.as_ref());
    let policy = error.or(seen.policies.first());
    let seen = policy.map(|policy| format!("{}:{}", policy.file, policy.line));
    assert_eq!(seen.unwrap_or_default(), place);
}

#[test]
fn each_definition_is_found_at_its_line_in_its_file() {
    let path = |path: &str| json!({"request": {"path": path, "method": "GET"}});
    let allowed = (Outcome::Allow, Reason::Allowed);
    check(path("/0"), allowed, "a.rego:4");
    check(path("/49"), allowed, "a.rego:151");
    check(path("/50"), allowed, "b.rego:4");
    check(path("/76"), allowed, "b.rego:85");
    check(path("/100"), (Outcome::Deny, Reason::NotAllowed), "");
    check(json!({"request": {"host": "last\n"}}), allowed, "b.rego:158");
}

#[test]
fn an_error_is_told_at_its_line() {
    let document = json!({"request": {"host": "ä", "path": "/", "method": "GET"}});
    check(document, (Outcome::Error, Reason::PolicyError), "b.rego:157");
}
