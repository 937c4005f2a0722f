//! Hostile Cedar: the parser, the validator and the drop of a tree recurse without a guard.

use super::corpus::{Case, loads, refused};

const FILE: &str = "p.cedar";
const GOOD: &str = "permit(principal, action, resource);\n";

/// A policy with this condition, which begins on line 2.
fn when(condition: &str) -> String {
    format!("permit(principal, action, resource) when {{\n{condition}\n}};\n")
}

fn around(open: &str, inner: &str, close: &str, times: usize) -> String {
    when(&format!("{}{inner}{}", open.repeat(times), close.repeat(times)))
}

pub(super) fn policies() -> Vec<Case> {
    let deep = "error: brackets and `if`s nest deeper than 64";
    let many = |policy: &str, count: usize| policy.repeat(count);
    vec![
        refused(
            "Cedar parentheses",
            FILE,
            around("(", "true", ")", 5_000),
            "p.cedar:2:64: error: brackets",
        ),
        refused("Cedar sets", FILE, around("[", "1", "]", 5_000), "p.cedar:2:64: error: brackets"),
        refused("Cedar records", FILE, around("{a: ", "1", "}", 5_000), deep),
        refused("Cedar negated parentheses", FILE, around("!(", "true", ")", 5_000), deep),
        refused(
            "Cedar conditions",
            FILE,
            around("if true then (", "true", ") else false", 3_000),
            deep,
        ),
        refused(
            "Cedar conditions one after another",
            FILE,
            when(&format!("{}true", "if true then true else ".repeat(2_000))),
            deep,
        ),
        refused(
            "Cedar has in has",
            FILE,
            around("context.headers.hasTag(", "\"a\"", ")", 3_000),
            "p.cedar:2:",
        ),
        refused(
            "Cedar minus signs",
            FILE,
            when(&format!("{}1 == 1", "-".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar exclamation marks",
            FILE,
            when(&format!("{}true", "!".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar additions",
            FILE,
            when(&format!("{}1 == 1", "1+".repeat(100_000))),
            "p.cedar:2:102: error: one expression has more",
        ),
        refused(
            "Cedar multiplications",
            FILE,
            when(&format!("{}1 == 1", "1*".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar dots",
            FILE,
            when(&format!("context{} == 1", ".a".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar ands",
            FILE,
            when(&format!("{}true", "true && ".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar ors",
            FILE,
            when(&format!("{}true", "false || ".repeat(100_000))),
            "p.cedar:2:",
        ),
        refused(
            "Cedar ors over lines",
            FILE,
            when(&format!("{}true", "false ||\n".repeat(100_000))),
            "p.cedar:102:",
        ),
        loads(
            "Cedar clauses",
            FILE,
            format!("permit(principal, action, resource) {};\n", "when { true }\n".repeat(4_000)),
        ),
        refused(
            "Cedar indexes",
            FILE,
            when(&format!("context{} == 1", "[\"a\"]".repeat(10_000))),
            "p.cedar:2:",
        ),
        refused(
            "a huge Cedar set",
            FILE,
            when(&format!("[{}1].contains(1)", "1,".repeat(200_000))),
            "p.cedar:",
        ),
        refused(
            "a huge Cedar string",
            FILE,
            when(&format!("context.path like \"{}\"", "*a".repeat(100_000))),
            "p.cedar:",
        ),
        refused(
            "Cedar stars",
            FILE,
            when(&format!("context.path like \"{}\"", "*a".repeat(30_000))),
            "p.cedar:",
        ),
        refused("a hundred thousand Cedar policies", FILE, many(GOOD, 100_000), "p.cedar"),
        refused(
            "a hundred thousand annotations",
            FILE,
            format!(
                "{}{GOOD}",
                (0..100_000).map(|n| format!("@a{n}(\"x\")\n")).collect::<String>()
            ),
            "p.cedar:",
        ),
        refused(
            "two Cedar policies of one id",
            FILE,
            format!("@id(\"a\")\n{GOOD}@id(\"a\")\n{GOOD}"),
            "p.cedar:3:1: error: the id `a` is taken by p.cedar:1",
        ),
        refused(
            "one annotation twice",
            FILE,
            format!("@id(\"a\")\n@id(\"b\")\n{GOOD}"),
            "p.cedar:",
        ),
        loads("a Cedar overflow", FILE, when("9223372036854775807 + 1 == 0")),
        refused("an integer beyond Cedar", FILE, when("99999999999999999999 == 0"), "p.cedar:2:"),
        refused("an unclosed Cedar string", FILE, when("\"a"), "p.cedar:"),
        refused(
            "Cedar that is not UTF-8",
            FILE,
            b"// caf\xe9\npermit(principal, action, resource);\n".to_vec(),
            "p.cedar:1:7: error: the file is not UTF-8",
        ),
        refused("a NUL in Cedar", FILE, format!("{GOOD}\0{GOOD}"), "p.cedar:2:1: error: "),
        refused(
            "a byte order mark in Cedar",
            FILE,
            format!("\u{feff}{GOOD}"),
            "p.cedar:1:1: error: ",
        ),
        refused(
            "Cedar turned round",
            FILE,
            format!("// \u{202e} forbid\n{GOOD}"),
            "p.cedar:1:4: error: ",
        ),
        loads("Cedar sixty deep", FILE, around("(", "true", ")", 60)),
    ]
}

pub(super) fn data() -> Vec<Case> {
    let schema = |text: String, place| refused("", "s.cedarschema", text, place).and(FILE, GOOD);
    let named = |name, case: Case| Case { name, ..case };
    let group = |n: usize, parent: usize| {
        format!(
            r#"{{"uid":{{"type":"Group","id":"g{n}"}},"attrs":{{}},"parents":[{{"type":"Group","id":"g{parent}"}}]}}"#
        )
    };
    let groups = |list: Vec<String>| format!("[{}]", list.join(",\n"));
    let entities =
        |name, text: String, place| refused(name, "entities.json", text, place).and(FILE, GOOD);
    let template = "@id(\"t\")\npermit(principal == ?principal, action, resource);\n";
    let link = |n: usize| {
        format!(
            r#"{{"template_id":"t","link_id":"l{n}","args":{{"?principal":"Workload::\"spiffe://td/w{n}\""}}}}"#
        )
    };
    vec![
        named("deep schema records", schema(format!("entity A = {}Long{};\n", "{a: ".repeat(20_000), "}".repeat(20_000)), "s.cedarschema:1:")),
        named("deep schema sets", schema(format!("entity A = {{a: {}Long{}}};\n", "Set<".repeat(20_000), ">".repeat(20_000)), "s.cedarschema:1:")),
        named("a large schema", schema("entity A;\n".repeat(60_000), "s.cedarschema: error: the file is larger")),
        named("a schema of itself", schema("type A = A;\nentity B = {a: A};\n".to_owned(), "s.cedarschema:")),
        named("schema types in a circle", schema("type A = {b: B};\ntype B = {a: A};\nentity C = {a: A};\n".to_owned(), "s.cedarschema:")),
        named("a chain of schema types", schema((0..500).map(|n| format!("type T{n} = {{a: T{}}};\n", n + 1)).collect::<String>() + "type T500 = Long;\n", "s.cedarschema:")),
        named("doubling schema types", schema((0..60).map(|n| format!("type T{n} = {{a: T{m}, b: T{m}}};\n", m = n + 1)).collect::<String>() + "type T60 = Long;\nentity E = {t: T0};\n", "s.cedarschema:")),
        named("a schema that takes our names", schema("entity Workload;\n".to_owned(), "s.cedarschema:1:")),
        entities("deep entities", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "entities.json:1:"),
        entities("groups in a circle", groups(vec![group(0, 1), group(1, 0)]), "entities.json:"),
        entities("a group in itself", groups(vec![group(0, 0)]), "entities.json:"),
        entities("a deep hierarchy", groups((0..2_000).map(|n| group(n, n + 1)).collect()), "entities.json"),
        entities("too many entities", groups((0..20_000).map(|n| group(n, 0)).collect()), "entities.json"),
        entities("one entity twice", groups(vec![group(1, 2), group(1, 3)]), "entities.json:"),
        entities("a key twice in an entity", "[{\"uid\":{\"type\":\"Group\",\"id\":\"a\"},\n\"attrs\":{},\"attrs\":{},\"parents\":[]}]".to_owned(), "entities.json:2:"),
        refused("a bomb of template links", "templates.json", groups((0..20_000).map(link).collect()), "templates.json").and(FILE, template),
        refused("deep template links", "templates.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "templates.json:1:").and(FILE, template),
        refused("a link of no template", "templates.json", groups(vec![link(1)]), "templates.json:1:2: error: ").and(FILE, GOOD),
    ]
}
