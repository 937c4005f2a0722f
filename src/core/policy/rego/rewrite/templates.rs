//! `$"a {b}"` as `internal.template_string(["a ", {v | v := b}])`: what OPA compiles it to. The set
//! is empty where the expression has no value.

use super::cursor::{Cursor, Placed};

/// Template strings within template strings. Each level nests two collections, so that the scan's
/// limit is met first.
const MAX_TEMPLATE_DEPTH: usize = 8;

pub(super) fn rewrite(characters: &[Placed]) -> Vec<Placed> {
    let mut templates = Templates { cursor: Cursor::new(characters), variables: 0, depth: 0 };
    while templates.cursor.peek().is_some() {
        templates.code();
        // A `}` that nothing opened is the parser's to report.
        templates.cursor.copy();
    }
    templates.cursor.written
}

struct Templates<'a> {
    cursor: Cursor<'a>,
    /// How many variables are in use.
    variables: usize,
    depth: usize,
}

impl Templates<'_> {
    /// Copies to the end, or to the `}` that closes what is around.
    fn code(&mut self) {
        let mut open = 0_usize;
        while let Some(next) = self.cursor.peek() {
            if self.cursor.copy_opaque() {
                continue;
            }
            match next {
                '$' if matches!(self.cursor.peek_second(), Some('"' | '`'))
                    && self.depth < MAX_TEMPLATE_DEPTH =>
                {
                    self.template();
                    continue;
                }
                '{' => open += 1,
                '}' if open == 0 => return,
                '}' => open -= 1,
                _ => {}
            }
            self.cursor.copy();
        }
    }

    fn template(&mut self) {
        self.depth += 1;
        self.cursor.insert("internal.template_string([");
        self.cursor.skip();
        let Some(quote) = self.cursor.copy() else { return };
        while let Some(next) = self.cursor.peek() {
            match next {
                '\\' if self.cursor.peek_second() == Some('{') => {
                    self.cursor.skip();
                    self.cursor.copy();
                }
                '\\' if quote == '"' => {
                    self.cursor.copy();
                    self.cursor.copy();
                }
                '{' => self.expression(quote),
                '\n' if quote == '"' => break,
                _ => {
                    self.cursor.copy();
                    if next == quote {
                        break;
                    }
                }
            }
        }
        self.cursor.insert("])");
        self.depth -= 1;
    }

    /// Ends the literal part, puts the set between and begins another part.
    fn expression(&mut self, quote: char) {
        let variable = format!("__template_value_{}__", self.variables);
        self.variables += 1;
        self.cursor.insert(&format!("{quote}, "));
        self.cursor.copy();
        self.cursor.insert(&format!("{variable} | {variable} := "));
        self.code();
        if self.cursor.copy().is_some() {
            self.cursor.insert(&format!(", {quote}"));
        }
    }
}
