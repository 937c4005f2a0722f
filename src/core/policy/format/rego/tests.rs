//! One construct a case, beside what the real `opa fmt` writes: `conformance/opa/fmt` asks it again.

use super::super::format;

const CASES: &str = include_str!("cases.txt");

#[track_caller]
fn check(input: &str, expected: &str) {
    let formatted = format("a.rego", input.as_bytes()).map_err(|findings| findings.to_string());
    assert_eq!(formatted.as_deref(), Ok(expected), "of:\n{input}");
    assert_eq!(format("a.rego", expected.as_bytes()).as_deref(), Ok(expected), "again");
}

#[track_caller]
fn check_refused(input: &str, expected: &str) {
    let findings = format("a.rego", input.as_bytes()).unwrap_err();
    assert_eq!(findings.to_string(), expected);
}

#[test]
fn every_construct_is_written_as_opa_writes_it() {
    let mut cases = 0;
    for case in CASES.split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').unwrap();
        let (input, expected) = rest.split_once("--- opa fmt\n").unwrap();
        let formatted = format("a.rego", input.as_bytes()).map_err(|findings| findings.to_string());
        assert_eq!(formatted.as_deref(), Ok(expected), "{name}");
        let again = format("a.rego", expected.as_bytes()).map_err(|findings| findings.to_string());
        assert_eq!(again.as_deref(), Ok(expected), "{name}, formatted again");
        cases += 1;
    }
    assert!(cases >= 60, "{cases}");
}

#[test]
fn carriage_returns_go() {
    check(
        "package a\r\n\r\nx if {\r\n  input.y # one\r\n}\r\n",
        "package a\n\nx if {\n\tinput.y # one\n}\n",
    );
}

#[test]
fn what_the_engine_does_not_parse_is_refused_at_its_place() {
    check_refused(
        "package a\n\nallow { input.x }\n",
        "a.rego:3:7: error: this is Rego v0 syntax: rules need `if` and `contains`",
    );
    let nested = format!("package a\n\nx := {}1{}\n", "[".repeat(9), "]".repeat(9));
    check_refused(&nested, "a.rego:3:14: error: `{` and `[` are nested deeper than 8 levels");
    assert!(format("a.rego", b"package a\n\nx if {\n").is_err());
    assert!(format("a.rego", b"").is_err());
}

/// OPA moves the last comment of such a rule behind it, and loses or joins the others.
#[test]
fn comments_stay_with_their_rule_where_opa_moves_them() {
    let text = "package a\n\ndeny contains x if {\n\tx := input.y[_]\n\t# not z\n} # all\n";
    check(text, text);
    check(
        "package a\nx := { # one\n # two\n \"a\": 1,\n \"b\": 2}\n",
        "package a\n\nx := {\n\t# one\n\t# two\n\t\"a\": 1,\n\t\"b\": 2,\n}\n",
    );
    let text = "package a\n\nq[ # one\n  k\n] := v if { # two\n  v := input.b[k]\n}\n";
    check(text, text);
}

/// Precedence: `(x in y) == true` means something else without its parentheses.
#[test]
fn parentheses_that_say_something_stay() {
    check(
        "package a\nx if (1 in input.y) == false\n",
        "package a\n\nx if (1 in input.y) == false\n",
    );
    check("package a\nx := - input.y\n", "package a\n\nx := -input.y\n");
}
