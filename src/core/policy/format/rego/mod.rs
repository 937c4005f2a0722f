//! Rego as `opa fmt` writes it.
//!
//! The text of a module enters; the same module leaves with its lines, blanks and imports in order.
//! The result must say what the text said, hold its comments in their order and be one that the
//! formatter leaves alone: else the text is refused and nothing is changed.

mod tokens;
mod tree;
mod parser;
mod terms;
mod statements;
mod writer;
mod templates;
mod print_terms;
mod print_statements;
mod print_rules;
mod same;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::super::{Findings, rego, text};
use parser::Parser;
use writer::Writer;

/// A second pass may join what the first has moved; people's files need one or two.
const MAX_PASSES: usize = 4;

/// The module as it should be written; `None` after a finding.
pub(super) fn format(file: &str, content: &str, findings: &mut Findings) -> Option<String> {
    let meaning = outline(file, content, findings)?;
    let comments = comments(content);
    let mut before = content.to_owned();
    for _ in 0..MAX_PASSES {
        let after = step(file, &before, &meaning, &comments, findings)?;
        if after == before {
            return Some(after);
        }
        before = after;
    }
    findings.error(file, 0, 0, "the file is left alone: it would be formatted anew each time");
    None
}

/// Formats once: as OPA does and, where a comment would be lost by that, with care.
fn step(
    file: &str,
    content: &str,
    meaning: &str,
    comments: &(Vec<&str>, Vec<&str>),
    findings: &mut Findings,
) -> Option<String> {
    let mut own = Findings::default();
    for is_careful in [false, true] {
        own = Findings::default();
        let Some(after) = pass(file, content, is_careful, &mut own) else { break };
        if after == content {
            return Some(after);
        }
        if outline(file, &after, &mut Findings::default()).is_none_or(|after| after != meaning) {
            own.error(file, 0, 0, OTHER_MEANING);
        } else if self::comments(&after) != *comments {
            own.error(file, 0, 0, "the file is left alone: a comment in it has no place");
        } else {
            return Some(after);
        }
    }
    findings.0.append(&mut own.0);
    None
}

const OTHER_MEANING: &str = "the file is left alone: formatted, it would say something else";

/// Formats once.
fn pass(file: &str, content: &str, is_careful: bool, findings: &mut Findings) -> Option<String> {
    let (mut parser, comments) = Parser::new(content);
    let package_row = parser.peek().row;
    match parser.module() {
        Ok(module) => {
            let mut writer = Writer::new(comments, is_careful);
            writer.module(&module, package_row);
            Some(writer.finish())
        }
        Err(unread) => {
            let before = content.get(..unread.at).unwrap_or(content);
            let (line, column) = text::end_of(before);
            let message = format!("the file is left alone: {}", unread.message);
            findings.error(file, line, column, message);
            None
        }
    }
}

/// What the engine reads in a text.
fn outline(file: &str, content: &str, findings: &mut Findings) -> Option<String> {
    Some(same::outline(&*rego::module_of(file, content, findings)?))
}

/// The comments in their order, and apart from them those beside an import, which move with it.
fn comments(content: &str) -> (Vec<&str>, Vec<&str>) {
    let (tokens, comments) = tokens::read(content);
    let is_import = |token: &tokens::Token<'_>| token.is_first && token.text == "import";
    let imports: BTreeSet<u32> =
        tokens.iter().filter(|token| is_import(token)).map(|token| token.row).collect();
    let (mut beside, others): (Vec<_>, Vec<_>) =
        comments.into_iter().partition(|comment| imports.contains(&comment.row));
    beside.sort_by_key(|comment| comment.text);
    (others.into_iter().map(|c| c.text).collect(), beside.into_iter().map(|c| c.text).collect())
}
