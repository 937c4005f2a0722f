use super::*;

/// `line name: what was read` for each case, or the error of the file.
fn seen(text: &str) -> Vec<String> {
    match read(text) {
        Err(wrong) => vec![format!("{} file: {}", wrong.line, wrong.message)],
        Ok(cases) => cases
            .into_iter()
            .map(|(line, name, case)| match case {
                Ok(case) => format!("{line} {name}: {}", case.expect.outcome.as_str()),
                Err(wrong) => format!("{} {name}: {}", wrong.line, wrong.message),
            })
            .collect(),
    }
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let seen = seen(text);
    assert_eq!(seen.len(), expected.len(), "{seen:?}");
    for (seen, expected) in seen.iter().zip(expected) {
        assert!(seen.starts_with(expected), "{seen} instead of {expected}");
    }
}

#[test]
fn cases_are_read_with_their_lines() {
    let text = "cases:\n  - name: a\n    request: {path: /a}\n    expect: allow\n\
                \n  - expect: deny\n    reason: forbidden\n    policy: x.cedar:3\n    \
                name: b\n    input: {}\n";
    check(text, &["2 a: allow", "6 b: deny"]);
    let (_, _, case) = read(text).unwrap().remove(1);
    let case = case.unwrap();
    assert_eq!(case.subject, Subject::Document(serde_json::json!({})));
    assert_eq!(case.expect.policy.as_deref(), Some("x.cedar:3"));
}

#[test]
fn a_wrong_case_is_an_error_of_its_own_and_the_others_run() {
    let text = "cases:\n- name: a\n  request: {}\n  expct: allow\n- name: b\n  request: {}\n  \
                expect: allow\n- request: {}\n  expect: allow\n- 7\n- name: e\n  request: {}\n  \
                expect: permit\n- name: f\n  request: {}\n- name: g\n  expect: deny\n\
                - name: h\n  request: {}\n  input: {}\n  expect: deny\n\
                - name: i\n  request: {}\n  expect: deny\n  reason: because";
    let expected = [
        "4 a: unknown key `expct`; known here: `name`, `request`",
        "5 b: allow",
        "8 case 3: the key `name` is missing",
        "10 case 4: a case must be a mapping",
        "13 e: `expect` must be one of",
        "14 f: the key `expect` is missing",
        "16 g: the key `request` or `input` is missing",
        "18 h: a case has either",
        "25 i: `reason` must be one of",
    ];
    check(text, &expected);
}

#[test]
fn a_file_without_cases_is_an_error() {
    check("", &["0 file: the key `cases` is missing"]);
    check("cases: []", &["1 file: `cases` is empty"]);
    check("cases: 1", &["1 file: `cases` must be a list"]);
    check("cases: []\nmore: 1", &["2 file: unknown key `more`"]);
    check("cases: [", &["2 file: this is not YAML"]);
}
