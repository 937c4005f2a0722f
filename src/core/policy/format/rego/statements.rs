//! Statements, rules and the file.

use super::parser::{Parser, Unread};
use super::tokens::{Kind, Token, lines_in};
use super::tree::{
    Body, Head, Import, Item, Module, Rule, Statement, StatementKind, Term, TermKind, With,
};

impl<'a> Parser<'a> {
    pub(super) fn module(&mut self) -> Result<Module<'a>, Unread> {
        self.expect("package")?;
        let package = self.reference()?;
        let mut items = Vec::new();
        while !self.is_at_end() {
            let is_import = self.is("import") && self.peek_second().kind == Kind::Word;
            items.push(match is_import {
                true => Item::Import(self.import()?),
                false => Item::Rule(Box::new(self.rule()?)),
            });
            self.take_if(";");
        }
        Ok(Module { package, items })
    }

    /// A name and its path.
    fn reference(&mut self) -> Result<Term<'a>, Unread> {
        let name = self.expect_word()?;
        let head = Term {
            row: name.row,
            start: name.start,
            text: name.text,
            kind: TermKind::Plain(name.text),
        };
        let path = self.path()?;
        if path.is_empty() {
            return Ok(head);
        }
        let kind = TermKind::Reference { head: Box::new(head), path };
        Ok(Term { row: name.row, start: name.start, text: self.since(name.start), kind })
    }

    fn import(&mut self) -> Result<Import<'a>, Unread> {
        let row = self.expect("import")?.row;
        let path = self.reference()?;
        let alias = if self.take_if("as") { Some(self.expect_word()?.text) } else { None };
        Ok(Import { row, path, alias })
    }

    fn rule(&mut self) -> Result<Rule<'a>, Unread> {
        let Token { row, start, .. } = self.peek();
        let is_default = self.is("default") && self.peek_second().kind == Kind::Word;
        if is_default {
            self.take();
        }
        let head = self.head()?;
        let body = self.body()?;
        let otherwise = self.otherwise(row)?;
        let text = self.since(start);
        Ok(Rule { row, text, is_default, head, body, otherwise, is_inline: false })
    }

    fn head(&mut self) -> Result<Head<'a>, Unread> {
        let (start, row) = (self.peek().start, self.peek().row);
        let name = Some(self.reference()?);
        let arguments = if self.is("(") { Some(self.list("(", ")")?) } else { None };
        let key = if self.take_if("contains") { Some(self.term(true)?) } else { None };
        let value = self.value()?;
        Ok(Head { row, text: self.since(start), name, arguments, key, value })
    }

    fn value(&mut self) -> Result<Option<Term<'a>>, Unread> {
        let is_given = self.take_if(":=") || self.take_if("=");
        if is_given { self.term(true).map(Some) } else { Ok(None) }
    }

    fn body(&mut self) -> Result<Option<Body<'a>>, Unread> {
        if !self.take_if("if") {
            return match self.is("{") {
                true => Err(self.unread("expected `if` before the body of the rule")),
                false => Ok(None),
            };
        }
        if !self.take_if("{") {
            return Ok(Some(Body { statements: vec![self.statement()?], close_row: None }));
        }
        let statements = self.statements("}")?;
        let close_row = Some(self.expect("}")?.row);
        Ok(Some(Body { statements, close_row }))
    }

    /// One `else` after the other, however many there are.
    fn otherwise(&mut self, row: u32) -> Result<Option<Box<Rule<'a>>>, Unread> {
        let mut all = Vec::new();
        let mut above = row;
        while self.is("else") {
            let word = self.take();
            let value = self.value()?;
            let text = self.since(word.start);
            let head = Head { row: word.row, text, name: None, arguments: None, key: None, value };
            let body = self.body()?;
            let is_inline = !word.is_first && above != word.row;
            above = word.row;
            all.push(Rule {
                row: word.row,
                text: self.since(word.start),
                is_default: false,
                head,
                body,
                otherwise: None,
                is_inline,
            });
        }
        let chain = |next: Option<Box<Rule<'a>>>, mut rule: Rule<'a>| {
            rule.otherwise = next;
            Some(Box::new(rule))
        };
        Ok(all.into_iter().rev().fold(None, chain))
    }

    /// Statements up to what closes them.
    pub(super) fn statements(&mut self, close: &str) -> Result<Vec<Statement<'a>>, Unread> {
        let mut statements = Vec::new();
        while self.take_if(";") {}
        while !self.is(close) {
            let last_row = self.last_row();
            let is_apart = statements.is_empty() || self.peek().row > last_row;
            let is_after_mark = self.take_if(";");
            while self.take_if(";") {}
            if self.is(close) {
                break;
            }
            if !is_apart && !is_after_mark {
                return Err(self.unread("expected the end of the statement"));
            }
            statements.push(self.statement()?);
        }
        if statements.is_empty() {
            Err(self.unread("expected a statement"))
        } else {
            Ok(statements)
        }
    }

    pub(super) fn statement(&mut self) -> Result<Statement<'a>, Unread> {
        let first = self.peek();
        let is_negated = self.take_if("not");
        let kind = if self.is("some") {
            self.some()?
        } else if self.is("every") {
            self.every()?
        } else {
            self.expression()?
        };
        let end_row = first.row + lines_in(self.since(first.start));
        let mut withs = Vec::new();
        while self.is("with") {
            let row = self.take().row;
            let target = self.term(false)?;
            self.expect("as")?;
            withs.push(With { row, target, value: self.term(false)? });
        }
        let text = self.since(first.start);
        Ok(Statement { row: first.row, text, is_negated, kind, end_row, withs })
    }

    /// Only a statement assigns or unifies.
    fn expression(&mut self) -> Result<StatementKind<'a>, Unread> {
        let start = self.peek().start;
        let left = self.term(true)?;
        if !self.is_one_of(&[":=", "="]) {
            return Ok(StatementKind::Term(left));
        }
        let operator = self.take().text;
        let right = self.term(true)?;
        Ok(StatementKind::Term(self.infix(start, operator, left, right)))
    }

    fn some(&mut self) -> Result<StatementKind<'a>, Unread> {
        self.expect("some")?;
        let mut terms = vec![self.level(0)?];
        while self.take_if(",") {
            terms.push(self.level(0)?);
        }
        if !self.take_if("in") {
            return Ok(StatementKind::Some(terms));
        }
        let collection = self.level(0)?;
        let (value, key) = (terms.pop(), terms.pop());
        match value {
            Some(value) if terms.is_empty() => Ok(StatementKind::SomeIn { key, value, collection }),
            _ => Err(self.unread("expected one or two names before `in`")),
        }
    }

    fn every(&mut self) -> Result<StatementKind<'a>, Unread> {
        self.expect("every")?;
        let first = self.level(0)?;
        let (key, value) =
            if self.take_if(",") { (Some(first), self.level(0)?) } else { (None, first) };
        self.expect("in")?;
        let domain = self.level(0)?;
        self.expect("{")?;
        let statements = self.statements("}")?;
        let close_row = Some(self.expect("}")?.row);
        let body = Body { statements, close_row };
        Ok(StatementKind::Every { key, value, domain, body })
    }
}
