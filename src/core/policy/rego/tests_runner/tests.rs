use super::*;

const POLICY: &str = "package p\n\nallow if {\n\tinput.request.method == \"GET\"\n\t\
                      input.request.path == \"/a\"\n}\n";

fn results(tests: &str) -> Vec<RegoTestResult> {
    let mut files = Files::default();
    files.insert("p.rego", POLICY.as_bytes().to_vec()).unwrap();
    let text = format!("package p_test\n\nimport data.p\n\n{tests}");
    files.insert("p_test.rego", text.into_bytes()).unwrap();
    run_rego_tests(&files)
}

fn word(outcome: &RegoTestOutcome) -> &str {
    match outcome {
        RegoTestOutcome::Pass => "pass",
        RegoTestOutcome::Fail => "fail",
        RegoTestOutcome::Error(_) => "error",
        RegoTestOutcome::Skipped => "skip",
    }
}

/// `name outcome` of each result.
#[track_caller]
fn check(tests: &str, expected: &[&str]) {
    let seen = results(tests);
    let seen: Vec<_> = seen.iter().map(|r| format!("{} {}", r.name, word(&r.outcome))).collect();
    assert_eq!(seen, expected);
}

/// The one test that fails: `line: expression | operand = value | …` of each place.
#[track_caller]
fn check_why(tests: &str, expected: &[&str]) {
    let results = results(tests);
    let failed: Vec<_> = results.iter().filter(|r| r.outcome == RegoTestOutcome::Fail).collect();
    let [failed] = failed.as_slice() else { panic!("{results:?}") };
    let place = |at: &FailedExpression| {
        let values = at.values.iter().map(|v| format!(" | {} = {}", v.expression, v.value));
        format!("{}: {}{}", at.line, at.expression, values.collect::<String>())
    };
    let seen: Vec<_> = failed.failed_at.iter().map(place).collect();
    assert_eq!(seen, expected);
}

/// The text of the only error.
#[track_caller]
fn check_error(tests: &str, expected: &str) {
    let results = results(tests);
    let errors = results.iter().filter_map(|result| {
        let RegoTestOutcome::Error(text) = &result.outcome else { return None };
        Some(text.as_str())
    });
    assert_eq!(errors.collect::<Vec<_>>(), [expected], "{results:?}");
}

#[test]
fn the_expression_that_is_not_true_is_told_with_its_values() {
    check_why(
        "test_a if {\n\tx := 3\n\ty := [1, 2]\n\tx == y[0]\n\tfalse\n}\n",
        &["8: x == y[0] | x = 3 | y[0] = 1"],
    );
    check_why(
        "test_a if p.allow with input as {}\n",
        &["5: p.allow with input as {} | p.allow = undefined"],
    );
    check_why("test_a if {\n\tnot p\n}\n", &["6: not p | p = {}"]);
    check_why(
        "test_a if startswith(concat(\"\", [\"a\", \"b\"]), \"b\")\n",
        &[
            "5: startswith(concat(\"\", [\"a\", \"b\"]), \"b\") | concat(\"\", [\"a\", \"b\"]) = \"ab\"",
        ],
    );
    check_why(
        "test_a if {\n\tevery x in [1, 2] { x == 1 }\n}\n",
        &["6: every x in [1, 2] { x == 1 }"],
    );
    check_why(
        "test_a if {\n\tsome x in [1, 2, 3]\n\tx > 1\n\tx > 3\n}\n",
        &["8: x > 3 | x = 2, 3"],
    );
}

#[test]
fn an_order_of_statements_that_only_the_engine_could_choose_is_explained_as_far_as_it_goes() {
    check_why("test_a if {\n\tx == 4\n\tx = 3\n}\n", &["7: x = 3"]);
    check_why("test_a := 7\n", &[]);
    let results = results("test_a := 7\n");
    assert_eq!(results[0].actual.as_deref(), Some("7"));
}

