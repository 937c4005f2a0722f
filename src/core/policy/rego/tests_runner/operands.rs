//! What in a statement has a value worth showing where the statement is not true.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Ref};

use super::text;

/// A statement with more is read by its text.
const MAX_OPERANDS: usize = 12;

/// The texts of a statement's references and calls, those that stand in them behind them; what the
/// statement itself declares has no value yet.
pub(super) fn operands(statement: &LiteralStmt) -> Vec<String> {
    let mut found = Operands::default();
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { collection, .. } => found.operand(collection),
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => found.whole(expr),
        Literal::Every { domain, .. } => found.operand(domain),
    }
    found.texts.truncate(MAX_OPERANDS);
    found.texts
}

#[derive(Default)]
struct Operands {
    texts: Vec<String>,
    seen: BTreeSet<String>,
}

impl Operands {
    fn whole(&mut self, expr: &Expr) {
        if let Expr::AssignExpr { op: AssignOp::ColEq, rhs, .. } = expr {
            self.operand(rhs);
        } else if let Expr::AssignExpr { lhs, rhs, .. } | Expr::BoolExpr { lhs, rhs, .. } = expr {
            self.operand(lhs);
            self.operand(rhs);
        } else if let Expr::Call { params, .. } = expr {
            // What it gives is known: it is not true.
            self.all(params);
        } else if let Expr::Membership { key, value, collection, .. } = expr {
            key.iter().for_each(|key| self.operand(key));
            self.operand(value);
            self.operand(collection);
        } else {
            self.operand(expr);
        }
    }

    fn all(&mut self, exprs: &[Ref<Expr>]) {
        exprs.iter().for_each(|expr| self.operand(expr));
    }

    fn operand(&mut self, expr: &Expr) {
        match expr {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { span, .. } if span.text() == "_" => {}
            Expr::Array { items, .. } | Expr::Set { items, .. } => self.all(items),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.operand(value));
            }
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.push(expr),
            Expr::ArrayCompr { .. } | Expr::SetCompr { .. } | Expr::ObjectCompr { .. } => {
                self.push(expr);
            }
            Expr::Call { params, .. } => {
                self.push(expr);
                self.all(params);
            }
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. } => {
                self.push(expr);
                self.operand(lhs);
                self.operand(rhs);
            }
            Expr::UnaryExpr { .. } | Expr::AssignExpr { .. } | Expr::Membership { .. } => {
                self.push(expr);
            }
        }
    }

    fn push(&mut self, expr: &Expr) {
        let text = text::expr(expr);
        if self.seen.insert(text.clone()) {
            self.texts.push(text);
        }
    }
}
