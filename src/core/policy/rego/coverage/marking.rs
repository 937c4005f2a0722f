//! One pass over a module: what is counted in it, and where its marks go.

use std::collections::BTreeMap;

use regorus::unstable::{
    AssignOp, Expr, Literal, Module, Query, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::super::paths::{RulePath, static_part};
use super::super::rules::package_of;
use super::super::walk::start_of;
use super::imports::written_out;
use super::marks::HELD;
use super::text::{Lines, skip_space};
use super::visit::{Inside, of_expr, of_statement};

const CONTAINS: &str = "contains";
const ELSE: &str = "else";

/// Something that is evaluated as one, and the lines from its first to its last.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A definition's head, or an `else`: reached where it gave its value.
    Head(u32),
    /// The default of a rule: reached where it was needed.
    Default(u32),
    /// A statement, or the default of a function: reached where the interpreter was.
    Evaluated,
}

/// What stands from one offset to the other becomes another text.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

/// The pass over one module.
pub(super) struct Marking<'a> {
    text: &'a str,
    lines: &'a Lines,
    package: RulePath,
    /// The rules that have a default, each with its number.
    defaults: &'a BTreeMap<RulePath, u32>,
    definitions: u32,
    units: Vec<Unit>,
    changes: Vec<Change>,
}

impl<'a> Marking<'a> {
    /// `definitions` have been numbered in other modules.
    pub(super) fn new(
        module: &'a Module,
        lines: &'a Lines,
        defaults: &'a BTreeMap<RulePath, u32>,
        definitions: u32,
    ) -> Self {
        let text = module.package.span.source.contents();
        let package = package_of(module);
        let changes = written_out(module);
        Self { text, lines, package, defaults, definitions, units: vec![], changes }
    }

    pub(super) fn definitions(&self) -> u32 {
        self.definitions
    }

    /// Takes one rule in. If the rule has a default, its number and how the module writes its name
    /// leave.
    pub(super) fn rule(&mut self, rule: &Rule) -> Option<(u32, &'a str)> {
        match rule {
            Rule::Default { span, refr, args, value, .. } => {
                let number = self.number(refr).filter(|_| args.is_empty());
                self.unit(span.start, span.end, number.map_or(What::Evaluated, What::Default));
                self.queries(value);
                Some((number?, self.reference(refr)?))
            }
            Rule::Spec { head, bodies, .. } => {
                let (RuleHead::Compr { refr, .. }
                | RuleHead::Set { refr, .. }
                | RuleHead::Func { refr, .. }) = head;
                let number = self.number(refr);
                self.head(head, refr, number.unwrap_or(0));
                for body in bodies {
                    if body.is_else {
                        self.otherwise(body, number.unwrap_or(0));
                    }
                    self.query(&body.query);
                }
                Some((number?, self.reference(refr)?))
            }
        }
    }

    fn number(&self, reference: &Expr) -> Option<u32> {
        let name = static_part(reference).filter(|name| name.is_whole)?;
        self.defaults.get(&self.package.push(&name.root).join(&name.rest)).copied()
    }

    fn reference(&self, reference: &Expr) -> Option<&'a str> {
        self.text.get(index(start_of(reference).start)..index(reference.span().end))
    }

    fn head(&mut self, head: &RuleHead, reference: &Expr, rule: u32) {
        let (RuleHead::Compr { span, .. }
        | RuleHead::Set { span, .. }
        | RuleHead::Func { span, .. }) = head;
        match head {
            RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => {
                let what = match assign {
                    Some(assign) => self.mark_value(assign, rule),
                    None => self.mark(index(span.end), None, rule),
                };
                self.unit(span.start, span.end, what);
                assign.iter().for_each(|assign| self.queries(&assign.value));
            }
            RuleHead::Set { key, .. } => {
                let word = skip_space(self.text, index(reference.span().end));
                let has_word = self.text.get(word..).is_some_and(|rest| rest.starts_with(CONTAINS));
                let what = match has_word {
                    true => self.mark(word + CONTAINS.len(), Some(index(span.end)), rule),
                    false => What::Evaluated,
                };
                self.unit(span.start, span.end, what);
                key.iter().for_each(|key| self.queries(key));
            }
        }
    }

    fn otherwise(&mut self, body: &RuleBody, rule: u32) {
        let behind = index(body.span.start) + ELSE.len();
        let (what, end) = match &body.assign {
            Some(assign) => (self.mark_value(assign, rule), assign.span.end),
            None => (self.mark(behind, None, rule), body.span.start),
        };
        self.unit(body.span.start, end, what);
        body.assign.iter().for_each(|assign| self.queries(&assign.value));
    }

    fn mark_value(&mut self, assign: &RuleAssign, rule: u32) -> What {
        let Span { start, end, .. } = assign.span;
        let operator = match assign.op {
            AssignOp::Eq => "=",
            AssignOp::ColEq => ":=",
        };
        self.mark(index(start) + operator.len(), Some(index(end)), rule)
    }

    /// Puts a mark around the value that ends there, or in the place of one that is not written.
    fn mark(&mut self, start: usize, end: Option<usize>, rule: u32) -> What {
        self.definitions = self.definitions.saturating_add(1);
        let definition = self.definitions;
        match end {
            Some(end) => {
                // A text's span ends before its quote.
                let is_quote = matches!(self.text.as_bytes().get(end), Some(b'"' | b'`'));
                let end = end + usize::from(is_quote);
                self.insert(start, format!(" {HELD}({definition}, {rule}, "));
                self.insert(end, ")".to_owned());
            }
            None => {
                self.insert(start, format!(" := {HELD}({definition}, {rule}, true)"));
            }
        }
        What::Head(definition)
    }

    fn query(&mut self, query: &Query) {
        for statement in &query.stmts {
            if !matches!(statement.literal, Literal::SomeVars { .. }) {
                self.unit(statement.span.start, statement.span.end, What::Evaluated);
            }
            of_statement(statement).iter().for_each(|inside| self.inside(inside));
        }
    }

    fn queries(&mut self, expr: &Expr) {
        of_expr(expr).iter().for_each(|inside| self.inside(inside));
    }

    fn inside(&mut self, inside: &Inside<'_>) {
        match inside {
            Inside::Expr(expr) => self.queries(expr),
            Inside::Query(query) => self.query(query),
        }
    }

    fn insert(&mut self, at: usize, text: String) {
        self.changes.push(Change { start: at, end: at, text });
    }

    fn unit(&mut self, start: u32, end: u32, what: What) {
        // The end is that of the last byte's neighbour.
        let last = end.saturating_sub(1).max(start);
        self.units.push(Unit { first: self.lines.at(start), last: self.lines.at(last), what });
    }

    /// The module's text with its marks, and what is counted in it.
    pub(super) fn finish(self) -> (String, Vec<Unit>) {
        (changed(self.text, self.changes), self.units)
    }
}

/// The text after all changes, of which none overlap.
pub(super) fn changed(text: &str, mut changes: Vec<Change>) -> String {
    // A mark goes before what begins in the same place.
    changes.sort_by_key(|change| (change.start, change.end));
    let mut changed = String::with_capacity(text.len());
    let mut from = 0;
    for change in &changes {
        changed.push_str(text.get(from..change.start).unwrap_or_default());
        changed.push_str(&change.text);
        from = change.end;
    }
    changed.push_str(text.get(from..).unwrap_or_default());
    changed
}

pub(super) fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