#[test]
fn what_a_failed_test_printed_stands_beside_it() {
    let seen =
        results("test_a if {\n\tprint(\"hello\", 1 + 1)\n\tfalse\n}\ntest_b if print(\"x\")\n");
    assert_eq!(seen[0].prints, ["p_test.rego:6: hello 2"]);
    assert!(seen[1].prints.is_empty(), "{seen:?}");
}

/// Expectations taken from `opa test -f json`.
#[test]
fn each_case_of_a_table_is_a_result_and_failing_ones_are_not_lost() {
    check(
        "test_a[note] if {\n\tsome note, tc in {\"one\": {\"x\": 1, \"y\": 1}, \
         \"two\": {\"x\": 1, \"y\": 2}}\n\ttc.x == tc.y\n}\n",
        &["test_a[one] pass", "test_a[two] fail"],
    );
    check(
        "test_n[a][b] if {\n\tsome a, m in {\"g\": {\"u\": 1, \"v\": 2}, \"h\": {\"w\": 1}}\n\t\
         some b, v in m\n\tv == 1\n}\n",
        &["test_n[g][u] pass", "test_n[g][v] fail", "test_n[h][w] pass"],
    );
    check(
        "test_note[tc.note] if {\n\tsome tc in [{\"note\": \"empty\", \"a\": [], \"e\": 0}, \
         {\"note\": \"one\", \"a\": [1], \"e\": 2}]\n\tn := count(tc.a)\n\tn == tc.e\n}\n",
        &["test_note[empty] pass", "test_note[one] fail"],
    );
    check(
        "test_late[note] if {\n\tsome tc in [{\"n\": \"q\", \"x\": 1}, {\"n\": \"r\", \"x\": 2}, \
         {\"n\": \"s\", \"x\": 1}]\n\ttc.x == 1\n\tnote := tc.n\n\tnote == \"q\"\n}\n",
        &["test_late[q] pass", "test_late[s] fail"],
    );
    check(
        "test_val[note] := v if {\n\tsome note, v in {\"t\": true, \"f\": false, \"n\": 3}\n}\n",
        &["test_val[f] fail", "test_val[n] fail", "test_val[t] pass"],
    );
    check(
        "test_arr[i] if {\n\tsome i, x in [\"p\", \"q\"]\n\tx == \"q\"\n}\n",
        &["test_arr[0] fail", "test_arr[1] pass"],
    );
    check(
        "test_dot.foo[note] if {\n\tsome note, x in {\"p\": 1, \"q\": 2}\n\tx == 1\n}\n",
        &["test_dot.foo[p] pass", "test_dot.foo[q] fail"],
    );
    check("test_set contains note if some note in [\"a\"]\n", &["test_set fail"]);
}

#[test]
fn a_failing_case_is_told_with_its_own_values() {
    let table = "test_a[note] if {\n\tsome note, tc in {\"one\": {\"x\": 1}, \"two\": {\"x\": 2}}\n\t\
                 y := tc.x + 1\n\ty == 2\n}\n";
    check_why(table, &["8: y == 2 | y = 3"]);
}

/// OPA calls it passed; nothing was tested.
#[test]
fn a_table_without_a_case_fails() {
    let table = "test_a[note] if {\n\tsome note, tc in data.p.nothing_here\n\ttc\n}\n";
    let seen = results(&table.replace("data.p.nothing_here", "{}"));
    assert_eq!((word(&seen[0].outcome), seen.len()), ("fail", 1), "{seen:?}");
    assert_eq!(seen[0].actual.as_deref(), Some("a table without any case"));
}

#[test]
fn one_definition_does_not_make_another_pass() {
    check("test_a if false\ntest_a if true\n", &["test_a fail", "test_a#01 pass"]);
    check(
        "test_t[n] if {\n\tsome n, x in {\"p\": 1, \"q\": 2}\n\tx == 1\n}\n\
         test_t[n] if {\n\tsome n, x in {\"p\": 1, \"q\": 2}\n\tx == 2\n}\n",
        &["test_t[p] pass", "test_t[q] fail", "test_t#01[p] fail", "test_t#01[q] pass"],
    );
}

