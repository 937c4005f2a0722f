use super::super::check::MAX_STACK_DEPTH;
use super::super::{RegoTestOutcome, run_rego_tests};
use super::{files, line, load, request};

/// The findings for a module in `p.rego`, one a line.
#[track_caller]
fn check(module: &str, expected: &str) {
    let seen = load(&[("p.rego", module)], "p").err().unwrap_or_default();
    assert_eq!(seen, expected, "{module}");
}

#[track_caller]
fn check_files(pairs: &[(&str, &str)], expected: &str) {
    let seen = load(pairs, "p").err().unwrap_or_default();
    assert_eq!(seen, expected);
}

#[test]
fn syntax_errors_name_file_line_and_column() {
    check("package p\nallow := )", "p.rego:2:10: error: expecting expression");
    check(
        "package p\n\nallow if { x == 1 }",
        "p.rego:3:12: error: variable `x` is unsafe: nothing gives it a value",
    );
    check("allow := true", "p.rego:1:1: error: expecting `package` Missing package declaration");
    check(
        "package p\nallow { input.x }",
        "p.rego:2:7: error: this is Rego v0 syntax: rules need `if` and `contains`",
    );
    check(
        "package p\nallow := true\ndeny[x] { x := 1 }",
        "p.rego:3:9: error: this is Rego v0 syntax: rules need `if` and `contains`",
    );
    check("package p\nimport rego.v1\nallow if input.time", "");
    check("package p\nimport future.keywords.if\nallow if input.time", "");
}

#[test]
fn recursion_is_refused_by_name() {
    let f = "package p\nallow if f(1)\n";
    check(
        &format!("{f}f(x) := f(x + 1)"),
        "p.rego:3:1: error: rule `data.p.f` is recursive: data.p.f -> data.p.f",
    );
    check(
        &format!("{f}f(x) := g(x)\ng(x) := f(x)"),
        "p.rego:3:1: error: rule `data.p.f` is recursive: data.p.f -> data.p.g -> data.p.f",
    );
    check(
        "package p\nallow if a\na if b\nb if data.p[input.x]",
        "p.rego:3:1: error: rule `data.p.a` is recursive: data.p.a -> data.p.b -> data.p.a\n\
         p.rego:4:1: error: rule `data.p.b` is recursive: data.p.b -> data.p.b",
    );
    check_files(
        &[
            ("p.rego", "package p\nimport data.q as r\nallow if r.g(1)\nh(x) := r.g(x)"),
            ("q.rego", "package q\nimport data.p.h\ng(x) := h(x)"),
        ],
        "q.rego:3:1: error: rule `data.q.g` is recursive: data.q.g -> data.p.h -> data.q.g",
    );
}

#[test]
fn an_imported_name_means_one_thing_in_a_package() {
    let p = ("p.rego", "package p\nimport input.request as r\nallow if r.method == \"GET\"");
    check_files(
        &[("o.rego", "package p\nimport input.request.body as r\nallow if r.a"), p],
        "p.rego:2:8: error: `r` is imported from another place in `o.rego` line 2",
    );
    let other = "p.rego:2:8: error: `r` is imported here and is `data.p.r` too";
    check_files(&[("o.rego", "package p\nr := {\"method\": \"GET\"}"), p], other);
    check_files(&[("o.rego", "package p.r\nmethod := \"GET\""), p], other);
    check_files(&[("o.rego", "package p\nimport input.request as r\nallow if r.body.a"), p], "");
    check_files(&[("o.rego", "package q\nimport input.request.body as r\nx if r.a"), p], "");
    check_files(
        &[
            ("o.rego", "package p.r\nx := 1"),
            ("p.rego", "package p\nimport data.p.r\nallow if r.x"),
        ],
        "",
    );
}

#[test]
fn a_local_name_is_no_recursion() {
    check("package p\nallow if user == 1\nuser := v if { allow := 1; v := allow }", "");
    check("package p\nallow if f(1)\nf(allow) := allow if { allow == 1 }", "");
    check("package p\nallow if { x := 1; y(x) == 1 }\nx := 2 if y(1)\ny(x) := x", "");
}

