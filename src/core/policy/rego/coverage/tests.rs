use super::*;
use crate::policy::{Bundle, Revision, measure_coverage};

const MANIFEST: &str = r#"{"metadata": {"portreeve": {"entrypoint": "p"}}}"#;

fn coverage(files: &[(&str, &str)], is_selected: &dyn Fn(&str) -> bool) -> Vec<LineCoverage> {
    let mut all = Files::default();
    for (file, text) in [(".manifest", MANIFEST), ("data.json", "{\"t\": {}}")].iter().chain(files)
    {
        all.insert(file, text.as_bytes().to_vec()).unwrap();
    }
    let (bundle, _) = Bundle::load(&all, Revision::default()).unwrap();
    measure_coverage(&all, &bundle, is_selected).unwrap().rego
}

/// A file with a mark before each line: `+` it is reached, `-` it is not, or it is not counted.
fn marked(coverage: &[LineCoverage], file: &str, text: &str) -> String {
    let lines = coverage.iter().find(|lines| lines.file == file).unwrap();
    let mark = |line| match (lines.covered.contains(&line), lines.not_covered.contains(&line)) {
        (true, false) => '+',
        (false, true) => '-',
        (false, false) => ' ',
        (true, true) => '!',
    };
    text.lines().zip(1..).map(|(text, line)| format!("{}{text}\n", mark(line))).collect()
}

/// The rules of a policy stand with the mark that each line is to have under these tests.
#[track_caller]
fn check(expected: &str, tests: &str) {
    let expected = format!(" package p\n{expected}");
    let has_allow = expected.contains("allow");
    let expected =
        if has_allow { expected } else { format!("{expected}-allow if input.source.spiffe_id\n") };
    let policy: String =
        expected.lines().map(|line| format!("{}\n", line.get(1..).unwrap())).collect();
    let tests = format!("package p_test\nimport data.p\n{tests}");
    let coverage = coverage(&[("p.rego", &policy), ("p_test.rego", &tests)], &|_| true);
    let seen = marked(&coverage, "p.rego", &policy);
    assert_eq!(seen, expected, "\n{seen}");
}

const GET: &str = "get := {\"request\": {\"path\": \"/a\", \"method\": \"GET\"}}\n";

#[test]
fn a_line_counts_where_a_test_reaches_it_and_not_where_none_does() {
    check(
        "+default allow := false\n+allow if {\n+  input.request.path == \"/a\"\n\
         +  input.request.method == \"GET\"\n }\n-allow if {\n+  input.request.path == \"/b\"\n\
         -  input.request.method == \"PUT\"\n }\n",
        &format!("{GET}test_a if p.allow with input as get\ntest_b if not p.allow\n"),
    );
}

#[test]
fn a_default_counts_only_where_no_definition_held() {
    let policy = "default allow := false\n+allow if {\n+  input.request.path == \"/a\"\n }\n";
    let allow = format!("{GET}test_a if p.allow with input as get\n");
    check(&format!("-{policy}"), &allow);
    check(&format!("+{policy}"), &format!("{allow}test_b if not p.allow with input as {{}}\n"));
    // Both in one test.
    let both = format!("{GET}test_a if {{\np.allow with input as get\nnot p.allow\n}}\n");
    check(&format!("+{policy}"), &both);
    check("+default f(_) := 0\n-f(x) := 1 if x > 1\n", "test_f if p.f(0) == 0\n");
    check("-default f(_) := 0\n+f(x) := 1 if x > 1\n", "test_f if p.f(2) == 1\n");
}

#[test]
fn a_definition_on_one_line_counts_where_it_held() {
    let policy =
        "allow if input.request.method == \"GET\"\n-allow if input.request.path == \"/b\"\n";
    check(&format!("+{policy}"), &format!("{GET}test_a if p.allow with input as get\n"));
    check(&format!("-{policy}"), "test_a if not p.allow\n");
}

#[test]
fn each_else_is_a_head_of_its_own() {
    check(
        "-a := \"one\" if {\n+  data.t.n == 1\n+} else := \"two\" if {\n+  data.t.n == 2\n\
         -} else := concat(\"\", [\n-  \"c\",\n ])\n",
        "test_a if p.a == \"two\" with data.t as {\"n\": 2}\n",
    );
    check(
        "+a if data.t.n == 1\n-else if data.t.n == 2\n",
        "test_a if p.a with data.t as {\"n\": 1}\n",
    );
    // Every `else` on the line would have to hold.
    check("-a := 1 if data.t.x else := 2\n", "test_a if p.a == 2\n");
}

#[test]
fn bodies_of_comprehensions_and_every_count_by_themselves() {
    let policy = |mark: char| {
        format!(
            "+a := [y |\n+  some x in data.t.xs\n{mark}  y := x + 1 # one more\n ]\n\
             +b if {{\n+  every x in data.t.xs {{\n{mark}    x > 0\n  }}\n }}\n"
        )
    };
    let with = |xs: &str| {
        let t = format!("data.t as {{\"xs\": {xs}}}");
        format!("test_a if p.a with {t}\ntest_b if p.b with {t}\n")
    };
    check(&policy('+'), &with("[1]"));
    check(&policy('-'), &with("[]"));
}

