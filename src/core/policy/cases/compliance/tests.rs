use std::collections::BTreeMap;

use super::*;

#[track_caller]
fn names(file: &str, text: &str) -> Vec<String> {
    let cases = compliance_cases(file, text, &mut BTreeMap::new()).unwrap();
    cases.into_iter().map(|case| format!("{}:{} {}", case.group, case.line, case.name)).collect()
}

#[test]
fn a_name_is_folder_file_and_note_and_a_second_one_is_numbered() {
    let text = r#"[
        {"note": "a"}, {"note": "b"},
        {"note": "a"}, {"note": "a", "file": "sets/x.json"}
    ]"#;
    let expected = [
        "units:2 units/parse: a",
        "units:2 units/parse: b",
        "units:3 units/parse: a (2)",
        "sets:3 sets/x: a",
    ];
    assert_eq!(names("/tmp/v1/units/parse.json", text), expected);
    assert_eq!(names("a.yaml", "cases:\n- note: x\n"), [".:0 ./a: x"]);
}

#[test]
fn a_file_without_a_list_of_cases_is_none() {
    for (file, text) in [("a.json", "{}"), ("a.json", "7"), ("a.json", "["), ("a.yaml", "a: [")] {
        assert!(compliance_cases(file, text, &mut BTreeMap::new()).is_err(), "{text}");
    }
    let large = " ".repeat(5 << 20);
    assert!(compliance_cases("a.json", &large, &mut BTreeMap::new()).is_err());
}
