//! Terms on their lines: what the file breaks stays broken, one line for each line of elements.

use super::templates;
use super::tree::{Body, Comprehension, Head, List, Pairs, Step, Term, TermKind};
use super::writer::{NoPlace, Writer, Written};

/// Words that a path may hold but that stay quoted where they are.
const KEYWORDS: [&str; 17] = [
    "as", "contains", "default", "else", "every", "false", "if", "import", "in", "not", "null",
    "package", "some", "true", "with", "and", "or",
];

impl<'a> Writer<'a> {
    pub(super) fn term(&mut self, term: &Term<'a>) -> Written {
        self.or_as_it_stands(term, |writer| writer.bare_term(term, false))
    }

    /// Writes a term; `in_operator` where infix terms need parentheses.
    pub(super) fn bare_term(&mut self, term: &Term<'a>, in_operator: bool) -> Written {
        self.comments_to(term.row)?;
        self.start_line_if_none();
        match &term.kind {
            TermKind::Plain(text) if text.starts_with('$') => self.write(&templates::written(text)),
            TermKind::Plain(text) => self.write(text),
            TermKind::EmptySet { close_row } => {
                self.write("set()");
                self.comments_to(*close_row)?;
            }
            TermKind::Reference { head, path } => self.reference(head, path)?,
            TermKind::Call { function, arguments } => self.call(function, arguments)?,
            TermKind::Array(list) => self.bracketed("[", list, "]")?,
            TermKind::Set(list) => self.bracketed("{", list, "}")?,
            TermKind::Object(pairs) => self.object(pairs)?,
            TermKind::Comprehension(comprehension) => {
                self.comprehension(term.row, comprehension)?;
            }
            TermKind::Infix { operator, left, right } => {
                self.in_parentheses(in_operator, |writer| writer.infix(operator, left, right))?;
            }
            TermKind::In { key, value, collection } => {
                let needs_them = key.is_some() || in_operator;
                self.in_parentheses(needs_them, |writer| {
                    writer.membership(key.as_deref(), value, collection)
                })?;
            }
            TermKind::Minus(operand) => {
                self.write("-");
                self.bare_term(operand, true)?;
            }
        }
        self.start_line_if_none();
        Ok(())
    }

    pub(super) fn in_parentheses(
        &mut self,
        needs_them: bool,
        write: impl FnOnce(&mut Self) -> Written,
    ) -> Written {
        if !needs_them {
            return write(self);
        }
        self.write("(");
        write(self)?;
        self.write(")");
        Ok(())
    }

    fn infix(&mut self, operator: &str, left: &Term<'a>, right: &Term<'a>) -> Written {
        self.bare_term(left, true)?;
        self.write(" ");
        self.write(operator);
        self.write(" ");
        self.bare_term(right, true)
    }

    pub(super) fn membership(
        &mut self,
        key: Option<&Term<'a>>,
        value: &Term<'a>,
        collection: &Term<'a>,
    ) -> Written {
        if let Some(key) = key {
            self.bare_term(key, true)?;
            self.write(", ");
        }
        self.bare_term(value, true)?;
        self.write(" in ");
        self.bare_term(collection, true)
    }