#[test]
fn an_input_that_no_request_could_have_is_an_error_at_its_line() {
    check_error(
        "test_a if not p.allow with input as {\"request\": {\"pth\": \"/a\"}}\n",
        "p_test.rego:5:51: `input.request` has no field `pth`\nhint: did you mean `path`?",
    );
    check_error(
        "test_a if not p.allow with input.request.headers as {\"x\": \"y\"}\n",
        "p_test.rego:5:60: `input.request.headers.x` is a list of strings in every request, not a \
         string\nhint: write it in brackets: `[…]`",
    );
    check_error(
        "test_a if not p.allow with input.request.pth as \"/a\"\n",
        "p_test.rego:5:28: `input.request` has no field `pth`\nhint: did you mean `path`?",
    );
    check_error(
        "test_a if not p.allow with input as {\"attributes\": {\"request\": {\"http\": {\"path\": 1}}}}\n",
        "p_test.rego:5:82: `input.attributes.request.http.path` is a string in every request, not a \
         number",
    );
}

#[test]
fn constants_and_variables_are_followed() {
    let constant =
        "base := {\"request\": {\"methd\": \"GET\"}}\n\ntest_a if not p.allow with input as base\n";
    check_error(
        constant,
        "p_test.rego:5:23: `input.request` has no field `methd`\nhint: did you mean `method`?",
    );
    check_error(
        "test_a if {\n\tbase := {\"sorce\": null}\n\tnot p.allow with input as base\n}\n",
        "p_test.rego:6:12: `input` has no field `sorce`\nhint: did you mean `source`?",
    );
    check_error(
        "denied if not p.allow with input as {\"sorce\": null}\n\ntest_a if denied\n",
        "p_test.rego:5:39: `input` has no field `sorce`\nhint: did you mean `source`?",
    );
}

#[test]
fn a_computed_input_is_checked_when_it_is_known() {
    check_error(
        "test_a[note] if {\n\tsome note, tc in {\"a\": {\"input\": {\"request\": {\"pat\": \"/\"}}}}\n\t\
         not p.allow with input as tc.input\n}\n",
        "p_test.rego:7:2: `input.request` has no field `pat`\nhint: did you mean `path`?",
    );
    check(
        "test_a if not p.allow with input as object.union({\"request\": {}}, {\"time\": \"x\"})\n",
        &["test_a pass"],
    );
}

#[test]
fn a_partial_document_is_fine_and_an_author_may_use_any() {
    let allow =
        "test_a if p.allow with input as {\"request\": {\"method\": \"GET\", \"path\": \"/a\"}}\n";
    check(allow, &["test_a pass"]);
    check("test_a if not p.allow with input.request.method as null\n", &["test_a pass"]);
    let foreign = "test_a if not p.allow with input as {\"user\": \"ann\"}\n";
    check(foreign, &["test_a error"]);
    check(&format!("# portreeve: any-input\n{foreign}"), &["test_a pass"]);
    check(&format!("# why\n# portreeve: any-input\n# more\n{foreign}"), &["test_a pass"]);
    check(&format!("# portreeve: any-input\n\n{foreign}"), &["test_a error"]);
}

#[test]
fn the_check_of_a_bundle_finds_the_same() {
    let mut files = Files::default();
    files.insert("p.rego", POLICY.as_bytes().to_vec()).unwrap();
    let test =
        "package p_test\n\nimport data.p\n\ntest_a if not p.allow with input.request.pth as 1\n";
    files.insert("p_test.rego", test.into()).unwrap();
    let mut findings = Findings::default();
    check_tests(&files, &mut findings);
    assert_eq!(findings.to_string(), "p_test.rego:5:28: error: `input.request` has no field `pth`");
}

