//! What the load check says, in the words that authors read.

use super::super::super::{Bundle, Code, Findings, Revision};
use super::files;

fn findings(pairs: &[(&str, &str)]) -> Findings {
    let manifest = r#"{"metadata": {"portreeve": {"entrypoint": "data.p"}}}"#;
    let all: Vec<_> = pairs.iter().copied().chain([(".manifest", manifest)]).collect();
    match Bundle::load(&files(&all), Revision::default()) {
        Ok((_, findings)) | Err(findings) => findings,
    }
}

/// The findings for a rule of package `p`, one a line.
#[track_caller]
fn check(rule: &str, expected: &str) {
    let seen = findings(&[("p.rego", &format!("package p\n{rule}\n"))]).to_string();
    assert_eq!(seen, expected, "{rule}");
}

/// Everything is refused as unsafe at one place.
#[track_caller]
fn check_unsafe(rule: &str, column: u32, name: &str) {
    let seen = findings(&[("p.rego", &format!("package p\n{rule}\n"))]);
    let unsafe_ = seen.0.iter().find(|finding| finding.code == Some(Code::RegoUnsafeVarError));
    let unsafe_ = unsafe_.unwrap_or_else(|| panic!("{rule}: {seen}"));
    assert_eq!((unsafe_.line, unsafe_.column), (2, column), "{rule}");
    assert!(unsafe_.message.contains(&format!("`{name}`")), "{rule}: {seen}");
}

#[test]
fn an_unsafe_variable_is_refused_where_it_stands() {
    check_unsafe("allow if { input.time == y }", 26, "y");
    check_unsafe("allow if { not input.tls == z }", 29, "z");
    check_unsafe("allow if { not input.request.segments[_] == \"a\" }", 39, "_");
    check_unsafe("deny contains m if { input.time }", 15, "m");
    check_unsafe("allow := x if { input.time }", 10, "x");
    check_unsafe("allow if { count([x | y := 1; y]) == 0 }", 19, "x");
    check_unsafe("allow if { every v in xs { v > 1 } }", 23, "xs");
    check_unsafe("allow if { x := 1; x == 2 } else := x", 37, "x");
    check_unsafe("allow if { some x; x > 1 }", 20, "x");
    check_unsafe("allow if { true with input as z }", 31, "z");
}

#[test]
fn a_variable_is_not_read_before_it_is_assigned() {
    check(
        "allow if { xs := [y | some y in [1]; y > z]; z := 1; xs }",
        "p.rego:2:18: error: var `z` used before definition below",
    );
}

#[test]
fn a_variable_that_any_order_gives_a_value_is_safe() {
    for rule in [
        "allow if { x = y; y = 1; x }",
        "allow if { [a, [b, 2]] = [1, [input.time, c]]; a; b; c }",
        "allow if { {\"a\": x, \"b\": 2} = {\"a\": 1, \"b\": y}; x; y }",
        "allow if { input.request.segments[i] == \"a\"; i > 0 }",
        "allow if { f(input.request.segments[i]); i == 1 }\nf(x) := x",
        "allow if { walk(input.tls, [p, v]); v == p }",
        "allow if { some x in [1]; not x == 2 }",
        "allow if { not f(g(input.request.segments[_])) }\nf(x) := x\ng(x) := x",
        "allow if { ys = [y | some y in [1]; y == z]; z = 1; ys }",
        "allow if { every x in [1] { x == i; i = 1 } }",
        "allow if { x == 1 } else := i if { i := 1 }\nx := 1",
        "allow if { startswith(\"a\", \"b\", x); x }",
    ] {
        check(rule, "");
    }
}

#[test]
fn what_is_declared_and_never_read_is_said() {
    check("allow if { some x; true }", "p.rego:2:17: error: `x` is declared and never read");
    check(
        "allow if { every v in [1] { true } }",
        "p.rego:2:18: error: `v` is declared and never read",
    );
    check("allow if { x := 1; true }", "p.rego:2:12: warning: `x` is assigned and never read");
    check("import data.a\nallow if input.time", "p.rego:2:8: warning: the import `a` is not used");
}