#[test]
fn partial_rules_count_where_they_gave_a_member() {
    check(
        "+a contains x if {\n+  some x in data.t.xs\n+  x > 0\n }\n-b contains \"z\" if data.t.none\n\
         +c[k] := v if some k, v in data.t.xs\n-d[k] if some k in data.t.none\n+e.f.g := 1\n",
        "test_a if {\ncount(p.a) == 1 with data.t as t\ncount(p.b) == 0\np.c[0] with data.t as t\n\
         count(p.d) == 0\np.e.f.g\n}\nt := {\"xs\": [1]}\n",
    );
}

#[test]
fn values_over_many_lines_count_with_their_head() {
    check(
        "+a := {\n+  \"x\": 1,\n+  \"y\": [\n+    2,\n   ],\n }\n-b := `raw\n-text`\n-c := \"#\"\n",
        "test_a if p.a.x == 1\n",
    );
}

#[test]
fn what_an_import_of_the_package_could_mean_is_not_reached() {
    check("+a := 1\n-b := 2\n-c contains 3\n+f(x) := x\n", "test_a if p.f(p.a) == 1\n");
    // A local variable of the name is not the import.
    check("-a := 1\n+f(x) := x\n", "test_a if data.p.f(1) == 1\ntest_b if { p := 1; p == 1 }\n");
}

#[test]
fn tests_that_fail_or_err_reach_lines_too() {
    check(
        "+a if data.t.x == 1\n-b := 1 / data.t.x\n",
        "test_a if not p.a with data.t as {\"x\": 1}\n\
          test_b if p.b == 1 with data.t as {\"x\": 0}\n",
    );
}

#[test]
fn only_selected_tests_count_and_those_to_be_done_never_do() {
    let policy = "package p\nallow if input.request.path == \"/a\"\na := 1\nb := 2\n";
    let tests =
        "package p_test\nimport data.p\ntest_a if p.a\ntest_b if p.b\ntodo_test_c if p.allow\n";
    let files = [("p.rego", policy), ("p_test.rego", tests)];
    let gaps = |part: &str| {
        coverage(&files, &|name| name.contains(part)).first().map(LineCoverage::gaps).unwrap()
    };
    assert_eq!(gaps(""), [(2, 2)]);
    assert_eq!(gaps("test_a"), [(2, 2), (4, 4)]);
}

#[test]
fn the_table_of_a_selected_case_counts_whole() {
    let policy = "package p\nallow if input.request.path == \"/c\"\na if input.request.path == \"/a\"\nb if input.request.path == \"/b\"\n";
    let tests = "package p_test\nimport data.p\n\
                 test_a[note] if {\n\tsome note in [\"one\", \"two\"]\n\tp.a with input.request.path as \"/a\"\n}\n\
                 test_b[note] if {\n\tsome note in [\"three\"]\n\tp.b with input.request.path as \"/b\"\n}\n";
    let files = [("p.rego", policy), ("p_test.rego", tests)];
    let gaps = |part: &str| {
        coverage(&files, &|name| name.contains(part)).first().map(LineCoverage::gaps).unwrap()
    };
    assert_eq!(gaps("test_a[two]"), [(2, 2), (4, 4)]);
    assert_eq!(gaps("[three]"), [(2, 3)]);
    assert_eq!(gaps("[four]"), [(2, 4)]);
}

#[test]
fn a_default_is_judged_by_the_definitions_of_all_files() {
    let first = "package p\ndefault allow := false\nallow if input.request.path == \"/a\"\n";
    let second = "package p\nallow if input.request.path == \"/b\"\n";
    let tests = "package q_test\ntest_a if data.p.allow with input as {\"request\": {\"path\": \"/b\"}}\n\
                 test_c if data.p.allow with input as {\"request\": {\"path\": \"/a\"}}\n";
    for (a, b) in [("a.rego", "b.rego"), ("b.rego", "a.rego")] {
        let coverage = coverage(&[(a, first), (b, second), ("q_test.rego", tests)], &|_| true);
        assert_eq!(marked(&coverage, a, first).lines().nth(1), Some("-default allow := false"));
        assert_eq!(marked(&coverage, b, second).lines().nth(1).unwrap().chars().next(), Some('+'));
    }
}

#[test]
fn cases_in_yaml_reach_what_the_entry_point_evaluates() {
    let policy = "package p\ndefault allow := false\nallow if input.request.path == \"/a\"\n\
                  deny contains \"no\" if input.request.method == \"PUT\"\nunused := 1\n";
    let cases = "cases:\n  - name: a\n    request: {path: /a}\n    expect: deny\n";
    let files = [("p.rego", policy), ("p_test.yaml", cases)];
    let seen = marked(&coverage(&files, &|_| true), "p.rego", policy);
    let expected = " package p\n-default allow := false\n+allow if input.request.path == \"/a\"\n\
                    -deny contains \"no\" if input.request.method == \"PUT\"\n-unused := 1\n";
    assert_eq!(seen, expected);
    let more =
        format!("{cases}  - name: b\n    request: {{path: /b, method: PUT}}\n    expect: deny\n");
    let files = [("p.rego", policy), ("p_test.yaml", &more)];
    assert_eq!(coverage(&files, &|_| true)[0].gaps(), [(5, 5)]);
}