#[test]
fn no_credential_of_a_test_is_told() {
    let token = "s3cr3t-t0ken";
    let test = format!(
        "token := \"{token}\"\n\nheaders := {{\"authorization\": [concat(\" \", [\"Bearer\", token])], \
         \"x-key\": [\"{token}-2\"]}}\n\ntest_a if {{\n\tprint(headers, input.request.headers)\n\t\
         input.request.headers.authorization[0] == \"Bearer {token}x\"\n}} with input as \
         {{\"request\": {{\"headers\": headers}}}}\n"
    );
    // `with` belongs to a statement, so the body stands in a rule of its own.
    let test = test
        .replace("test_a if {", "inner if {")
        .replace("} with input as", "}\n\ntest_a if inner with input as");
    let seen = format!("{:?}", results(&test));
    assert!(!seen.contains("s3cr3t"), "{seen}");
    let literal = format!(
        "test_a if {{\n\tx := input.request.headers.authorization with input as {{\"request\": \
         {{\"headers\": {{\"authorization\": [\"Basic {token}\"]}}}}}}\n\tprint(x)\n\tx[0] == \"a\"\n}}\n"
    );
    let seen = results(&literal);
    let text = format!("{seen:?}");
    assert!(text.contains("***") && !text.contains("s3cr3t"), "{text}");
    let error = format!(
        "test_a if {{\n\tx := to_number(input.request.query.k[0]) with input as {{\"request\": \
         {{\"query\": {{\"k\": [\"{token}\"]}}}}}}\n\tx == 1\n}}\n"
    );
    let text = format!("{:?}", results(&error));
    assert!(text.contains("Error") && !text.contains("s3cr3t"), "{text}");
}

#[test]
fn only_selected_tests_run() {
    let mut files = Files::default();
    files
        .insert(
            "p_test.rego",
            b"package p_test\n\ntest_a if true\n\ntest_b if 1 / 0 == 1\n".to_vec(),
        )
        .unwrap();
    let selected = TestRun { selects: &|name| name.ends_with("_a"), clock: None };
    let seen = run_selected_tests(&files, selected);
    assert_eq!(seen.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["test_a"]);
}

#[test]
fn a_case_of_a_table_is_selected_by_its_own_name_and_all_cases_by_that_of_their_rule() {
    let text = "package p_test\n\ntest_a if true\n\ntest_t[note] if {\n\t\
                some note, x in {\"one\": 1, \"two\": 2}\n\tx == 1\n}\n\n\
                test_u[note] if {\n\tsome note in [\"one\", 1 / 0]\n}\n";
    let mut files = Files::default();
    files.insert("p_test.rego", text.as_bytes().to_vec()).unwrap();
    let check = |part: &str, expected: &[&str]| {
        let selects = |name: &str| name.contains(part);
        let seen = run_selected_tests(&files, TestRun { selects: &selects, clock: None });
        let told = |r: &RegoTestResult| format!("{} {}", r.name, word(&r.outcome));
        assert_eq!(seen.iter().map(told).collect::<Vec<_>>(), expected, "{part}");
    };
    check("test_t[one]", &["test_t[one] pass"]);
    check("_test.test_t[two]", &["test_t[two] fail"]);
    check("[three]", &[]);
    check("test_t", &["test_t[one] pass", "test_t[two] fail"]);
    check("test_a", &["test_a pass"]);
    check("test_u", &["test_u error"]);
}

#[test]
fn the_time_of_a_test_is_measured_by_the_clock_that_is_given() {
    thread_local!(static TICKS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
    fn clock() -> Duration {
        TICKS.set(TICKS.get() + 1);
        Duration::from_millis(TICKS.get())
    }
    let mut files = Files::default();
    files.insert("p_test.rego", b"package p_test\n\ntest_a if true\n".to_vec()).unwrap();
    let run = TestRun { selects: &|_| true, clock: Some(clock) };
    assert_eq!(run_selected_tests(&files, run)[0].duration, Some(Duration::from_millis(1)));
}
