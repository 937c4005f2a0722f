//! Policies as text, requests as descriptions, explanations as indented lines.

mod rego;
mod cedar;
mod secrets;
mod agreement;
mod limits;

use std::fmt::Write as _;

use serde_json::Value;

use super::*;
use crate::policy::{Files, Revision, decide};

fn bundle(pairs: &[(&str, &str)]) -> Bundle {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec()).unwrap();
    }
    let loaded = Bundle::load(&files, Revision::default());
    loaded.unwrap_or_else(|findings| panic!("{findings}")).0
}

fn request(description: Value) -> AccessRequest {
    AccessRequest::described(&description).unwrap()
}

fn explained(bundle: &Bundle, description: Value, detail: Detail) -> Explanation {
    let request = request(description);
    explain(bundle, &request, &decide(bundle, &request), detail)
}

/// `line result kind text = value [operand = value; …] (note)`, `*` before what decided.
fn lines(explanation: &Explanation) -> String {
    let mut out = String::new();
    write(&explanation.nodes, 0, &mut out);
    out
}

fn write(nodes: &[Node], depth: usize, out: &mut String) {
    for node in nodes {
        let line = node.place.as_ref().map_or(0, |place| place.line);
        let decided = if node.decided && node.kind != NodeKind::Rule { "*" } else { "" };
        write!(out, "{:1$}{line} ", "", depth * 2).unwrap();
        write!(out, "{decided}{} {}", node.result.as_str(), node.text).unwrap();
        if let Some(value) = &node.value {
            write!(out, " = {value}").unwrap();
        }
        let values: Vec<_> =
            node.values.iter().map(|seen| format!("{} = {}", seen.text, seen.value)).collect();
        if !values.is_empty() {
            write!(out, " [{}]", values.join("; ")).unwrap();
        }
        if let Some(note) = &node.note {
            write!(out, " ({note})").unwrap();
        }
        out.push('\n');
        write(&node.children, depth + 1, out);
    }
}
