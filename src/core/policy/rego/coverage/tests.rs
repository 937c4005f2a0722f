use super::*;
use crate::policy::Bundle;

const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

/// What the tests reach of `p.rego`: a mark before each line, `+` reached, `-` not, or none.
fn marked(files: &[(&str, &str)]) -> String {
    let mut all = Files::default();
    for (file, text) in [(".manifest", MANIFEST)].iter().chain(files) {
        all.insert(file, text.as_bytes().to_vec()).unwrap();
    }
    let (bundle, _) = Bundle::load(&all, crate::policy::Revision::default()).unwrap();
    let coverage = crate::policy::measure_coverage(&all, &bundle, &|_| true).unwrap();
    let lines = coverage.rego.iter().find(|lines| lines.file == "p.rego").unwrap();
    let (_, text) = files.iter().find(|(file, _)| *file == "p.rego").unwrap();
    let mark = |line: u32| match (lines.covered.contains(&line), lines.not_covered.contains(&line))
    {
        (true, false) => '+',
        (false, true) => '-',
        (false, false) => ' ',
        (true, true) => '!',
    };
    text.lines().zip(1..).map(|(text, line)| format!("{}{text}\n", mark(line))).collect()
}

/// The policy stands with the mark that each line is to have.
#[track_caller]
fn check(expected: &str, tests: &str) {
    let policy: String = expected.lines().map(|line| format!("{}\n", &line[1..])).collect();
    let tests = format!("package p_test\nimport data.p\n{tests}");
    let seen = marked(&[("p.rego", &policy), ("p_test.rego", &tests)]);
    assert_eq!(seen, expected, "\n{seen}");
}

#[test]
fn a_line_counts_where_a_test_reaches_it_and_not_where_none_does() {
    let text = " package p\n+default allow := false\n+allow if {\n+\tinput.request.path == \"/a\"\n\
                +\tinput.request.method == \"GET\"\n }\n-allow if {\n+\tinput.request.path == \"/b\"\n\
                -\tinput.request.method == \"PUT\"\n }\n";
    let tests = "get := {\"request\": {\"path\": \"/a\", \"method\": \"GET\"}}\n\
                 test_allow if p.allow with input as get\n\
                 test_deny if not p.allow with input as {}\n";
    check(text, tests);
}
