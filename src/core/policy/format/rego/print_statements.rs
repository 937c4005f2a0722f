//! Statements: in a body that has lines each on its own, with what stands behind it.

use super::tokens::lines_in;
use super::tree::{Statement, StatementKind, Term, TermKind, With};
use super::writer::{NoPlace, Writer, Written};

impl<'a> Writer<'a> {
    pub(super) fn statements(&mut self, statements: &[Statement<'a>]) -> Written {
        if let Some(first) = statements.first() {
            self.comments_to(first.row)?;
        }
        let mut above = None;
        for statement in statements {
            if above.is_some_and(|above| statement.row > above + 1) {
                self.blank_line();
            }
            above = Some(statement.row + lines_in(statement.text));
            self.start_line();
            self.whole(statement.row, statement.text, |writer| writer.statement(statement));
            self.end_line();
        }
        Ok(())
    }

    pub(super) fn statement(&mut self, statement: &Statement<'a>) -> Written {
        self.comments_to(statement.row)?;
        self.start_line_if_none();
        if statement.is_negated {
            self.write("not ");
        }
        match &statement.kind {
            StatementKind::Some(terms) => self.some(statement.row, terms)?,
            StatementKind::SomeIn { key, value, collection } => {
                self.write("some ");
                self.membership(key.as_ref(), value, collection)?;
            }
            StatementKind::Every { key, value, domain, body } => {
                self.write("every ");
                if let Some(key) = key {
                    self.term(key)?;
                    self.write(", ");
                }
                self.term(value)?;
                self.write(" in ");
                self.term(domain)?;
                self.write(" {");
                let written = self.inner_statements(statement.row, body);
                let is_beside = body.statements.iter().all(|inner| inner.row == statement.row);
                self.write(if is_beside { " }" } else { "}" });
                written?;
            }
            StatementKind::Term(term) => self.expression(term)?,
        }
        self.withs(statement)
    }

    /// A term that is a statement: its operands need no parentheses.
    fn expression(&mut self, term: &Term<'a>) -> Written {
        match &term.kind {
            TermKind::Infix { operator, left, right } => {
                // `in` binds weaker than what compares.
                let needs_them = |term: &Term<'a>| {
                    matches!(term.kind, TermKind::In { .. }) && !matches!(*operator, ":=" | "=")
                };
                self.in_parentheses(needs_them(left), |writer| writer.term(left))?;
                self.write(" ");
                self.write(operator);
                self.write(" ");
                self.in_parentheses(needs_them(right), |writer| writer.term(right))
            }
            TermKind::In { key, value, collection } => {
                self.membership(key.as_deref(), value, collection)
            }
            TermKind::Call { function, arguments } => self.call(function, arguments),
            TermKind::Plain(_)
            | TermKind::EmptySet { .. }
            | TermKind::Reference { .. }
            | TermKind::Array(_)
            | TermKind::Set(_)
            | TermKind::Object(_)
            | TermKind::Comprehension(_)
            | TermKind::Minus(_) => self.term(term),
        }
    }

    fn some(&mut self, row: u32, terms: &[Term<'a>]) -> Written {
        self.write("some ");
        let mut row = row;
        for (index, term) in terms.iter().enumerate() {
            if term.row > row {
                self.end_line();
                self.start_line();
                self.write("\t");
                row = term.row;
            } else if index > 0 {
                self.write(" ");
            }
            self.term(term)?;
            if index + 1 < terms.len() {
                self.write(",");
            }
        }
        Ok(())
    }

    fn withs(&mut self, statement: &Statement<'a>) -> Written {
        let mut row = statement.end_row;
        let mut is_indented = false;
        for (index, with) in statement.withs.iter().enumerate() {
            let is_below = with.row > row && (index > 0 || with.row != row);
            if is_below {
                if !is_indented {
                    self.indent();
                    is_indented = true;
                }
                self.end_line();
                self.start_line();
            }
            row = with.row;
            self.with(with, is_below)?;
        }
        if is_indented {
            self.dedent();
        }
        Ok(())
    }

    fn with(&mut self, with: &With<'a>, is_below: bool) -> Written {
        self.comments_to(with.row)?;
        self.write(if is_below { "with " } else { " with " });
        self.term(&with.target)?;
        self.write(" as ");
        // What stands as it was is whole: the next `with` goes on behind it.
        let (Ok(()) | Err(NoPlace)) = self.term(&with.value);
        Ok(())
    }
}