#[test]
fn builtins_that_leave_the_process_or_do_not_exist_are_refused() {
    let check_call = |call: &str, expected: &str| {
        check(&format!("package p\nallow if {call}"), expected);
    };
    check_call(
        "http.send({}).status_code == 200",
        "p.rego:2:10: error: the builtin `http.send` is not allowed: a decision sends no requests: put what it needs into data",
    );
    check_call(
        "rand.intn(\"a\", 2) == 1",
        "p.rego:2:10: error: the builtin `rand.intn` is not allowed: a decision must repeat",
    );
    check_call(
        "startwith(input.request.path, \"/\")",
        "p.rego:2:10: error: `startwith` is no builtin function and no function of `data.p`",
    );
    check_call(
        "startswith(input.request.path)",
        "p.rego:2:10: error: `startswith` takes 2 arguments, not 1",
    );
    check_call(
        "__builtin_sets.union({1}, {2}) == {1}",
        "p.rego:2:10: error: `__builtin_sets.union` is no builtin function and no function of `data.p`",
    );
    check_call("count(split(input.request.path, \"/\")) > 1", "");
    check_call(
        "lower(\"A\") == \"a\" with lower as http.send",
        "p.rego:2:28: error: the builtin `http.send` is not allowed: a decision sends no requests: put what it needs into data",
    );
    let bounds = "`numbers.range` builds more than 10000 numbers";
    check_call("count(numbers.range(1, 10000)) > 1", "");
    check_call("count(numbers.range(1, 10001)) > 1", &format!("p.rego:2:16: error: {bounds}"));
    check_call("count(numbers.range(100001, 100100)) > 1", "");
    check_call("count(numbers.range(1, count(input.request.path))) > 1", "");
    check_call("count(numbers.range_step(0, 100000, 20)) > 1", "");
    check_call("print(\"x\", input)", "");
    check(
        "package p\nallow if f(1)\nf(x, y) := x",
        "p.rego:2:10: error: `data.p.f` takes 2 arguments, not 1",
    );
}

#[test]
fn one_more_argument_receives_the_result_of_a_statement_only() {
    let f = "f(x) := x";
    let check_call = |call: &str, expected: &str| {
        check(&format!("package p\nallow if {{ {call} }}\n{f}"), expected);
    };
    for statement in [
        "lower(\"A\", x); x == \"a\"",
        "uri.parse(\"/a\", x); x.path == \"/a\"",
        "f(1, x); x == 1",
        "not lower(\"A\", \"b\")",
        "not uri.is_valid(\"/a\", false)",
        "walk({}, [p, v]); p == v",
    ] {
        check_call(statement, "");
        let policy = format!("allow if {{ {statement} }}\n{f}");
        assert_ne!(super::decide(&policy, serde_json::json!({})), "", "{statement}");
    }
    check_call(
        "x := lower(\"A\", y); y == x",
        "p.rego:2:17: error: `lower` takes 1 arguments, not 2",
    );
    check_call("y := 1; f(f(1, y))", "p.rego:2:22: error: `data.p.f` takes 1 arguments, not 2");
    check_call(
        "y := 1; f(uri.parse(\"/a\", y))",
        "p.rego:2:22: error: `uri.parse` takes 1 arguments, not 2",
    );
}

#[test]
fn definitions_that_contradict_each_other_are_refused() {
    check(
        "package p\ndefault allow := true\n\ndefault allow := false",
        "p.rego:2:1: warning: `allow` is true by default: every request passes that no rule denies\n\
         p.rego:4:1: error: rule `data.p.allow` has its default at p.rego:2 already",
    );
    check(
        "package p\nallow if input.time\nallow contains 1",
        "p.rego:3:1: error: rule `data.p.allow` is of another kind than its definition at p.rego:2",
    );
}

#[test]
fn an_entry_point_that_is_absent_is_an_error() {
    let module = "package p\nmay := true\nf(x) := x\nset contains 1";
    let check_entry = |entrypoint: &str, expected: &str| {
        let seen = load(&[("p.rego", module)], entrypoint).err().unwrap_or_default();
        assert_eq!(seen, expected);
    };
    check_entry("p.may", "");
    check_entry("p", "error: the entry point `data.p` is a package without a rule `allow`");
    check_entry("q", "error: the entry point `data.q` is no package and no rule of the bundle");
    check_entry(
        "p/allow",
        "error: the entry point `data.p.allow` is no package and no rule of the bundle",
    );
    check_entry("", "error: the entry point `data` is no package and no rule of the bundle");
    check_entry("p.f", "p.rego:3:1: error: the entry rule `data.p.f` must have one value");
    check_entry("p.set", "p.rego:4:1: error: the entry rule `data.p.set` must have one value");
    check(
        "package p\nallow if input.time\ndeny[x] := 1 if { some x in [1] }",
        "p.rego:3:1: error: the entry rule `data.p.deny` must have a boolean or a set",
    );
}

#[test]
fn data_hangs_where_its_directory_says_and_merges() {
    let policies = load(
        &[
            ("p.rego", "package p\nallow if { data.shop.a == 1; data.shop.b.c == 2; data.shop.b.d == \"yes\" }"),
            ("shop/data.json", "{\"a\": 1, \"b\": {\"c\": 2}}"),
            ("shop/b/data.yaml", "d: \"yes\"\n"),
            ("shop/other.json", "not read"),
        ],
        "p",
    )
    .unwrap();
    let verdict = policies.evaluate(&request(serde_json::Value::Null));
    assert_eq!(line(&verdict), "allow allowed p.rego:2");
}

