//! How an expression is watched: the whole of it, and the values that it is made of.

use regorus::unstable::{Expr, Ref};

use super::super::paths::{RulePath, static_part};
use super::super::rules::Definition;
use super::super::walk::uses;
use super::sites::{Part, Watched};
use super::syntax::{inside, is_literal};
use super::watch::Watcher;
use crate::policy::explanation::cut;

/// An expression inside an expression inside a statement: beyond it a value says little.
const MAX_OPERAND_DEPTH: usize = 4;

impl Watcher<'_> {
    /// Records the whole of what a statement asks, and what is inside it.
    pub(super) fn whole(&mut self, body: usize, statement: usize, expr: &Ref<Expr>) {
        let Some((start, end)) = self.range(expr) else { return };
        let whole = self.watched(expr, start, end);
        let mut used = Vec::new();
        self.references(expr, &mut used);
        let site = self.sites.add(body, statement, Part::Whole);
        let parens = needs_parens(expr);
        self.edits.open(site, start, parens);
        for part in self.operands(expr) {
            self.operand(body, statement, part, 1);
        }
        self.edits.close(end, parens);
        if let Some(statement) = self.sites.statement_mut(body, statement) {
            statement.whole = Some(whole);
            statement.uses.extend(used);
        }
    }

    fn operand(&mut self, body: usize, statement: usize, expr: &Ref<Expr>, depth: usize) {
        if is_literal(expr) || depth > MAX_OPERAND_DEPTH {
            return;
        }
        // Its members say more than the whole.
        if let Expr::Array { items, .. } | Expr::Set { items, .. } = &**expr {
            return items.iter().for_each(|item| self.operand(body, statement, item, depth + 1));
        }
        let is_document = matches!(&**expr, Expr::Var { span, .. }
            if matches!(span.text(), "_" | "input" | "data"));
        let Some((start, end)) = self.range(expr).filter(|_| !is_document) else { return };
        let watched = self.watched(expr, start, end);
        let Some(target) = self.sites.statement_mut(body, statement) else { return };
        let index = target.operands.len();
        target.operands.push(watched);
        let site = self.sites.add(body, statement, Part::Operand(index));
        let parens = needs_parens(expr);
        self.edits.open(site, start, parens);
        for part in self.operands(expr) {
            self.operand(body, statement, part, depth + 1);
        }
        self.edits.close(end, parens);
    }

    /// The expressions inside one that have values of their own.
    fn operands<'e>(&self, expr: &'e Ref<Expr>) -> Vec<&'e Ref<Expr>> {
        match &**expr {
            Expr::Call { params, .. } if !self.receives(expr) => params.iter().collect(),
            Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::UnaryExpr { .. }
            | Expr::Membership { .. } => inside(expr),
            Expr::Call { .. }
            | Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Var { .. }
            | Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::ArrayCompr { .. }
            | Expr::SetCompr { .. }
            | Expr::ObjectCompr { .. } => Vec::new(),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => indices(expr),
        }
    }

    fn range(&self, expr: &Expr) -> Option<(usize, usize)> {
        // The parser's spans of these two are wrong; the second is `set()`.
        let is_wrong = matches!(expr, Expr::Object { .. })
            || matches!(expr, Expr::Set { items, .. } if items.is_empty());
        if is_wrong { None } else { self.quotes.range(expr.span()) }
    }

    fn watched(&self, expr: &Expr, start: usize, end: usize) -> Watched {
        let text = expr.span().source.contents().get(start..end).unwrap_or_default();
        Watched { text: cut(text), is_masked: self.scope.carries(expr) }
    }

    /// Whether it is a call whose last argument receives the result, or `walk`, which the engine
    /// knows only where it stands by itself.
    pub(super) fn receives(&self, expr: &Expr) -> bool {
        let Expr::Call { fcn, params, .. } = expr else {
            return inside(expr).into_iter().any(|part| self.receives(part));
        };
        let Some(name) = static_part(fcn) else { return true };
        name.root == "walk"
            || name.root == "print"
            || self.names.arity(&name) != Some(params.len())
            || params.iter().any(|param| self.receives(param))
    }

    fn references(&self, expr: &Ref<Expr>, used: &mut Vec<RulePath>) {
        let Some(name) = static_part(expr) else {
            inside(expr).into_iter().for_each(|part| self.references(part, used));
            return;
        };
        if let Some(path) = self.names.data_path(&name) {
            used.extend(self.rules.read_by(&path, &name.tail).cloned());
        }
        let mut expr = expr;
        while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = &**expr {
            if let Expr::RefBrack { index, .. } = &**expr {
                self.references(index, used);
            }
            expr = refr;
        }
    }

    pub(super) fn uses(&self, definition: &Definition) -> Vec<RulePath> {
        let uses = uses(&definition.rule);
        let mut all = Vec::new();
        for reference in &uses.references {
            if let Some(path) = self.names.data_path(&reference.name) {
                all.extend(self.rules.read_by(&path, &reference.name.tail).cloned());
            }
        }
        all.extend(uses.calls.iter().filter_map(|call| self.names.function(&call.name)));
        all.sort();
        all.dedup();
        all
    }
}

/// What stands in the brackets of a reference, but for names, which it may bind.
fn indices(expr: &Ref<Expr>) -> Vec<&Ref<Expr>> {
    let mut found = Vec::new();
    let mut expr = expr;
    while let Expr::RefDot { refr, .. } | Expr::RefBrack { refr, .. } = &**expr {
        if let Expr::RefBrack { index, .. } = &**expr
            && matches!(&**index, Expr::RefDot { .. } | Expr::Call { .. })
        {
            found.push(index);
        }
        expr = refr;
    }
    found
}

/// `k, v in c` would be two arguments.
const fn needs_parens(expr: &Expr) -> bool {
    matches!(expr, Expr::Membership { .. })
}