    pub(super) fn reference(&mut self, head: &Term<'a>, path: &[Step<'a>]) -> Written {
        self.bare_term(head, head.begins_with_parenthesis())?;
        for step in path {
            match step {
                Step::Name(name) => {
                    self.write(".");
                    self.write(name.text);
                }
                Step::Index(index) => self.index(index)?,
            }
        }
        Ok(())
    }

    fn index(&mut self, index: &Term<'a>) -> Written {
        if let TermKind::Plain(text) = index.kind {
            match name_in(text) {
                Some(name) => {
                    self.write(".");
                    self.write(name);
                }
                None => {
                    self.write("[");
                    self.write(text);
                    self.write("]");
                }
            }
            return Ok(());
        }
        self.write("[");
        if self.term(index) == Err(NoPlace) {
            // The bracket must not become part of the comment.
            self.write("\n");
        }
        self.write("]");
        Ok(())
    }

    pub(super) fn call(&mut self, function: &Term<'a>, arguments: &List<'a>) -> Written {
        self.name(function)?;
        self.write("(");
        // A call has its lines from where its name stands, and none for its closing bracket.
        let lines = Lines { open_row: function.row, close_row: None, begins_below: false };
        self.elements(
            &arguments.terms,
            |term| term.row,
            lines,
            |writer, term| writer.element(term, term.begins_with_parenthesis()),
        )?;
        self.write(")");
        Ok(())
    }

    /// The arguments of a rule's head.
    pub(super) fn parameters(&mut self, head: &Head<'a>, list: &List<'a>) -> Written {
        self.write("(");
        // OPA looks for the first one's text anywhere in the head.
        let is_below = |first: &Term<'a>| {
            head.text.split(first.text).next().is_some_and(|before| before.contains('\n'))
        };
        let lines = Lines {
            open_row: head.row,
            close_row: Some(list.close_row),
            begins_below: list.terms.first().is_some_and(is_below),
        };
        let written = self.elements(
            &list.terms,
            |term| term.row,
            lines,
            |writer, term| writer.element(term, term.begins_with_parenthesis()),
        );
        self.write(")");
        written
    }

    fn bracketed(&mut self, open: &str, list: &List<'a>, close: &str) -> Written {
        self.write(open);
        let lines = Lines {
            open_row: list.open_row,
            close_row: Some(list.close_row),
            begins_below: list.terms.first().is_some_and(|first| first.row > list.open_row),
        };
        let written = self.elements(
            &list.terms,
            |term| term.row,
            lines,
            |writer, term| writer.element(term, true),
        );
        self.write(close);
        written
    }

    /// A union in a list would be read as a comprehension.
    fn element(&mut self, term: &Term<'a>, with_parentheses: bool) -> Written {
        self.in_parentheses(term.is_union() && with_parentheses, |writer| writer.term(term))
    }

    fn object(&mut self, object: &Pairs<'a>) -> Written {
        self.write("{");
        let lines = Lines {
            open_row: object.open_row,
            close_row: Some(object.close_row),
            begins_below: object.pairs.first().is_some_and(|(key, _)| key.row > object.open_row),
        };
        let written = self.elements(
            &object.pairs,
            |(key, _)| key.row,
            lines,
            |writer, (key, value)| {
                writer.element(key, true)?;
                writer.write(": ");
                writer.element(value, true)
            },
        );
        self.write("}");
        written
    }

    fn elements<T>(
        &mut self,
        elements: &[T],
        row_of: impl Fn(&T) -> u32,
        lines: Lines,
        mut write: impl FnMut(&mut Self, &T) -> Written,
    ) -> Written {
        let first_row = elements.first().map_or(0, &row_of);
        let has_one_line = elements.iter().all(|element| row_of(element) <= first_row);
        if let Some(close_row) = lines.close_row
            && has_one_line
            && self.has_comment_between(lines.open_row, close_row)
        {
            return Err(NoPlace);
        }
        let is_broken = !has_one_line || lines.begins_below;
        if is_broken {
            self.open_lines();
        }
        let mut above = None;
        for element in elements {
            let row = row_of(element);
            match above {
                Some(above) if row > above => {
                    self.write(",");
                    self.end_line();
                    self.start_line();
                }
                Some(_) => self.write(", "),
                None => {}
            }
            above = Some(row);
            write(self, element)?;
        }
        if is_broken {
            self.write(",");
            self.end_line();
            if let Some(close_row) = lines.close_row {
                self.comments_to(close_row)?;
            }
            self.dedent();
            self.start_line();
        }
        Ok(())
    }

    fn comprehension(&mut self, row: u32, comprehension: &Comprehension<'a>) -> Written {
        let Comprehension { open, close, key, term, body } = comprehension;
        self.write(open);
        let written = self.comprehension_inside(row, key.as_ref(), term, body);
        self.write(close);
        written
    }

    fn comprehension_inside(
        &mut self,
        row: u32,
        key: Option<&Term<'a>>,
        term: &Term<'a>,
        body: &Body<'a>,
    ) -> Written {
        let mut term_row = term.row;
        if let Some(key) = key {
            term_row = key.row;
            if key.row > row + 1 {
                self.end_line();
                self.start_line();
            }
            self.element(key, true)?;
            self.write(": ");
        }
        if term_row > row {
            self.end_line();
            self.start_line();
        }
        let with_parentheses = term.is_union() || term.begins_with_parenthesis();
        self.bare_term(term, with_parentheses)?;
        self.write(" |");
        self.inner_statements(term_row, body)
    }

    /// Statements on the line of what is in front of them, or on lines of their own.
    pub(super) fn inner_statements(&mut self, row: u32, body: &Body<'a>) -> Written {
        let Body { statements, close_row } = body;
        let first_row = statements.first().map_or(row, |first| first.row);
        let has_one_line = statements.iter().all(|statement| statement.row <= first_row);
        if first_row > row || !has_one_line {
            self.end_line();
            self.indent();
            let written = self
                .statements(statements)
                .and_then(|()| close_row.map_or(Ok(()), |row| self.comments_to(row)));
            self.dedent();
            self.start_line();
            return written;
        }
        self.write(" ");
        for (index, statement) in statements.iter().enumerate() {
            if index > 0 {
                self.write("; ");
            }
            self.statement(statement)?;
        }
        close_row.map_or(Ok(()), |row| self.comments_to(row))
    }
}

/// Where the lines of a list begin and end in the file.
#[derive(Clone, Copy, Debug)]
struct Lines {
    open_row: u32,
    /// Comments in front of it belong into the list.
    close_row: Option<u32>,
    begins_below: bool,
}

/// The name in a string, where a dot could stand in front of it.
fn name_in(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|quote| matches!(quote, '"' | '`'))?;
    let name = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    let stays = quote == '"' && KEYWORDS.contains(&name);
    (is_name && !stays).then_some(name)
}
