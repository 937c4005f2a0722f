//! Hostile Rego: text that a parser cannot bear, and rules that nothing may evaluate.

use std::fmt::Write as _;

use super::corpus::{Case, bounded, loads, refused};

const FILE: &str = "p.rego";

/// A module whose one rule has this body, on line 4.
fn body(text: &str) -> String {
    format!("package authz\n\nallow if {{\n\t{text}\n}}\n")
}

fn around(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

/// The line of `around` in shorter lines, so that nesting is what is refused.
fn lines(open: &str, inner: &str, close: &str, times: usize) -> String {
    around(&format!("{open}\n"), inner, &format!("\n{close}"), times)
}

pub(super) fn nested() -> Vec<Case> {
    let nested =
        |open, inner, close, times| body(&format!("x := {}", lines(open, inner, close, times)));
    let mut functions = String::from("package authz\n\nallow if f0(1)\n");
    for n in 0..3_000 {
        let _ = writeln!(functions, "f{n}(x) := f{}(x)", n + 1);
    }
    functions.push_str("f3000(x) := x\n");
    vec![
        refused(
            "parentheses",
            FILE,
            nested("(", "1", ")", 5_000),
            "p.rego:36:1: error: `(` is nested",
        ),
        refused(
            "arrays",
            FILE,
            nested("[", "1", "]", 5_000),
            "p.rego:11:1: error: `{` and `[` are nested",
        ),
        refused(
            "sets",
            FILE,
            nested("{", "1", "}", 5_000),
            "p.rego:11:1: error: `{` and `[` are nested",
        ),
        refused(
            "objects",
            FILE,
            nested("{\"a\":", "1", "}", 5_000),
            "error: `{` and `[` are nested",
        ),
        refused(
            "arrays in one line",
            FILE,
            body(&around("[", "1", "]", 400)),
            "p.rego:4:9: error: `{` and `[`",
        ),
        refused(
            "negated arrays",
            FILE,
            nested("![", "1", "]", 5_000),
            "p.rego:11:2: error: `{` and `[`",
        ),
        refused(
            "array comprehensions",
            FILE,
            nested("[y | y := ", "1", "]", 30),
            "error: `{` and `[` are nested",
        ),
        refused(
            "set comprehensions",
            FILE,
            nested("{y | y := ", "1", "}", 30),
            "error: `{` and `[` are nested",
        ),
        refused(
            "object comprehensions",
            FILE,
            nested("{y: 1 | y := ", "1", "}", 30),
            "error: `{` and `[` are nested",
        ),
        refused(
            "every in every",
            FILE,
            body(&lines("every y in [1] {", "true", "}", 30)),
            "error: `{` and `[` are nested",
        ),
        refused(
            "calls in calls",
            FILE,
            nested("count(", "[1]", ")", 5_000),
            "error: `(` is nested",
        ),
        refused(
            "references in references",
            FILE,
            nested("input[", "1", "]", 5_000),
            "error: `{` and `[`",
        ),
        refused(
            "mixed brackets",
            FILE,
            nested("([{", "1", "}])", 2_000),
            "error: `{` and `[` are nested",
        ),
        refused(
            "unclosed arrays",
            FILE,
            format!("package authz\n\nallow if {}", "[\n".repeat(90_000)),
            "p.rego:11:1: error: `{` and `[`",
        ),
        refused(
            "a chain of minus signs",
            FILE,
            body(&format!("x := {}1", "-\n".repeat(5_000))),
            "operators and dots",
        ),
        refused("a chain of not", FILE, body(&format!("{}true", "not\n".repeat(5_000))), "p.rego:"),
        refused(
            "a chain of additions",
            FILE,
            body(&format!("x := {}1", "1 +\n".repeat(5_000))),
            "operators and dots",
        ),
        refused(
            "a chain of dots",
            FILE,
            body(&format!("x := input{}", ".\na".repeat(5_000))),
            "operators and dots",
        ),
        loads(
            "a chain of with",
            FILE,
            body(&format!("true {}", "with input as 1\n".repeat(3_000))),
        ),
        loads(
            "a chain of else",
            FILE,
            format!(
                "package authz\n\nallow if false\n{}",
                "else := true if false\n".repeat(10_000)
            ),
        ),
        refused(
            "a template string",
            FILE,
            body(&format!("x := $\"{}\"", around("{$\"", "1", "\"}", 60))),
            "p.rego:4:",
        ),
        refused("a chain of functions", FILE, functions, "nests deeper than 240"),
        refused(
            "rules that nest bodies",
            FILE,
            format!("package authz\n\n{}", lines("allow if {", "true", "}", 5_000)),
            "p.rego:",
        ),
        loads("eight arrays", FILE, body(&format!("x := {}", around("[", "1", "]", 7)))),
    ]
}

pub(super) fn costly() -> Vec<Case> {
    let loops = |n: usize| {
        let some: String = (0..n).map(|n| format!("\tsome v{n} in data.list\n")).collect();
        let sum: Vec<_> = (0..n).map(|n| format!("v{n}")).collect();
        format!("package authz\n\nallow if {{\n{some}\t{} < 0\n}}\n", sum.join(" + "))
    };
    // Small in memory, and without end for whoever descends.
    let doubled = |condition: &str| {
        let pairs = (1..40).map(|n| format!("x{n} := [x{p}, x{p}]\n", p = n - 1));
        format!(
            "package authz\n\nx0 := [1, 1]\n{}allow if {condition}\n",
            pairs.collect::<String>()
        )
    };
    let list = format!("{{\"list\": [{}1]}}", "1,".repeat(999));
    let call = |call: &str| body(&format!("x := {call}"));
    vec![
        refused("direct recursion", FILE, "package authz\n\nallow if allow\n", "p.rego:3:1: error: rule `data.authz.allow` is recursive"),
        refused("mutual recursion", FILE, "package authz\n\nallow if a\na if b\nb if a\n", "p.rego:4:1: error: rule `data.authz.a` is recursive"),
        refused("a recursive function", FILE, "package authz\n\nallow if f(1)\nf(x) := f(x + 1)\n", "p.rego:4:1: error: rule `data.authz.f` is recursive"),
        refused("mutually recursive functions", FILE, "package authz\n\nallow if f(1)\nf(x) := g(x)\ng(x) := f(x)\n", "p.rego:4:1: error: rule `data.authz.f` is recursive"),
        refused("recursion through data", FILE, "package authz\n\nallow if data[\"authz\"].allow\n", "is recursive"),
        refused("recursion through another package", FILE, "package authz\n\nallow if data.b.x\n", "is recursive").and("b.rego", "package b\n\nx if data.authz.allow\n"),
        refused("a range of a thousand million", FILE, call("count(numbers.range(1, 1e9))"), "p.rego:4:"),
        refused("a range without bounds", FILE, call("count(numbers.range(1, input.request.size))"), "p.rego:4:"),
        refused("a range in steps", FILE, call("numbers.range_step(1, 1000000000, 1)"), "p.rego:4:"),
        refused("four loops over data", FILE, loops(4), "p.rego:").and("data.json", list.clone()),
        refused("comprehensions over ranges", FILE, call("[a | some a in numbers.range(1, 10000); some b in numbers.range(1, 10000); a == b]"), "p.rego:"),
        refused("an exponential comprehension", FILE, format!("package authz\n\nx0 := [1, 2]\n{}allow if count(x29) > 0\n", (1..30).map(|n| format!("x{n} := [y | some a in x{p}; some b in x{p}; y := [a, b]]\n", p = n - 1)).collect::<String>()), "p.rego:"),
        bounded("doubling strings", FILE, format!("package authz\n\nx0 := \"xxxxxxxxxx\"\n{}allow if count(x39) > 0\n", (1..40).map(|n| format!("x{n} := concat(\"\", [x{p}, x{p}])\n", p = n - 1)).collect::<String>())),
        bounded("doubling arrays", FILE, format!("package authz\n\nx0 := [1, 1]\n{}allow if count(x39) > 0\n", (1..40).map(|n| format!("x{n} := array.concat(x{p}, x{p})\n", p = n - 1)).collect::<String>())),
        refused("doubling values compared on one path", FILE, doubled("{ input.request.path == \"/slow\"; x39 == x38 }"), "error: this may hold more than"),
        refused("a list of lists that a loop repeats", FILE, "package authz\n\nall := [v | some v in data.list]\nrows := [all | some _ in data.list]\nallow if rows[_] == input.request.path\n", "p.rego:4:9: error: this may hold more than").and("data.json", list.clone()),
        refused("json of a doubling value", FILE, doubled("count(json.marshal(x39)) > 0"), "error: this may hold more than"),
        refused("a printed doubling value", FILE, doubled("count(sprintf(\"%v\", [x39])) > 0"), "error: this may hold more than"),
        refused("YAML of a doubling value", FILE, doubled("count(yaml.marshal(x39)) > 0"), "error: this may hold more than"),
        refused("a walk of a doubling value", FILE, doubled("count([p | walk(x39, [p, _])]) > 0"), "error: this may hold more than"),
        bounded("amplifying replace", FILE, format!("package authz\n\nx0 := \"xxxxxxxxxx\"\n{}allow if count(x19) > 0\n", (1..20).map(|n| format!("x{n} := replace(x{p}, \"x\", \"xxxxxxxxxx\")\n", p = n - 1)).collect::<String>())),
        bounded("json in json", FILE, format!("package authz\n\nx0 := \"\\\\\\\"\"\n{}allow if count(x49) > 0\n", (1..50).map(|n| format!("x{n} := json.marshal(x{p})\n", p = n - 1)).collect::<String>())),
        bounded("a printed width", FILE, call("count(sprintf(\"%1000000000d\", [1]))")),
        bounded("a printed precision", FILE, call("count(sprintf(\"%.1000000000f\", [1.5]))")),
        loads("a number of a huge exponent", FILE, call("to_number(\"1e999999999\") + 1")),
        refused("a huge literal", FILE, call("1e999999999"), "p.rego:4:"),
        bounded("a shift by a huge count", FILE, call("bits.lsh(1, 10000000000)")),
        bounded("a unit of a huge number", FILE, call("units.parse_bytes(\"1e999999999Ti\")")),
        refused("repeated text", FILE, call("strings.repeat(\"x\", 1000000000)"), "p.rego:4:"),
        bounded("a count of nothing", FILE, call("strings.count(\"abc\", \"\")")),
        loads("a nested quantifier", FILE, call("regex.match(`((a{1,1000}){1,1000}){1,1000}`, input.request.path)")),
        loads("a large repetition", FILE, call("regex.match(`a{1000000000}`, input.request.path)")),
        loads("a deep regular expression", FILE, call(&format!("regex.match(`{}`, input.request.path)", around("(", "a", ")", 400)))),
        bounded("many alternatives", FILE, call("regex.match(concat(\"|\", [s | some n in numbers.range(1, 10000); s := sprintf(\"a%d{1,100}\", [n])]), input.request.path)")),
        bounded("a glob of stars", FILE, call(&format!("glob.match(\"{}\", [], input.request.path)", "*a".repeat(450)))),
        bounded("a glob of alternatives", FILE, call(&format!("glob.match(\"{}\", [], input.request.path)", "{a,b,c,{d,e}}*".repeat(60)))),
        refused("walking everything", FILE, "package authz\n\nallow if {\n\twalk(data.list, [p, v])\n\twalk(data.list, [q, w])\n\twalk(data.list, [r, z])\n\tcount(p) + count(q) + count(r) < 0\n}\n", "p.rego:").and("data.json", list),
        refused("a reachable graph", FILE, call("http.send({\"url\": \"http://a\", \"method\": \"GET\"})"), "p.rego:4:"),
    ]
}

pub(super) fn text() -> Vec<Case> {
    let rules: String = (0..30_000).map(|n| format!("r{n} := 1\n")).collect();
    let mut many = refused(
        "a hundred thousand rules",
        FILE,
        "package authz\n\nallow := true\n",
        "more than 20000 rules",
    );
    for part in 0..10 {
        let rules: String = (0..10_000).map(|n| format!("r{part}_{n} := 1\n")).collect();
        many = many.and(&format!("r{part}.rego"), format!("package authz\n\n{rules}"));
    }
    vec![
        many,
        refused(
            "rules of one file",
            FILE,
            format!("package authz\n\n{rules}"),
            "p.rego:20001:1: error: the file has more than 20000 lines",
        ),
        refused(
            "one long line",
            FILE,
            format!("package authz\n\nallow := \"{}\"\n", "x".repeat(100_000)),
            "p.rego:3:8193: error: the line is longer",
        ),
        refused(
            "two megabytes",
            FILE,
            format!("package authz\n# {}\n", "x\n# ".repeat(600_000)),
            "p.rego: error: the file is larger",
        ),
        refused(
            "a rule behind a NUL",
            FILE,
            "package authz\n\nallow := false\n\0deny := true\n",
            "p.rego:4:1: error: the control character `\\0`",
        ),
        refused(
            "invalid UTF-8",
            FILE,
            b"package authz\n\nallow := \"\xff\xfe\"\n".to_vec(),
            "p.rego:3:11: error: the file is not UTF-8",
        ),
        refused(
            "a byte order mark",
            FILE,
            "\u{feff}package authz\n\nallow := true\n",
            "p.rego:1:1: error: ",
        ),
        refused(
            "text turned round",
            FILE,
            "package authz\n\nallow if { # \u{202e} if only\n\ttrue\n}\n",
            "p.rego:3:14: error: ",
        ),
        refused(
            "an escape sequence",
            FILE,
            "package authz\n\n# \u{1b}[2J\nallow := true\n",
            "p.rego:3:3: error: the control character",
        ),
        refused(
            "Windows-1252",
            FILE,
            b"package authz\n\n# caf\xe9\nallow := true\n".to_vec(),
            "p.rego:3:6: error: the file is not UTF-8",
        ),
        refused("an empty file", FILE, "", "p.rego:1:1: error: "),
        refused(
            "a long package path",
            FILE,
            format!(
                "package {}\n\nallow := true\n",
                (0..200).map(|n| format!("a{n}")).collect::<Vec<_>>().join(".")
            ),
            "p.rego:1:",
        ),
        loads(
            "a zero width space in a comment",
            FILE,
            "package authz\n\n# a\u{200b}b\nallow := true\n",
        ),
    ]
}
