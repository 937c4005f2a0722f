use super::*;

const SCHEMA: &str = r#"
entity Group;
entity User in [Group] = { level: Long };
entity Photo;
action view, edit appliesTo { principal: [User], resource: [Photo], context: { mfa: Bool } };
"#;

const POLICIES: &str = r#"
permit(principal in Group::"staff", action == Action::"view", resource);
forbid(principal, action, resource) when { principal.level + 9223372036854775807 < 0 };
forbid(principal, action == Action::"edit", resource) unless { context.mfa };
"#;

/// Runs a file of tests that stands at `tests/a.cedar-tests.json`; one line per test leaves.
fn results(text: &str) -> Vec<CaseResult> {
    let mut files = Files::default();
    let staff = r#"[{"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 0},
        "parents": [{"type": "Group", "id": "staff"}]}]"#;
    files.insert("tests/staff.json", staff.into()).unwrap();
    files.insert("outside.json", b"[]".to_vec()).unwrap();
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let policies: PolicySet = POLICIES.parse().unwrap();
    let subject = Subject { policies: &policies, schema: &schema, files: &files, folder: "tests/" };
    run_file("tests/a.cedar-tests.json", text, &subject, &Run::default())
}

fn test(request: &str, entities: &str, rest: &str) -> String {
    format!(r#"[{{"name": "t", "request": {{{request}}}, "entities": {entities}, {rest}}}]"#)
}

const VIEW: &str = r#""principal": "User::\"ann\"", "action": "Action::\"view\"",
    "resource": "Photo::\"p\"", "context": {"mfa": true}"#;
const ANN: &str = r#"[{"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 0},
    "parents": [{"type": "Group", "id": "staff"}]}]"#;
const ALLOW: &str = r#""decision": "allow", "reason": ["policy0"], "num_errors": 0"#;

#[track_caller]
fn check(text: &str, expected: &str, part: &str) {
    let results = results(text);
    let [result] = results.as_slice() else { panic!("{results:?}") };
    assert_eq!(result.outcome.as_str(), expected, "{result:?}");
    assert!(format!("{:?}", result.outcome).contains(part), "{result:?}");
}

#[test]
fn a_test_passes_where_decision_reason_and_errors_agree() {
    check(&test(VIEW, ANN, ALLOW), "passed", "");
    check(&test(VIEW, "\"staff.json\"", ALLOW), "passed", "");
    check(&test(VIEW, ANN, r#""decision": "allow", "reason": [], "num_errors": 0"#), "passed", "");
}

#[test]
fn a_wrong_expectation_fails_and_says_what_came() {
    let actual = "allow by policy0 with 0 errors";
    check(
        &test(VIEW, ANN, r#""decision": "deny", "reason": [], "num_errors": 0"#),
        "failed",
        actual,
    );
    let reason = r#""decision": "allow", "reason": ["policy0", "policy2"], "num_errors": 0"#;
    check(&test(VIEW, ANN, reason), "failed", actual);
    let errors = r#""decision": "allow", "reason": ["policy0"], "num_errors": 1"#;
    check(&test(VIEW, ANN, errors), "failed", actual);
}

#[test]
fn an_error_of_a_policy_is_counted() {
    let overflow = ANN.replace("\"level\": 0", "\"level\": 1");
    let rest = r#""decision": "allow", "reason": ["policy0"], "num_errors": 1"#;
    check(&test(VIEW, &overflow, rest), "passed", "");
    check(&test(VIEW, &overflow, ALLOW), "failed", "overflow");
}

#[test]
fn what_does_not_fit_the_schema_is_an_error_and_never_a_pass() {
    let deny = r#""decision": "deny", "reason": [], "num_errors": 0"#;
    check(&test(&VIEW.replace("view", "drop"), "[]", deny), "errored", "context does not fit");
    check(&test(&VIEW.replace("mfa", "mfb"), "[]", deny), "errored", "context does not fit");
    check(&test(&VIEW.replace("User", "Photo"), "[]", deny), "errored", "request does not fit");
    check(&test(VIEW, &ANN.replace("level", "height"), deny), "errored", "entities do not fit");
    check(&test(&VIEW.replace("User::", "User"), "[]", deny), "errored", "principal");
}

#[test]
fn entities_are_not_read_from_outside_the_folder_of_the_tests() {
    check(&test(VIEW, "\"../outside.json\"", ALLOW), "errored", "plain path");
    check(&test(VIEW, "\"/outside.json\"", ALLOW), "errored", "plain path");
    check(&test(VIEW, "\"absent.json\"", ALLOW), "errored", "tests/absent.json");
}

#[test]
fn a_test_without_a_required_key_is_an_error_at_its_line() {
    let text = format!("[\n{{}},\n{}", test(VIEW, ANN, ALLOW).trim_start_matches('['));
    let results = results(&text);
    let seen: Vec<_> =
        results.iter().map(|r| (r.line, r.name.as_str(), r.outcome.as_str())).collect();
    assert_eq!(seen, [(2, "test 1", "errored"), (3, "t", "passed")]);
    let no_reason = r#""decision": "allow", "num_errors": 0"#;
    check(&test(VIEW, ANN, no_reason), "errored", "reason");
}

#[test]
fn a_file_that_is_no_array_of_tests_is_an_error() {
    check("{}", "errored", "array");
    check("[", "errored", "array");
    check("[]", "errored", "no test");
    check(&format!("{}{}", "[".repeat(5000), "]".repeat(5000)), "errored", "array");
}

#[test]
fn no_value_of_a_header_is_told_where_a_test_does_not_fit() {
    let deny = r#""decision": "deny", "reason": [], "num_errors": 0"#;
    let request = VIEW.replace("true", r#"{"headers": {"x-key": "s3cr3t-a"}}"#);
    let headers = r#"[{"uid": {"type": "Headers", "id": "s3cr3t-b"}, "attrs": {}, "parents": [],
        "tags": {"x-key": ["s3cr3t-b"]}}]"#;
    for text in [test(&request, "[]", deny), test(VIEW, headers, deny)] {
        let seen = format!("{:?}", results(&text));
        assert!(seen.contains("Errored") && !seen.contains("s3cr3t"), "{seen}");
    }
}
