//! What two ways to write a rule have in common, and what tells two rules apart.

use super::super::super::item::{Item, ItemKind};
use super::super::super::{Files, Findings};
use super::super::Policies;

fn items(list: &[(&str, &str)]) -> Vec<Item> {
    let mut files = Files::default();
    for (file, text) in list {
        files.insert(file, text.as_bytes().to_vec()).unwrap();
    }
    let mut findings = Findings::default();
    let policies = Policies::load(&files, "data.authz", &mut findings);
    policies.unwrap_or_else(|| panic!("{findings}")).items(&files)
}

/// The meanings of all rules, of which one is a module of `data.lib`.
fn meanings(module: &str) -> Vec<(String, String)> {
    let lib = "package lib\n\nnames := {\"a\", \"b\"}\n\nother := {\"c\"}\n\nf(x) := x\n";
    let items = items(&[("lib.rego", lib), ("a.rego", module)]);
    let of_module = items.into_iter().filter(|item| item.file == "a.rego");
    let mut all: Vec<_> =
        of_module.map(|item| (item.name, item.aspects[0].meaning.clone())).collect();
    all.sort();
    all
}

#[track_caller]
fn check_same(a: &str, b: &str) {
    assert_eq!(meanings(a), meanings(b));
}

#[track_caller]
fn check_different(a: &str, b: &str) {
    assert_ne!(meanings(a), meanings(b));
}

#[test]
fn layout_comments_and_order_mean_nothing() {
    check_same(
        "package authz\n\nallow if {\n\t# why\n\tinput.request.method == \"GET\"\n\tx := 1; x > 0\n}\n",
        "package authz\n# other\nallow := true if {\n  (input.request.method == `GET`)\n  x := 1\n  x > 0 }\n",
    );
    check_same(
        "package authz\nallow if f(1)\nf(x) if x == 1\nf(x) if x == 2\n",
        "package authz\nf(x) if x == 2\nf(x) if x == 1\nallow if f(1)\n",
    );
    check_same(
        "package authz\nallow if input.request.method in {\"GET\", \"HEAD\"}\n",
        "package authz\nallow if input[\"request\"].method in {\"HEAD\", \"GET\"}\n",
    );
}

#[test]
fn an_import_is_what_it_stands_for() {
    check_same(
        "package authz\nimport data.lib.names\nallow if input.source.spiffe_id in names\n",
        "package authz\nimport data.lib.names as ids\nimport rego.v1\n\
         allow if input.source.spiffe_id in ids\n",
    );
    check_same(
        "package authz\nimport input.request as r\nallow if r.method == \"GET\"\n",
        "package authz\nallow if input.request.method == \"GET\"\n",
    );
    check_different(
        "package authz\nimport data.lib.names\nallow if input.source.spiffe_id in names\n",
        "package authz\nimport data.lib.other as names\nallow if input.source.spiffe_id in names\n",
    );
}

#[test]
fn a_change_of_meaning_is_a_change_of_text() {
    let base = "package authz\ndefault allow := false\nallow if input.request.method == \"GET\"\n";
    for (from, to) in [
        ("\"GET\"", "\"PUT\""),
        ("== \"GET\"", "!= \"GET\""),
        ("if input", "if not input"),
        (":= false", ":= true"),
        (".method", ".path"),
        ("\"GET\"\n", "\"GET\"\nelse := true if input.request.path == \"/\"\n"),
    ] {
        check_different(base, &base.replace(from, to));
    }
    check_different(
        "package authz\nallow if every x in input.request.segments { x == \"a\" }\n",
        "package authz\nallow if { some x in input.request.segments; x == \"a\" }\n",
    );
    check_different(
        "package authz\nallow if f(\"a\")\nf(x) := x == \"a\"\n",
        "package authz\nallow if f(\"a\")\nf(x) := x == \"b\"\n",
    );
}

#[test]
fn a_helper_says_which_entry_rules_it_reaches() {
    let module = "package authz\nallow if is_read\ndeny contains \"x\" if is_late\n\
                  is_read if method == \"GET\"\nmethod := input.request.method\n\
                  is_late if input.request.path == \"/late\"\nunused := 1\n";
    let items = items(&[("a.rego", module)]);
    let reaches = |name: &str| {
        let item = items.iter().find(|item| item.name == format!("data.authz.{name}"));
        item.unwrap().reaches.join(" ")
    };
    assert_eq!(reaches("method"), "data.authz.allow");
    assert_eq!(reaches("is_late"), "data.authz.deny");
    assert_eq!(reaches("allow"), "");
    assert_eq!(reaches("unused"), "");
}

#[test]
fn data_is_listed_value_by_value_with_its_place() {
    let items = items(&[
        ("a.rego", "package authz\nallow if data.shop.a\n"),
        ("shop/data.json", "{\n \"a\": true,\n \"b\": {\"c d\": [1,\n 2], \"e\": {}}}"),
        ("data.yaml", "z:\n  y: 1\n"),
    ]);
    let reaches = |name: &str| {
        let item = items.iter().find(|item| item.name == name).unwrap();
        item.reaches.join(" ")
    };
    assert_eq!(reaches("data.shop.a"), "data.authz.allow");
    assert_eq!(reaches("data.shop.b.e"), "");
    let data = items.iter().filter(|item| item.kind == ItemKind::Data);
    let seen: Vec<String> = data
        .map(|item| {
            let (meaning, name) = (&item.aspects[0].meaning, &item.name);
            format!("{}:{} {name} {meaning}", item.file, item.line)
        })
        .collect();
    assert_eq!(
        seen,
        [
            "shop/data.json:2 data.shop.a true",
            "shop/data.json:3 data.shop.b[\"c d\"] [1,2]",
            "shop/data.json:4 data.shop.b.e {}",
            "data.yaml:2 data.z.y 1",
        ]
    );
}
