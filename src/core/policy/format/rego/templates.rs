//! Template strings: what stands between the braces is a statement like others.

use super::parser::Parser;
use super::tokens::expression_length;
use super::writer::Writer;

/// A template string with its expressions in order; those with lines or comments stay as they are.
pub(super) fn written(template: &str) -> String {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\\' => 1 + rest.chars().nth(1).map_or(0, char::len_utf8),
            '{' => expression_length(rest),
            c => c.len_utf8(),
        };
        let (piece, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) {
            Some(inside) => {
                text.push('{');
                text.push_str(expression(inside).as_deref().unwrap_or(inside));
                text.push('}');
            }
            None => text.push_str(piece),
        }
        rest = tail;
    }
    text
}

fn expression(inside: &str) -> Option<String> {
    let (mut parser, comments) = Parser::new(inside);
    let statement = parser.statement().ok()?;
    if !parser.is_at_end() || !comments.is_empty() {
        return None;
    }
    Writer::on_one_line(|writer| writer.statement(&statement))
}