#[test]
fn rules_that_contradict_each_other_are_refused() {
    check(
        "a.b := 1\na.b.c := 2\nallow if a",
        "p.rego:3:1: error: rule `data.p.a.b.c` lies inside rule `data.p.a.b`, which p.rego:2 gives a \
         value of its own",
    );
    check("a.b := 1\na[x] := 2 if some x in [\"c\"]\nallow if a", "");
    let inside =
        [("p.rego", "package p\nallow if input.time"), ("q.rego", "package p.allow\nx := 1")];
    assert_eq!(
        findings(&inside).to_string(),
        "q.rego:2:1: error: rule `data.p.allow.x` lies inside rule `data.p.allow`, which p.rego:2 \
         gives a value of its own"
    );
    check(
        "default allow := input.time",
        "p.rego:2:18: error: the default of `data.p.allow` is not a constant",
    );
    check("default allow := {\"a\": [-1, null]}\nallow := {} if input.time", "");
}

#[test]
fn imports_and_targets_that_mean_nothing_are_refused() {
    check(
        "import data.a.x\nimport data.b.x\nallow if x",
        "p.rego:3:8: error: `x` is imported in line 2 already",
    );
    check(
        "import data.a as input\nallow if input.time",
        "p.rego:2:8: error: an import may not be named `input`",
    );
    check(
        "import input.request.body.data\nallow if data.role == \"admin\"",
        "p.rego:2:8: error: an import may not be named `data`",
    );
    check(
        "import rego.v2\nallow if input.time",
        "p.rego:2:8: error: `import rego.v2` is not supported: policies are Rego v1",
    );
    check(
        "allow if { x := 1; input.time with x as 2 }",
        "p.rego:2:12: warning: `x` is assigned and never read\n\
         p.rego:2:36: error: `with` cannot replace `x`",
    );
    check(
        "allow if uri.is_valid(\"a\") with uri.is_valid as true",
        "p.rego:2:33: error: `with` cannot replace the builtin `uri.is_valid`",
    );
    check("allow if { f(1) with f as g with count as f }\nf(x) := x\ng(x) := x", "");
    check(
        "f(x) := x\nallow if f == 1",
        "p.rego:3:10: error: `data.p.f` is a function: it has a value only where it is called",
    );
}

#[test]
fn a_computed_reference_is_recursive_only_if_it_can_reach_its_rule() {
    check("a := data[x].b.c if x := \"q\"\nallow if a", "");
    check(
        "a.b := data.p.a[input.time]\nallow if a",
        "p.rego:2:1: error: rule `data.p.a.b` is recursive: data.p.a.b -> data.p.a.b",
    );
}

#[test]
fn what_is_probably_not_meant_is_a_warning() {
    check(
        "default allow := true",
        "p.rego:2:1: warning: `allow` is true by default: every request passes that no rule denies",
    );
    check("allow := true", "p.rego:2:1: warning: `allow` is true for every request");
    check("default allow := false", "");
    check(
        "allow if { print(input.time); true }",
        "p.rego:2:12: warning: `print` is left in: its output goes nowhere",
    );
    check(
        "allow if { walk(input, [_, v]); v == 1 }",
        "p.rego:2:12: warning: `walk` visits every value of the input",
    );
    check(
        "allow if regex.match(input.request.path, \"a\")",
        "p.rego:2:22: warning: the caller chooses the pattern of `regex.match`",
    );
    check("allow if regex.match(\"^a\", input.request.path)", "");
}

#[test]
fn packages_and_data_keep_to_the_roots_and_apart() {
    let module = "package p\nallow if input.time";
    let keys = |count: usize| {
        let keys: Vec<String> = (0..count).map(|n| format!("\"k{n}\": 1")).collect();
        format!("{{{}}}", keys.join(", "))
    };
    let seen = |count| findings(&[("p.rego", module), ("p/data.json", &keys(count))]).to_string();
    assert_eq!(seen(200), "");
    assert_eq!(
        seen(201),
        "p.rego:1:1: warning: each decision copies the 201 keys of `data.p`, in which package \
         `data.p` lies"
    );
    let manifest = r#"{"roots": ["q/r"], "metadata": {"portreeve": {"entrypoint": "data.p"}}}"#;
    let data = r#"{"r": {"x": 1}, "s": 1}"#;
    let all = files(&[("p.rego", module), (".manifest", manifest), ("q/data.json", data)]);
    assert_eq!(
        Bundle::load(&all, Revision::default()).unwrap_err().to_string(),
        ".manifest:1:2: error: the roots do not contain the data at `data.q.s`\n\
         p.rego:1:1: error: package `data.p` is outside the roots of `.manifest`"
    );
}
