//! Terms, from the weakest operator to the strongest.

use super::parser::{Parser, Unread};
use super::tokens::Kind;
use super::tree::{Body, Comprehension, List, Pairs, Step, Term, TermKind};

/// What binds as strongly, the weakest first; all lead from left to right.
const LEVELS: [&[&str]; 5] =
    [&["==", "!=", "<", ">", "<=", ">="], &["|"], &["&"], &["+", "-"], &["*", "/", "%"]];
/// Of `|` in [`LEVELS`]: it ends the term of a comprehension.
const UNION: usize = 1;

impl<'a> Parser<'a> {
    /// Any term; `a, b in c` is one term only where `a, b` could be nothing else.
    pub(super) fn term(&mut self, with_keys: bool) -> Result<Term<'a>, Unread> {
        let start = self.peek().start;
        let mut left = self.level(0)?;
        if with_keys && self.is(",") {
            let before = self.mark();
            self.take();
            match self.level(0) {
                Ok(value) if self.is("in") => left = self.membership(start, Some(left), value)?,
                _ => self.go_back(before),
            }
        }
        while self.is("in") {
            left = self.membership(start, None, left)?;
        }
        Ok(left)
    }

    fn membership(
        &mut self,
        start: usize,
        key: Option<Term<'a>>,
        value: Term<'a>,
    ) -> Result<Term<'a>, Unread> {
        self.expect("in")?;
        let row = key.as_ref().unwrap_or(&value).row;
        let collection = Box::new(self.level(0)?);
        let kind = TermKind::In { key: key.map(Box::new), value: Box::new(value), collection };
        Ok(Term { row, start, text: self.since(start), kind })
    }

    pub(super) fn level(&mut self, level: usize) -> Result<Term<'a>, Unread> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let start = self.peek().start;
        let mut left = self.level(level + 1)?;
        while self.is_one_of(operators) {
            let operator = self.take().text;
            let right = self.level(level + 1)?;
            left = self.infix(start, operator, left, right);
        }
        Ok(left)
    }

    pub(super) fn infix(
        &self,
        start: usize,
        operator: &'a str,
        left: Term<'a>,
        right: Term<'a>,
    ) -> Term<'a> {
        let row = left.row;
        let kind = TermKind::Infix { operator, left: Box::new(left), right: Box::new(right) };
        Term { row, start, text: self.since(start), kind }
    }

    /// A term without operators, and what follows it without a blank.
    fn operand(&mut self) -> Result<Term<'a>, Unread> {
        let start = self.peek().start;
        let row = self.peek().row;
        if self.is("-") {
            self.take();
            if self.peek().kind == Kind::Number && self.is_adjacent() {
                self.take();
                let text = self.since(start);
                return Ok(Term { row, start, text, kind: TermKind::Plain(text) });
            }
            let kind = TermKind::Minus(Box::new(self.operand()?));
            return Ok(Term { row, start, text: self.since(start), kind });
        }
        let mut term = self.beginning()?;
        while self.is_adjacent() {
            if self.is("(") && can_be_called(&term) {
                term = self.call(start, term)?;
            } else if self.is_one_of(&[".", "["]) {
                let row = term.row;
                let path = self.path()?;
                let kind = TermKind::Reference { head: Box::new(term), path };
                term = Term { row, start, text: self.since(start), kind };
            } else {
                break;
            }
        }
        Ok(term)
    }

    fn beginning(&mut self) -> Result<Term<'a>, Unread> {
        let token = self.peek();
        match token.text {
            "(" => {
                self.take();
                let mut term = self.term(true)?;
                self.expect(")")?;
                term.start = token.start;
                term.text = self.since(token.start);
                return Ok(term);
            }
            "[" => return self.array(),
            "{" => return self.braces(),
            _ => {}
        }
        if matches!(token.kind, Kind::Mark | Kind::End) {
            return Err(self.unread("expected a term"));
        }
        self.take();
        let kind = TermKind::Plain(token.text);
        Ok(Term { row: token.row, start: token.start, text: token.text, kind })
    }

    /// `.name`, `[index]`, as often as they follow without a blank.
    pub(super) fn path(&mut self) -> Result<Vec<Step<'a>>, Unread> {
        let mut path = Vec::new();
        while self.is_adjacent() && self.is_one_of(&[".", "["]) {
            if self.take_if(".") {
                let name = self.expect_word()?;
                let kind = TermKind::Plain(name.text);
                let term = Term { row: name.row, start: name.start, text: name.text, kind };
                path.push(Step::Name(term));
            } else {
                self.take();
                path.push(Step::Index(self.term(true)?));
                self.expect("]")?;
            }
        }
        Ok(path)
    }

    fn call(&mut self, start: usize, function: Term<'a>) -> Result<Term<'a>, Unread> {
        let row = function.row;
        let arguments = self.list("(", ")")?;
        let is_set = matches!(function.kind, TermKind::Plain("set"));
        let kind = if is_set && arguments.terms.is_empty() {
            TermKind::EmptySet { close_row: arguments.close_row }
        } else {
            TermKind::Call { function: Box::new(function), arguments }
        };
        Ok(Term { row, start, text: self.since(start), kind })
    }

    pub(super) fn list(
        &mut self,
        open: &'static str,
        close: &'static str,
    ) -> Result<List<'a>, Unread> {
        let open_row = self.expect(open)?.row;
        let mut terms = Vec::new();
        while !self.is(close) {
            terms.push(self.term(false)?);
            if !self.take_if(",") {
                break;
            }
        }
        let close_row = self.expect(close)?.row;
        Ok(List { open_row, terms, close_row })
    }

    fn array(&mut self) -> Result<Term<'a>, Unread> {
        let token = self.peek();
        let before = self.mark();
        let kind = match self.comprehension("[", "]") {
            Some(comprehension) => TermKind::Comprehension(Box::new(comprehension)),
            None => {
                self.go_back(before);
                TermKind::Array(self.list("[", "]")?)
            }
        };
        Ok(Term { row: token.row, start: token.start, text: self.since(token.start), kind })
    }

    /// An object, a set or a comprehension of one.
    fn braces(&mut self) -> Result<Term<'a>, Unread> {
        let token = self.peek();
        let before = self.mark();
        let kind = match self.comprehension("{", "}") {
            Some(comprehension) => TermKind::Comprehension(Box::new(comprehension)),
            None => {
                self.go_back(before);
                self.object_or_set()?
            }
        };
        Ok(Term { row: token.row, start: token.start, text: self.since(token.start), kind })
    }

    fn object_or_set(&mut self) -> Result<TermKind<'a>, Unread> {
        let before = self.mark();
        let open_row = self.expect("{")?.row;
        let is_object = self.is("}") || (self.term(false).is_ok() && self.is(":"));
        self.go_back(before);
        if !is_object {
            return Ok(TermKind::Set(self.list("{", "}")?));
        }
        self.expect("{")?;
        let mut pairs = Vec::new();
        while !self.is("}") {
            let key = self.term(false)?;
            self.expect(":")?;
            pairs.push((key, self.term(false)?));
            if !self.take_if(",") {
                break;
            }
        }
        let close_row = self.expect("}")?.row;
        Ok(TermKind::Object(Pairs { open_row, pairs, close_row }))
    }

    /// `None` where the brackets hold something else.
    fn comprehension(
        &mut self,
        open: &'static str,
        close: &'static str,
    ) -> Option<Comprehension<'a>> {
        self.expect(open).ok()?;
        let first = self.before_bar()?;
        let is_object = open == "{" && self.take_if(":");
        let (key, term) = if is_object { (Some(first), self.before_bar()?) } else { (None, first) };
        self.expect("|").ok()?;
        let statements = self.statements(close).ok()?;
        let close_row = Some(self.expect(close).ok()?.row);
        let body = Body { statements, close_row };
        Some(Comprehension { open, close, key, term, body })
    }

    fn before_bar(&mut self) -> Option<Term<'a>> {
        self.level(UNION + 1).ok()
    }
}

/// A string or a number in front of a parenthesis is an error that the engine's parser names.
fn can_be_called(term: &Term<'_>) -> bool {
    matches!(term.kind, TermKind::Plain(_) | TermKind::Reference { .. })
}
