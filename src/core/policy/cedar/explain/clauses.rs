//! The `when` and `unless` clauses of a policy's text, cut at the `&&` and `||` that stand at their
//! top, and what Cedar says of each part.

use cedar_policy::EvalResult;

use super::On;
use super::scope::{seen, value};
use crate::policy::PolicyRef;
use crate::policy::explanation::{Node, NodeKind, Seen, Truth, cut};

/// Names that a condition starts from.
const ROOTS: [&str; 4] = ["principal", "action", "resource", "context"];
/// Attributes of the context that hold what a record masks, and the types of their values. A condition
/// that reads them is shown as true or false alone: what they are compared with may equal them.
const MASKED: [&str; 7] = ["headers", "query", "jwt", "claims", "Headers", "Query", "Claims"];
/// Attributes shown of one condition.
const MAX_SEEN: usize = 8;

/// A word, a symbol or a string of Cedar text, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    text: &'a str,
    start: usize,
    /// How many brackets are open around it.
    depth: usize,
}

/// One node for each clause, in their order.
pub(super) fn clauses(text: &str, place: &PolicyRef, on: On<'_>) -> Vec<Node> {
    let tokens = tokens(text);
    let mut nodes = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        let is_clause = token.depth == 0
            && matches!(token.text, "when" | "unless")
            && next.is_some_and(|next| next.text == "{");
        at += 1;
        if !is_clause {
            continue;
        }
        let inside = tokens.iter().skip(at + 1).take_while(|token| token.depth > 0).count();
        let inner = tokens.get(at + 1..at + 1 + inside).unwrap_or_default();
        nodes.push(clause(token.text, text, inner, (place, line(text, token.start, place)), on));
        at += inside;
    }
    nodes
}

fn line(text: &str, offset: usize, place: &PolicyRef) -> u32 {
    let lines = text.get(..offset).unwrap_or_default().matches('\n').count();
    place.line.saturating_add(u32::try_from(lines).unwrap_or_default())
}

fn clause(
    keyword: &str,
    text: &str,
    tokens: &[Token<'_>],
    (place, at): (&PolicyRef, u32),
    on: On<'_>,
) -> Node {
    let body = text_of(text, tokens);
    let truth = truth(value(body, on));
    let result = match (keyword, truth) {
        ("unless", Truth::True) => Truth::False,
        ("unless", Truth::False) => Truth::True,
        (_, truth) => truth,
    };
    let mut node = Node::new(NodeKind::Clause, cut(&format!("{keyword} {{ {body} }}")), result);
    node = node.at(&place.file, at);
    let parts = parts(tokens);
    if let [_] = parts.as_slice() {
        node.values = attributes(text, tokens, on);
        return node;
    }
    keyword.clone_into(&mut node.text);
    node.children = conditions(text, &parts, place, on);
    node
}

/// The operands of one operator; what it does not come to is not evaluated.
fn conditions(text: &str, parts: &Parts<'_, '_>, place: &PolicyRef, on: On<'_>) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut is_over = false;
    for tokens in &parts.operands {
        let body = text_of(text, tokens);
        let result = if is_over { Truth::NotEvaluated } else { truth(value(body, on)) };
        let mut node = Node::new(NodeKind::Condition, cut(body), result);
        let start = tokens.first().map_or(0, |token| token.start);
        node = node.at(&place.file, line(text, start, place));
        if !is_over {
            let inner = self::parts(tokens);
            match inner.as_slice() {
                [_] => node.values = attributes(text, tokens, on),
                _ => node.children = conditions(text, &inner, place, on),
            }
        }
        is_over |= match result {
            Truth::Error => true,
            Truth::True => parts.operator == "||",
            Truth::False => parts.operator == "&&",
            Truth::Undefined | Truth::NotEvaluated => false,
        };
        nodes.push(node);
    }
    nodes
}

fn truth(value: Option<Result<EvalResult, ()>>) -> Truth {
    match value {
        Some(Ok(EvalResult::Bool(true))) => Truth::True,
        Some(Ok(EvalResult::Bool(false))) => Truth::False,
        Some(Ok(_) | Err(())) => Truth::Error,
        None => Truth::NotEvaluated,
    }
}

/// What an operator at the top of an expression joins.
struct Parts<'t, 'a> {
    operator: &'static str,
    operands: Vec<&'t [Token<'a>]>,
}

impl<'t, 'a> Parts<'t, 'a> {
    fn as_slice(&self) -> &[&'t [Token<'a>]] {
        &self.operands
    }
}

