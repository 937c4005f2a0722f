//! How an explanation is printed: a tree whose lines end with the place in the policies.

use std::io::{self, Write};
use std::path::Path;

use portreeve_core::policy::{Explanation, Node, NodeKind, Seen, Truth};

use super::report::{place, printable};

/// Where the places stand, if no line is longer.
const MIN_WIDTH: usize = 40;
/// A longer line has its place right behind it, so that the others stay together.
const MAX_WIDTH: usize = 96;
/// Names of values are aligned up to here.
const MAX_NAME_WIDTH: usize = 48;
/// As wide as the widest of the words for what became of a statement that people see often.
const RESULT_WIDTH: usize = 9;

/// A line of the tree and what stands at its end.
struct Line {
    left: String,
    place: String,
}

/// Prints the tree; `root` stands before the paths of the bundle's files.
pub(super) fn print(
    out: &mut impl Write,
    explanation: &Explanation,
    root: &Path,
) -> io::Result<()> {
    let mut lines = Vec::new();
    for node in &explanation.nodes {
        add(node, ("", ""), root, &mut lines);
    }
    let widths = lines.iter().map(|line| width(&line.left)).filter(|width| *width <= MAX_WIDTH);
    let column = widths.max().unwrap_or_default().max(MIN_WIDTH);
    for Line { left, place } in &lines {
        if place.is_empty() {
            writeln!(out, "{}", left.trim_end())?;
        } else {
            let pad = column.saturating_sub(width(left));
            writeln!(out, "{left}{:pad$}  {place}", "")?;
        }
    }
    for note in &explanation.notes {
        writeln!(out, "{}", printable(note))?;
    }
    Ok(())
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// `first` begins the node's own line, `rest` all below it.
fn add(node: &Node, (first, rest): (&str, &str), root: &Path, lines: &mut Vec<Line>) {
    let place = node
        .place
        .as_ref()
        .map_or_else(String::new, |at| place(&root.join(&at.file).display().to_string(), at.line));
    lines.push(Line { left: format!("{first}{}", title(node)), place });
    let below = if node.children.is_empty() { "   " } else { "│  " };
    add_values(&node.values, &format!("{rest}{below}{:RESULT_WIDTH$}", ""), lines);
    let last = node.children.len().saturating_sub(1);
    for (index, child) in node.children.iter().enumerate() {
        let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        add(child, (&format!("{rest}{branch}"), &format!("{rest}{below}")), root, lines);
    }
}

fn title(node: &Node) -> String {
    let text = printable(&node.text);
    let mut title = match (node.kind, &node.value) {
        (NodeKind::Rule, Some(value)) => format!("{text} = {}", printable(value)),
        (NodeKind::Summary, _) => text.into_owned(),
        (_, value) => {
            let value = value.as_ref().map(|value| format!(" = {}", printable(value)));
            format!("{:RESULT_WIDTH$} {text}{}", word(node), value.unwrap_or_default())
        }
    };
    let decided = (node.decided && node.kind != NodeKind::Rule).then_some("decided");
    let notes: Vec<_> =
        decided.into_iter().map(Into::into).chain(node.note.as_deref().map(printable)).collect();
    if !notes.is_empty() {
        title.push_str(" (");
        title.push_str(&notes.join(", "));
        title.push(')');
    }
    title
}

fn word(node: &Node) -> &'static str {
    let is_definition = node.kind == NodeKind::Definition;
    match node.result {
        Truth::NotEvaluated => "not asked",
        Truth::True if is_definition => "held",
        Truth::Undefined if is_definition => "not held",
        truth => truth.as_str(),
    }
}

fn add_values(values: &[Seen], before: &str, lines: &mut Vec<Line>) {
    let names: Vec<_> = values.iter().map(|seen| printable(&seen.text)).collect();
    let widths = names.iter().map(|name| width(name)).filter(|width| *width <= MAX_NAME_WIDTH);
    let column = widths.max().unwrap_or_default();
    for (name, seen) in names.iter().zip(values) {
        let pad = column.saturating_sub(width(name));
        let left = format!("{before} {name}{:pad$} = {}", "", printable(&seen.value));
        lines.push(Line { left, place: String::new() });
    }
}

#[cfg(test)]
mod tests {
    use portreeve_core::policy::Place;

    use super::*;

    fn node(kind: NodeKind, text: &str, result: Truth, line: u32) -> Node {
        Node {
            kind,
            text: text.to_owned(),
            place: (line > 0).then(|| Place { file: "p.rego".to_owned(), line }),
            result,
            decided: false,
            value: None,
            values: Vec::new(),
            note: None,
            children: Vec::new(),
        }
    }

    fn tree() -> Explanation {
        let seen =
            |text: &str, value: &str| Seen { text: text.to_owned(), value: value.to_owned() };
        let mut statement = node(NodeKind::Statement, "a == \"b\u{1b}[2J\"", Truth::False, 4);
        statement.values = vec![seen("a", "\"c\""), seen("input.x", "1")];
        let mut held = node(NodeKind::Definition, "allow", Truth::True, 5);
        held.decided = true;
        let mut definition = node(NodeKind::Definition, "allow", Truth::Undefined, 3);
        definition.note = Some("1 of 2 statements held".to_owned());
        definition.children = vec![statement];
        let mut rule = node(NodeKind::Rule, "data.p.allow", Truth::False, 3);
        rule.value = Some("false".to_owned());
        rule.decided = true;
        rule.children = vec![definition, held, node(NodeKind::Summary, "7 more", Truth::False, 0)];
        Explanation {
            outcome: "deny".to_owned(),
            reason: "not_allowed".to_owned(),
            nodes: vec![rule],
            notes: vec!["2 of 9 nodes are left out".to_owned()],
        }
    }

    #[test]
    fn the_tree_is_aligned_and_harmless() {
        let mut out = Vec::new();
        print(&mut out, &tree(), Path::new("dir")).unwrap();
        let expected = "\
data.p.allow = false                         dir/p.rego:3
├─ not held  allow (1 of 2 statements held)  dir/p.rego:3
│  └─ false     a == \"b\\u{1b}[2J\"            dir/p.rego:4
│                  a       = \"c\"
│                  input.x = 1
├─ held      allow (decided)                 dir/p.rego:5
└─ 7 more
2 of 9 nodes are left out
";
        let seen = String::from_utf8(out).unwrap();
        assert!(!seen.contains('\u{1b}'));
        assert_eq!(seen, expected, "\n{seen}");
    }
}
