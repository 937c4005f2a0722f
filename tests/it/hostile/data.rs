//! Hostile data and manifests.

use std::fmt::Write as _;

use super::corpus::{Case, loads, refused};

const POLICY: &str = "package authz\n\nallow := true\n";

/// A data file beside a policy that is good.
fn bad(name: &'static str, file: &str, content: impl Into<Vec<u8>>, text: &'static str) -> Case {
    refused(name, file, content, text).and("p.rego", POLICY)
}

pub(super) fn cases() -> Vec<Case> {
    let deep = |n: usize| format!("{{\"a\": {}{}}}", "[".repeat(n), "]".repeat(n));
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for n in 1..12 {
        let _ = writeln!(laughs, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 9].join(", "));
    }
    let many: String = (0..1_100_000).map(|n| format!("\"k{n}\":1,")).collect();
    vec![
        bad("deep data", "data.json", deep(100_000), "data.json:1:1"),
        bad(
            "deep objects",
            "data.json",
            format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000)),
            "data.json:1:",
        ),
        bad(
            "deep YAML in brackets",
            "data.yaml",
            format!("a: {}{}\n", "[".repeat(50_000), "]".repeat(50_000)),
            "data.yaml:",
        ),
        bad(
            "deep YAML in lines",
            "data.yaml",
            (0..3_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>(),
            "data.yaml:",
        ),
        bad(
            "deep YAML of dashes",
            "data.yaml",
            format!("a:\n {}1\n", "- ".repeat(20_000)),
            "data.yaml:",
        ),
        bad("a million laughs", "data.yaml", laughs, "data.yaml:"),
        bad("an alias of itself", "data.yaml", "a: &a [*a]\n", "data.yaml:1:"),
        bad(
            "a key twice in YAML",
            "data.yaml",
            "a: 1\nb: 2\na: 3\n",
            "data.yaml:3:1: error: the key `a` stands twice",
        ),
        bad("a key twice in JSON", "data.json", "{\n  \"a\": 1,\n  \"a\": 2\n}", "data.json:3:"),
        bad("a key twice below", "data.json", "{\"x\": [{\"a\": 1, \"a\": 2}]}", "data.json:1:"),
        bad(
            "a key that is no string",
            "data.yaml",
            "a: {1: b}\n",
            "data.yaml:1:5: error: the key `1` is not a string",
        ),
        bad("data that is no object", "data.json", "[1]", "data.json:1:1: error: "),
        bad("cut data", "data.json", "{\"a\": ", "data.json:1:"),
        bad("data behind data", "data.json", "{} {}", "data.json:1:4: error: "),
        bad("a byte order mark in data", "data.json", "\u{feff}{}", "data.json:1:1: error: "),
        bad(
            "data that is not UTF-8",
            "data.json",
            b"{\n\"a\": \"\xff\"}".to_vec(),
            "data.json:2:7: error: the file is not UTF-8",
        ),
        bad(
            "a number of a huge exponent in data",
            "data.json",
            "{\"a\": 1e999999999}",
            "data.json:1:",
        ),
        bad("too many keys", "data.json", format!("{{{many}\"z\":1}}"), "data.json:1:"),
        bad(
            "data in the place of a rule",
            "data.json",
            "{\"authz\": {\"allow\": true}}",
            "p.rego:3:1: error: `data.json` has data at `data.authz.allow`",
        ),
        bad(
            "data in the place of a package",
            "data.json",
            "{\"authz\": true}",
            "p.rego:3:1: error: `data.json` has data at `data.authz`",
        ),
        bad(
            "two files in one place",
            "data.json",
            "{\"a\": {\"b\": 1}}",
            "data.json:1:8: error: `data.a.b` is also set by `a/data.json`",
        )
        .and("a/data.json", "{\"b\": 2}"),
        bad("a file of seventeen megabytes", "data.json", vec![b' '; 17 << 20], "data.json"),
        bad("a deep manifest", ".manifest", deep(10_000), ".manifest:1:"),
        bad(
            "a key twice in the manifest",
            ".manifest",
            "{\"metadata\": {},\n\"metadata\": {}}",
            ".manifest:2:",
        ),
        bad(
            "a large manifest",
            ".manifest",
            format!("{{\"a\": \"{}\"}}", "x".repeat(100_000)),
            ".manifest: error: the file is larger",
        ),
        bad(
            "a manifest that names no package",
            ".manifest",
            "{\"metadata\": {\"portreeve\": {\"entrypoint\": \"a b\"}}}",
            ".manifest:1:29: error: entry point",
        ),
        bad(
            "a long path",
            &format!("{}/data.json", vec!["a".repeat(60); 12].join("/")),
            "{}",
            "is not a plain relative path",
        ),
        loads(
            "a plain large data file",
            "data.json",
            format!("{{\"l\": [{}1]}}", "1,".repeat(20_000)),
        )
        .and("p.rego", POLICY),
    ]
}
