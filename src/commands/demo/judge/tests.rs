use super::*;

const SERVER: &str = "spiffe://demo.test/ns/shop/sa/orders";

fn ran(code: i32, out: &str, err: &str) -> Ran {
    Ran { code: Some(code), out: out.to_owned(), err: err.to_owned() }
}

fn call(code: i32, out: &str, status: u16) -> Ran {
    ran(code, out, &format!("{status} from {SERVER} (decision ID-{status})\n"))
}

/// The texts of what failed begin so.
#[track_caller]
fn check(verdicts: &[Verdict], failed: &[&str]) {
    let seen: Vec<_> = verdicts.iter().filter(|it| !it.passed).map(|it| &*it.text).collect();
    let as_told = seen.iter().zip(failed).all(|(seen, told)| seen.starts_with(told));
    assert!(seen.len() == failed.len() && as_told, "{seen:#?}");
}

const ORDER: &str = r#"{"order":"1","caller":"spiffe://demo.test/ns/shop/sa/web"}"#;
const DENIAL: &str = r#"{"error":"denied by policy","decision_id":"ID-403"}"#;

#[test]
fn an_allowed_call_is_answered_by_the_service_that_knows_its_caller() {
    check(&allowed(&call(0, ORDER, 200), 1), &[]);
    check(
        &allowed(&call(1, DENIAL, 403), 0),
        &["exit code `1`", "status `403`", "the service saw the caller as `nobody`", "requests"],
    );
    check(&allowed(&call(0, r#"{"caller":"spiffe://demo.test/x"}"#, 200), 1), &["the service saw"]);
    let another = ran(0, ORDER, "200 from spiffe://demo.test/x (decision ID)");
    check(&allowed(&another, 1), &["answered by `spiffe://demo.test/x`"]);
    let silent = Ran { code: None, ..Ran::default() };
    let all = ["exit code `none", "status ``", "answered by ``", "the service saw", "requests"];
    check(&allowed(&silent, 0), &all);
}

#[test]
fn a_denial_carries_its_id_and_reaches_no_service() {
    check(&denied(&call(1, DENIAL, 403), 1), &[]);
    check(&denied(&call(1, DENIAL, 403), 2), &["requests that reached the service: `2`"]);
    check(&denied(&call(1, "{}", 403), 1), &["the body and"]);
    check(&denied(&call(0, ORDER, 200), 2), &["exit code", "status", "the body", "requests"]);
}

#[test]
fn the_explanation_is_of_the_call_that_was_denied() {
    let answer = call(1, DENIAL, 403).answer();
    let text = "deny: not_allowed\n decision ID-403\n spiffe://demo.test/ns/shop/sa/web 4f1c";
    check(&explained(&ran(0, text, ""), &answer, "4f1c"), &[]);
    let other = text.replace("ID-403", "ID-404");
    check(&explained(&ran(0, &other, ""), &answer, "4f1c"), &["the id of call 2"]);
    let other = text.replace("not_allowed", "forbidden");
    check(&explained(&ran(0, &other, ""), &answer, "4f1c"), &["the reason"]);
    check(&explained(&ran(0, text, ""), &Answer::default(), "4f1c"), &["the id of call 2"]);
}

#[test]
fn a_commit_decides_within_two_seconds() {
    let done = [Ran { code: Some(0), ..Ran::default() }, Ran { code: Some(0), ..Ran::default() }];
    let late = DECIDES_WITHIN + Duration::from_millis(1);
    let good = call(0, ORDER, 200);
    check(&changed(&done, &good, ["a", "b"], DECIDES_WITHIN), &[]);
    check(&changed(&done, &good, ["a", "b"], late), &["decided within 2 s"]);
    check(&changed(&done, &good, ["a", "a"], DECIDES_WITHIN), &["the repository stands"]);
    let nothing = [done[0].clone(), Ran { code: Some(1), ..Ran::default() }];
    check(
        &changed(&nothing, &good, ["a", "b"], late),
        &["exit codes of edit and commit `0, 1`", "decided"],
    );
    let denied = call(1, DENIAL, 403);
    check(&changed(&done, &denied, ["a", "b"], DECIDES_WITHIN), &["exit code `1`", "status `403`"]);
}

#[test]
fn the_log_holds_each_decision_as_it_was_answered() {
    let decision = |id: &str, outcome: &str, place: &[&str], commit: &str| Decision {
        id: id.to_owned(),
        outcome: outcome.to_owned(),
        places: place.iter().map(|it| (*it).to_owned()).collect(),
        commit: commit.to_owned(),
    };
    let expected = [
        decision("1", "allow", &["a.cedar:1"], "A"),
        decision("2", "deny", &[], "A"),
        decision("3", "allow", &["a.cedar:9"], "B"),
    ];
    let tail = ran(0, "1 2 3", "");
    check(&logged(&tail, &expected, &expected, 2), &[]);
    check(&logged(&tail, &expected, &expected, 3), &["requests that reached the service: `3`"]);
    check(&logged(&ran(0, "1 2", ""), &expected, &expected, 2), &["each of the three"]);
    let lost = &expected[..2];
    check(&logged(&tail, lost, &expected, 2), &["outcomes", "their ids", "policies", "commits"]);
    let mut other = expected.clone();
    other[2].places = vec!["a.cedar:8".to_owned()];
    other[2].commit = "A".to_owned();
    check(&logged(&tail, &other, &expected, 2), &["policies that decided", "commits"]);
}

#[test]
fn a_policy_begins_behind_an_empty_line_and_its_comments() {
    let text = "// a\n\n@id(\"a\")\npermit(\n  x\n);\n\n# b\nallow if {\n\ty\n}\n";
    assert_eq!(line_of_policy(text, "x"), 3);
    assert_eq!(line_of_policy(text, "y"), 9);
    assert_eq!(line_of_policy(text, "z"), 0);
}

#[test]
fn a_record_is_read_by_its_fields() {
    let record = r#"{"id":"1","decision":{"outcome":"allow","policies":[{"id":"p","file":"a.rego","line":3}]},"policy":{"commit":"4f"}}"#;
    let decision = Decision::read(&serde_json::from_str(record).unwrap());
    assert_eq!((&*decision.id, &*decision.outcome, &*decision.commit), ("1", "allow", "4f"));
    assert_eq!(decision.places, ["a.rego:3"]);
}
