//! What is watched means what it meant.

use std::time::Duration;

use serde_json::json;

use super::super::Findings;
use super::super::load;
use super::*;
use crate::policy::explanation::{Detail, Masks};
use crate::policy::{Files, overrun};
use crate::request::AccessRequest;

fn files(module: &str) -> Files {
    let mut files = Files::default();
    files.insert("p.rego", format!("package p\n{module}").into_bytes()).unwrap();
    files.insert("data.json", br#"{"l": [3, 1, 2], "o": {"a": "GET"}}"#.to_vec()).unwrap();
    files
}

/// The text of a module with what watches it, shortened.
#[track_caller]
fn check(module: &str, expected: &str) {
    let mut findings = Findings::default();
    let limit = Duration::from_secs(1);
    let loaded = load::load(&files(module), load::Modules::Served, limit, &mut findings);
    let rules = loaded.unwrap_or_else(|| panic!("{findings}")).rules;
    let watch = watch::watch(&rules, &Taint::of(&rules, false));
    let text = watch.texts.into_values().next().unwrap();
    let text = text.replace(edits::SAW, "saw").replace(edits::AT, "at").replace(edits::IS, "is");
    assert_eq!(text.strip_prefix("package p\n").unwrap(), expected);
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

/// Whether each definition of `allow` holds, by the interpreter alone and by the explanation.
#[track_caller]
fn agrees(definitions: &[&str]) {
    let mut findings = Findings::default();
    let policies = Policies::load(&files(&definitions.join("\n")), "p", &mut findings)
        .unwrap_or_else(|| panic!("{findings}"));
    let mut held = [0, 0];
    for (method, path) in [("GET", "/a/b"), ("POST", "/a"), ("PUT", "/x/y/z"), ("GET", "/")] {
        let description = json!({"source": "spiffe://td/web", "method": method, "path": path});
        let request = AccessRequest::described(&description).unwrap();
        let decision = overrun(&request); // names no policy
        let masks = Masks::of(&request);
        let detail = Detail::Full;
        let asked = Asked { request: &request, decision: &decision, detail, masks: &masks };
        let nodes = policies.explain(asked);
        let explained: Vec<(u32, bool)> = nodes[0]
            .children
            .iter()
            .map(|node| (node.place.as_ref().unwrap().line, node.result == Truth::True))
            .collect();
        let mut engine = policies.engine.clone();
        engine.set_input(input::document(&request, policies.reads));
        let alone: Vec<(u32, bool)> = policies
            .rules
            .at(&policies.entry.allow.path)
            .iter()
            .map(|definition| {
                let rule = &definition.rule;
                let data = engine.eval_rule_in_module(&definition.module, rule, false).unwrap();
                (definition.line, data["p"]["allow"] != Value::Undefined)
            })
            .collect();
        assert_eq!(explained, alone, "{method} {path}: {nodes:#?}");
        alone.iter().for_each(|(_, holds)| held[usize::from(*holds)] += 1);
    }
    assert!(held[0] > 0 && held[1] > 0, "{held:?}");
}

#[test]
fn each_definition_holds_where_the_interpreter_says_so_of_it_alone() {
    agrees(&[
        "allow if input.request.method == \"GET\"",
        "allow if { some s in input.request.segments; s == \"a\" }",
        "allow if { every s in input.request.segments { some t in [\"a\", \"b\"]; s == t } }",
        "allow if not f(input.request.path)",
        "allow if { [x, _] = input.request.segments; x == \"a\" }",
        "allow if { x = input.request.method; \"PUT\" = x }",
        "allow if { input.request.method = \"POST\"; not g }",
        "allow if { data.o[k] == input.request.method; k == \"a\" }",
        "allow if { some i; input.request.segments[i] == \"b\"; i > 0 }",
        "allow if { some i, s in input.request.segments; data.l[i] == 3; s == \"x\" }",
        "allow if { walk(input.request.segments, [_, v]); v == \"z\" }",
        "allow if { split(input.request.path, \"/\", parts); count(parts) == 3 }",
        "allow if { count({s | some s in input.request.segments; f(s)}) == 1 }",
        "allow if { y := [s | some s in input.request.segments]; y[1] == \"y\" }",
        "allow if input.request.method in {\"PUT\", \"POST\"}",
        "allow if 0, \"a\" in input.request.segments",
        "allow if g with input.request.method as \"POST\"",
        "allow if { not input.request.headers.x; g }",
        "allow if (count(input.request.segments) + 1) * 2 > 7",
        "allow if { some x in input.request.segments; some y in input.request.segments; x != y }",
        "f(p) if startswith(p, \"/a\")\nf(p) if p == \"b\"\ng if input.request.method == \"POST\"",
    ]);
}
