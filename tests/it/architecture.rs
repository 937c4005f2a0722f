//! Who may import whom. The table is the architecture: an import that is not in it fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Stage → the stages that it may import. `commands` wires everything and may import all.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("clock", &[]),
    (
        "config",
        &[
            "admin",
            "audit",
            "forward",
            "http",
            "identity",
            "listen",
            "loader",
            "store",
            "telemetry",
            "tls",
        ],
    ),
    ("listen", &["audit", "connections", "forward", "http", "identity", "telemetry", "tls"]),
    ("tls", &["clock", "identity"]),
    ("identity", &["clock"]),
    ("connections", &[]),
    (
        "http",
        &[
            "audit",
            "clock",
            "connections",
            "evaluation",
            "forward",
            "identity",
            "store",
            "telemetry",
        ],
    ),
    ("evaluation", &[]),
    ("forward", &["audit", "clock", "tls"]),
    ("audit", &["clock"]),
    ("store", &["clock", "loader"]),
    ("loader", &[]),
    ("admin", &["identity"]),
    ("telemetry", &[]),
    ("dev", &["clock", "identity"]),
    ("fuzzing", &["config", "loader"]),
];

/// The same for the modules of the pure core.
const CORE_MAY_IMPORT: &[(&str, &[&str])] = &[
    ("timestamp", &[]),
    ("words", &[]),
    ("spiffe", &["timestamp"]),
    ("request", &["spiffe", "timestamp"]),
    ("masking", &["request"]),
    ("policy", &["masking", "request", "spiffe", "timestamp", "words"]),
    ("record", &["masking", "policy", "request", "spiffe", "timestamp"]),
    ("fuzzing", &["policy", "record", "request", "spiffe", "timestamp"]),
];

/// `ConnectionFacts` holds, without opening it, what policy and record derive from it once.
const CORE_EXCEPTIONS: &[&str] =
    &["request/access.rs: request imports policy", "request/access.rs: request imports record"];

/// What the pure core may never depend on.
const IMPURE: &[&str] = &["tokio", "hyper", "rustls", "tonic", "mio", "socket2", "tracing"];

#[test]
fn stages_import_only_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = violations(&root.join("src"), MAY_IMPORT, &["commands", "core"]);
    assert!(found.is_empty(), "not in the table:\n{}", found.join("\n"));
}

#[test]
fn modules_of_the_core_import_only_what_the_table_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = violations(&root.join("src/core"), CORE_MAY_IMPORT, &[]);
    for exception in CORE_EXCEPTIONS {
        let before = found.len();
        found.retain(|violation| violation != exception);
        assert!(found.len() < before, "no longer needed: {exception}");
    }
    assert!(found.is_empty(), "not in the table:\n{}", found.join("\n"));
}

#[test]
fn the_core_depends_on_nothing_that_does_io() {
    let manifest = include_str!("../../src/core/Cargo.toml");
    let runtime = manifest.split("[dev-dependencies]").next().unwrap();
    for name in IMPURE {
        let depends = runtime.lines().any(|line| line.split(['=', '.', ' ']).next() == Some(name));
        assert!(!depends, "portreeve-core depends on {name}");
    }
}

#[test]
fn the_table_names_every_stage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (directory, table, other) in [
        (root.join("src"), MAY_IMPORT, &["commands", "core", "lib", "main"][..]),
        (root.join("src/core"), CORE_MAY_IMPORT, &["lib"][..]),
    ] {
        let named: BTreeSet<_> =
            table.iter().map(|(stage, _)| *stage).chain(other.iter().copied()).collect();
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let stage = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let is_stage = path.is_dir() || path.extension().is_some_and(|end| end == "rs");
            assert!(!is_stage || named.contains(stage.as_str()), "{stage} is not in the table");
        }
    }
}

#[test]
fn an_import_outside_the_table_is_seen() {
    let allowed = BTreeMap::from([("tls", BTreeSet::from(["identity"]))]);
    let seen = |text: &str| imports_of("tls", text, &allowed["tls"]);
    assert_eq!(seen("use crate::identity::Svid;"), Vec::<String>::new());
    assert_eq!(seen("use crate::audit::Log;").len(), 1);
    assert_eq!(seen("use crate::{\n    audit::Log,\n    identity,\n};").len(), 1);
    assert_eq!(seen("fn f() { crate::store::Store::new() }").len(), 1);
    assert_eq!(seen("pub use crate::identity::Svid;").len(), 1, "a re-export hides an arrow");
    assert_eq!(seen("// crate::audit is mentioned"), Vec::<String>::new());
}

fn violations(source: &Path, table: &[(&str, &[&str])], free: &[&str]) -> Vec<String> {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        table.iter().map(|(stage, allowed)| (*stage, allowed.iter().copied().collect())).collect();
    let mut found = Vec::new();
    for path in rust_files(source) {
        let relative = path.strip_prefix(source).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let stage = first.strip_suffix(".rs").unwrap_or(first);
        let Some(allowed) = table.get(stage) else { continue };
        assert!(!free.contains(&stage));
        let text = std::fs::read_to_string(&path).unwrap();
        // Tests beside the code may use what they need to set a scene.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if relative.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let here = relative.display();
        found.extend(imports_of(stage, text, allowed).iter().map(|line| format!("{here}: {line}")));
    }
    found
}

/// The imports of a file that its stage may not have.
fn imports_of(stage: &str, text: &str, allowed: &BTreeSet<&str>) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut found = Vec::new();
    if code.contains("pub use crate::") {
        found.push("re-exports another stage (`pub use crate::…`)".to_owned());
    }
    for after in code.split("crate::").skip(1) {
        for name in first_names(after) {
            let is_own = name == stage || !name.chars().next().is_some_and(char::is_lowercase);
            if !is_own && !allowed.contains(name) {
                found.push(format!("{stage} imports {name}"));
            }
        }
    }
    found
}

/// The names directly behind `crate::`: one, or those of a braced list.
fn first_names(after: &str) -> Vec<&str> {
    let name = |text: &'_ str| -> usize {
        text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
    };
    let Some(list) = after.strip_prefix('{') else { return vec![&after[..name(after)]] };
    let mut depth = 0_i32;
    let mut names = Vec::new();
    let mut at_start = true;
    for (index, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if c.is_whitespace() => {}
            _ if at_start && depth == 0 => {
                names.push(&list[index..index + name(&list[index..])]);
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
