//! What is watched means what it meant.

use serde_json::json;

use super::super::rules::Rules;
use super::super::{Findings, load, rules};
use super::*;
use crate::policy::Files;

fn rules_of(module: &str) -> Rules {
    let mut files = Files::default();
    files.insert("p.rego", module.as_bytes().to_vec()).unwrap();
    let mut findings = Findings::default();
    let limit = std::time::Duration::from_secs(1);
    load::load(&files, load::Modules::Served, limit, &mut findings)
        .unwrap_or_else(|| panic!("{findings}"))
        .rules
}

/// The text of a module with what watches it, shortened.
#[track_caller]
fn check(module: &str, expected: &str) {
    let module = format!("package p\n{module}");
    let rules = rules_of(&module);
    let watch = watch::watch(&rules, &Taint::of(&rules, false));
    let text = &watch.texts["p.rego"];
    let text = text.replace(edits::SAW, "saw").replace(edits::AT, "at").replace(edits::IS, "is");
    assert_eq!(text.strip_prefix("package p\n").unwrap(), expected);
    assert_eq!(text.lines().count(), module.lines().count());
    let _ = (json!({}), rules::package_of);
}

#[test]
fn statements_and_operands_are_wrapped_where_they_stand() {
    check(
        "allow if input.a == \"b\"",
        "allow if { at(0); saw(at(1),saw(at(2),input.a) == \"b\") }",
    );
    check(
        "allow if {\n\tx := f(input.a)\n\tnot x in {\"b\"}\n}\nf(y) := concat(y, [\"c\"])",
        "allow if {\n\tat(0); x := saw(at(1),f(saw(at(2),input.a)))\n\tnot saw(at(3),(saw(at(4),x) \
         in {\"b\"}))\n}\nf(y) := saw(at(5),concat(saw(at(6),y), [\"c\"]))",
    );
    check(
        "allow if {\n\tsome k, v in input.o # c\n\tinput.a = `b`\n}",
        "allow if {\n\tat(0); some k, v in saw(at(1),input.o); is(2, k); is(3, v) # c\n\t\
         saw(at(4),saw(at(5),input.a) == `b`)\n}",
    );
}

#[test]
fn literals_and_calls_that_bind_stay_as_they_are() {
    check("allow := true", "allow := true");
    check(
        "allow if { walk(input, [p, v]); v == 1 }",
        "allow if { at(0); walk(input, [p, v]); is(1, p); is(2, v); saw(at(3),saw(at(4),v) == 1) }",
    );
}