/// `||` binds less than `&&`; an `if` reaches to the end of what it stands in.
fn parts<'t, 'a>(tokens: &'t [Token<'a>]) -> Parts<'t, 'a> {
    let tokens = unwrapped(tokens);
    let depth = tokens.first().map_or(0, |token| token.depth);
    let at_top = |token: &Token<'_>| token.depth == depth;
    let has_if = tokens.iter().any(|token| at_top(token) && token.text == "if");
    for operator in ["||", "&&"] {
        let operands: Vec<_> =
            tokens.split(|token| at_top(token) && token.text == operator).collect();
        if operands.len() > 1 && !has_if {
            return Parts { operator, operands };
        }
    }
    Parts { operator: "", operands: vec![tokens] }
}

/// Without the brackets that stand around the whole.
fn unwrapped<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let mut tokens = tokens;
    while let [first, inner @ .., last] = tokens {
        let is_whole = inner.iter().all(|token| token.depth > first.depth);
        if first.text != "(" || last.text != ")" || !is_whole {
            break;
        }
        tokens = inner;
    }
    tokens
}

fn text_of<'a>(text: &'a str, tokens: &[Token<'_>]) -> &'a str {
    let ends = tokens.first().zip(tokens.last());
    let range = ends.map(|(first, last)| first.start..last.start + last.text.len());
    range.and_then(|range| text.get(range)).unwrap_or_default()
}

/// The attributes that an expression reads; none of one that reads what a record masks.
fn attributes(text: &str, tokens: &[Token<'_>], on: On<'_>) -> Vec<Seen> {
    let paths = paths(tokens);
    let names_a_type = tokens
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if MASKED.contains(&a.text) && b.text == "::"));
    if names_a_type || paths.iter().any(|path| may_be_masked(path)) {
        return Vec::new();
    }
    let mut found: Vec<Seen> = Vec::new();
    for path in paths {
        let seen = seen(text_of(text, path), on);
        if let Some(seen) = seen.filter(|seen| !found.contains(seen) && found.len() < MAX_SEEN) {
            found.push(seen);
        }
    }
    found
}

/// Each `root.a["b"]` of an expression.
fn paths<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| tokens.get(at)).map_or("", |t| t.text);
        if ROOTS.contains(&token.text) && !matches!(before, "." | "::") {
            let rest = tokens.get(at..).unwrap_or_default();
            found.extend(rest.get(..path_length(rest)));
        }
    }
    found
}

/// Whether a path leads to what a record masks, or does not say where it leads: the whole context may
/// go anywhere, and a key with an escape may be any name.
fn may_be_masked(path: &[Token<'_>]) -> bool {
    let is_bare_context = matches!(path, [root] if root.text == "context");
    let is_masked = |token: &Token<'_>| {
        MASKED.contains(&token.text.trim_matches('"')) || token.text.contains('\\')
    };
    is_bare_context || path.iter().any(is_masked)
}

/// How many tokens `root.a["b"]` has; a method's name behind it is none of them.
fn path_length(tokens: &[Token<'_>]) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let mut length = 1;
    loop {
        if text(length) == "." && text(length + 2) != "(" {
            length += 2;
        } else if text(length) == "[" && text(length + 2) == "]" {
            length += 3;
        } else {
            return length.min(tokens.len());
        }
    }
}

/// Cuts Cedar text into words, symbols and strings; comments are left out.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = token_length(rest);
        let piece = rest.get(..length).unwrap_or(rest);
        let is_token = !piece.starts_with(char::is_whitespace) && !piece.starts_with("//");
        if matches!(piece, ")" | "]" | "}") {
            depth = depth.saturating_sub(1);
        }
        if is_token {
            tokens.push(Token { text: piece, start: at, depth });
        }
        if matches!(piece, "(" | "[" | "{") {
            depth += 1;
        }
        at += piece.len().max(1);
    }
    tokens
}

fn token_length(rest: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let until = |end: Option<usize>| end.unwrap_or(rest.len());
    let first = rest.chars().next().unwrap_or(' ');
    if rest.starts_with("//") {
        until(rest.find('\n'))
    } else if first == '"' {
        string_length(rest)
    } else if is_word(first) {
        until(rest.find(|c| !is_word(c)))
    } else if ["&&", "||", "==", "!=", "<=", ">=", "::"].iter().any(|s| rest.starts_with(s)) {
        2
    } else {
        first.len_utf8()
    }
}

fn string_length(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