#[test]
fn data_that_conflicts_is_refused() {
    let module = ("p.rego", "package p\ndefault allow := false");
    check_files(
        &[module, ("data.json", "{\"x\": {\"y\": 1}}"), ("x/data.json", "{\"y\": 2}")],
        "x/data.json:1:2: error: `data.x.y` is also set by `data.json`",
    );
    check_files(
        &[module, ("p/data.json", "{\"allow\": true}")],
        "p.rego:2:1: error: `p/data.json` has data at `data.p.allow`, in the place of this rule",
    );
    check_files(
        &[module, ("data.yml", "p: true\n")],
        "p.rego:2:1: error: `data.yml` has data at `data.p`, in the place of this rule",
    );
    check_files(&[module, ("data.json", "[1]")], "data.json:1:1: error: the data is not an object");
    check_files(&[module, ("data.json", "{\n\"x\": }")], "data.json:2:6: error: expected value");
    check_files(
        &[module, ("data.yaml", "1: x\n")],
        "data.yaml:1:1: error: the key `1` is not a string: write it in quotes",
    );
}

/// Loads the longest policy of a shape that is not refused, and evaluates it on this thread.
#[track_caller]
fn check_deepest(shape: fn(usize) -> String) {
    let loaded = |length: usize| load(&[("p.rego", &shape(length))], "p");
    let longest = (0..).map(|n| n * 5).take_while(|n| loaded(*n).is_ok()).last().unwrap();
    assert!(longest > 5 && longest < MAX_STACK_DEPTH, "{longest}");
    let refused = loaded(longest + 5).err().unwrap();
    assert!(refused.contains("nests deeper than"), "{refused}");
    let policies = loaded(longest).unwrap();
    let verdict = policies.evaluate(&request(serde_json::Value::Null));
    assert_eq!(line(&verdict), "allow allowed p.rego:2");
}

fn numbered(length: usize, text: impl Fn(usize) -> String) -> String {
    (0..length).map(|n| text(n) + "\n").collect()
}

#[test]
fn the_deepest_policies_fit_a_small_stack() {
    check_deepest(|length| {
        let chain = numbered(length, |n| format!("f{n}(x) := y if {{ y := f{}(x) }}", n + 1));
        format!("package p\nallow if f0(1)\n{chain}f{length}(x) := x")
    });
    check_deepest(|length| {
        let chain = numbered(length, |n| format!("r{n} if r{}", n + 1));
        format!("package p\nallow if r0\n{chain}r{length} := true")
    });
    check_deepest(|length| {
        let loops = numbered(length, |n| format!("some v{n} in [1]"));
        format!("package p\nallow if {{\n{loops}true }}")
    });
    check_deepest(|length| {
        let sets = numbered(length, |n| {
            format!("f{n}(x) := {{1 | some a in [x]; {{2 | some b in [a]; f{}(b)}}}}", n + 1)
        });
        format!("package p\nallow if f0(1)\n{sets}f{length}(x) := x")
    });
}

#[test]
fn the_tests_of_a_bundle_are_run() {
    let bundle = files(&[
        ("p.rego", "package p\nallow if input.request.method == data.p_data.method"),
        ("p_data/data.json", "{\"method\": \"GET\"}"),
        (
            "p_test.rego",
            "package p_test\n\
             test_get if data.p.allow with input as {\"request\": {\"method\": \"GET\"}}\n\
             test_put if not data.p.allow with input as {\"request\": {\"method\": \"PUT\"}}\n\
             test_wrong if data.p.allow with input as {}\n\
             test_error if count(7) == 1\n\
             test_not_true := \"yes\"\n\
             todo_test_later if false\n\
             test_data if data.p.allow with input as {\"request\": {\"method\": \"X\"}} with data.p_data.method as \"X\"\n\
             test_clock if time.now_ns() == 7 with time.now_ns as 7",
        ),
    ]);
    let seen: Vec<String> = run_rego_tests(&bundle)
        .into_iter()
        .map(|test| {
            format!("{}.{} {}:{} {:?}", test.package, test.name, test.file, test.line, test.outcome)
        })
        .collect();
    let expected = [
        "data.p_test.test_clock p_test.rego:9 Pass",
        "data.p_test.test_data p_test.rego:8 Pass",
        "data.p_test.test_error p_test.rego:5 Error(\"p_test.rego:5: `count`: argument 1 must be an array, object, set or string, not a number\")",
        "data.p_test.test_get p_test.rego:2 Pass",
        "data.p_test.test_not_true p_test.rego:6 Fail",
        "data.p_test.test_put p_test.rego:3 Pass",
        "data.p_test.test_wrong p_test.rego:4 Fail",
        "data.p_test.todo_test_later p_test.rego:7 Skipped",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_bundle_that_does_not_load_fails_its_tests() {
    let bundle = files(&[("p_test.rego", "package p\ntest_a if f(1)")]);
    let seen = run_rego_tests(&bundle);
    assert!(
        matches!(&seen[..], [only] if matches!(only.outcome, RegoTestOutcome::Error(_))),
        "{seen:?}"
    );
    assert!(run_rego_tests(&files(&[])).is_empty());
}
