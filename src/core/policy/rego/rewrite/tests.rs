use super::super::super::Findings;
use super::*;

#[track_caller]
fn check(text: &str, expected: &str) {
    let rewritten = rewrite(text);
    let lines = |text: &str| text.matches('\n').count();
    if let Some(rewritten) = &rewritten {
        assert_eq!(lines(text), lines(&rewritten.text), "lines stay what they were");
    }
    assert_eq!(rewritten.map_or_else(|| text.to_owned(), |rewritten| rewritten.text), expected);
}

#[test]
fn a_template_string_becomes_a_call() {
    check(
        r#"x := $"a {b} \{c} {"d}"}""#,
        "x := internal.template_string([\"a \", {__template_value_0__ | __template_value_0__ := b}, \
         \" {c} \", {__template_value_1__ | __template_value_1__ := \"d}\"}, \"\"])",
    );
    check("x := $`a\n\\b`", "x := internal.template_string([`a\n\\b`])");
}

#[test]
fn what_only_looks_like_a_template_string_stays() {
    for text in ["x := \"$\"\ny := \"b\"", "# $\"{a}\"\nx := 1", "x := `$\"{a}\"`", "x := \"\\$`\""]
    {
        check(text, text);
    }
}

#[test]
fn an_open_template_string_is_left_for_the_parser() {
    let cases = ["x := $\"a", "x := $\"{", "x := $\"{\"", "x := $`{a", "x := $\"a\n\"", "x := $"];
    for text in cases.map(|text| format!("package p\n{text}")) {
        let parsed = rewrite(&text).map_or(text, |rewritten| rewritten.text);
        let mut engine = regorus::Engine::new();
        assert!(engine.add_policy("p.rego".to_owned(), parsed.clone()).is_err(), "{parsed}");
    }
}

#[test]
fn a_result_as_argument_of_ours_becomes_an_equation() {
    check("p if { net.cidr_merge(x, y); y }", "p if { y = net.cidr_merge(x); y }");
    check("p if {\n\turi.parse(x,\n\t\ty)\n}", "p if {\n\ty = uri.parse(x\n)\n}");
    check("[y | uri.parse(f(x, z), y)]", "[y | y = uri.parse(f(x, z))]");
    check("p if uri.parse(x, y,)", "p if y = uri.parse(x)");
    check("p if {\n\turi.parse(x, y,\n\t)\n}", "p if {\n\ty = uri.parse(x\n)\n}");
    check("p if uri.parse(x,)", "p if uri.parse(x,)");
    check("p if uri.parse(x, y, z,)", "p if uri.parse(x, y, z,)");
    check("p if not uri.is_valid(x, false)", "p if not false = uri.is_valid(x)");
    check("uri.parse(x, y) with input as 1", "y = uri.parse(x) with input as 1");
}

#[test]
fn a_call_that_is_no_statement_or_not_ours_alone_stays() {
    for text in [
        "x := uri.parse(a, b)",
        "p if f(uri.parse(a, b))",
        "p if uri.parse(a, b) == 1",
        "p if uri.parse(a)",
        "p if uri.parse(a, b, c)",
        "p if { net.cidr_contains(a, b, c) }",
        "p if { myuri.parse(a, b) }",
        "p if { data.uri.parse(a, b) }",
        "# uri.parse(a, b)\nx := \"uri.parse(a, b)\"",
    ] {
        check(text, text);
    }
}

#[test]
fn columns_lead_back_to_the_file() {
    let rewritten = rewrite("x := $\"{q}\" + )\ny").unwrap();
    let line = rewritten.text.lines().next().unwrap();
    let column = |c| u32::try_from(line.rfind(c).unwrap() + 1).unwrap();
    assert_eq!(rewritten.column(1, column('q')), 9);
    assert_eq!(rewritten.column(1, column('+')), 13);
    assert_eq!(rewritten.column(1, column(')')), 15);
    assert_eq!(rewritten.column(2, 1), 1);
}

#[test]
fn nesting_inside_template_strings_is_nesting() {
    let deep = |levels: usize| {
        let mut findings = Findings::default();
        let text = format!("x := $\"{{{}1{}}}\"", "[".repeat(levels), "]".repeat(levels));
        Sources::default().parsed("p.rego", &text, &mut findings);
        findings.to_string()
    };
    assert_eq!(deep(6), "");
    assert!(deep(7).contains("nested deeper than 8 levels"), "{}", deep(7));
    let mut findings = Findings::default();
    let text = format!("x := {}1{}", "$\"{".repeat(20), "}\"".repeat(20));
    Sources::default().parsed("p.rego", &text, &mut findings);
    assert!(findings.to_string().contains("nested deeper"), "{findings}");
}

#[test]
fn a_column_is_one_of_characters_whatever_stands_before_it() {
    for (line, column, expected) in [
        ("allow if x", 10, 10),
        ("\tnot f(y)", 9, 6),
        ("\t\tx", 9, 3),
        ("\"über\" == y", 11, 10),
        ("x", 0, 0),
        ("x", 9, 2),
    ] {
        assert_eq!(in_characters(line, column), expected, "{line:?} {column}");
    }
}
