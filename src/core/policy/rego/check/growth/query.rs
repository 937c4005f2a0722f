//! What the statements of a query give to its variables.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query};

use super::super::super::paths::static_part;
use super::super::super::walk::{declared, names_in_pattern};
use super::Growth;

/// Statements stand in any order: each pass can only raise a size, and what still rises after so many
/// is far too large.
const MAX_PASSES: usize = 256;

impl Growth<'_> {
    pub(super) fn query(&mut self, query: &Query) {
        for _ in 0..MAX_PASSES.min(query.stmts.len() + 1) {
            let before = self.locals.clone();
            query.stmts.iter().for_each(|statement| self.statement(statement));
            if self.locals == before {
                break;
            }
        }
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                let element = self.expr(collection).element();
                key.iter().chain([value]).for_each(|pattern| self.bind(pattern, element));
            }
            Literal::Expr { expr, .. } => self.expression(expr),
            Literal::NotExpr { expr, .. } => {
                self.expr(expr);
            }
            Literal::Every { key, value, domain, query, .. } => {
                let element = self.expr(domain).element();
                let outside = self.locals.clone();
                for name in key.iter().chain([value]) {
                    self.locals.insert(name.text().to_owned(), element);
                }
                self.query(query);
                self.locals = outside;
            }
        }
        for modifier in &statement.with_mods {
            self.expr(&modifier.r#as);
        }
    }

    fn expression(&mut self, expr: &Expr) {
        if let Expr::AssignExpr { op, lhs, rhs, .. } = expr {
            let right = self.expr(rhs);
            self.bind(lhs, right);
            if matches!(op, AssignOp::Eq) {
                let left = self.expr(lhs);
                self.bind(rhs, left);
            }
        } else if let Expr::Call { fcn, params, .. } = expr {
            let arity = static_part(fcn).and_then(|name| self.names.arity(&name));
            match params.split_last() {
                // One more argument than a function takes receives its result.
                Some((result, arguments)) if arity == Some(arguments.len()) => {
                    let size = self.call(fcn, arguments);
                    self.bind(result, size);
                }
                _ => {
                    self.expr(expr);
                }
            }
        } else {
            self.expr(expr);
        }
    }

    /// Whether a query goes round: over a collection, or by an index that nothing else binds.
    pub(super) fn has_loop(&self, query: &Query) -> bool {
        let mut bound = BTreeSet::new();
        for statement in &query.stmts {
            match &statement.literal {
                Literal::SomeIn { .. } => return true,
                Literal::Expr { expr, .. } => {
                    if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, .. } = &**expr {
                        names_in_pattern(lhs, &mut bound);
                    }
                }
                Literal::SomeVars { .. } | Literal::NotExpr { .. } | Literal::Every { .. } => {}
            }
        }
        let own = declared(query);
        let is_bound = |name: &str| {
            bound.contains(name)
                || (!own.contains(name) && self.locals.contains_key(name))
                || self.names.is_global(name)
        };
        query.stmts.iter().any(|statement| match &statement.literal {
            Literal::Expr { expr, .. } => goes_round(expr, &is_bound),
            Literal::SomeVars { .. }
            | Literal::SomeIn { .. }
            | Literal::NotExpr { .. }
            | Literal::Every { .. } => false,
        })
    }
}

fn goes_round(expr: &Expr, is_bound: &impl Fn(&str) -> bool) -> bool {
    match expr {
        Expr::RefBrack { refr, index, .. } => {
            let is_free = matches!(&**index, Expr::Var { span, .. } if !is_bound(span.text()));
            let is_pattern = matches!(&**index, Expr::Array { .. } | Expr::Object { .. });
            is_free || is_pattern || goes_round(index, is_bound) || goes_round(refr, is_bound)
        }
        Expr::RefDot { refr, .. } => goes_round(refr, is_bound),
        Expr::Call { fcn, params, .. } => {
            static_part(fcn).is_some_and(|name| name.root == "walk" || name.root == "graph")
                || params.iter().any(|param| goes_round(param, is_bound))
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().any(|item| goes_round(item, is_bound))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .any(|(_, key, value)| goes_round(key, is_bound) || goes_round(value, is_bound)),
        Expr::UnaryExpr { expr, .. } => goes_round(expr, is_bound),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            goes_round(lhs, is_bound) || goes_round(rhs, is_bound)
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).any(|part| goes_round(part, is_bound))
        }
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => false,
    }
}
