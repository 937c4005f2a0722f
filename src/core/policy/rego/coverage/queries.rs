//! The queries inside an expression: comprehensions, which have lines of their own.

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref};

/// Calls `visit` for every query of a statement that is not part of another query of it.
pub(super) fn in_statement(statement: &LiteralStmt, visit: &mut dyn FnMut(&Query)) {
    match &statement.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { key, value, collection, .. } => {
            key.iter().chain([value, collection]).for_each(|expr| in_expr(expr, visit));
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => in_expr(expr, visit),
        Literal::Every { domain, query, .. } => {
            in_expr(domain, visit);
            visit(query);
        }
    }
    for modifier in &statement.with_mods {
        in_expr(&modifier.r#as, visit);
    }
}

/// The same for an expression. Recursion is bounded: the scan before the parser limits nesting.
pub(super) fn in_expr(expr: &Expr, visit: &mut dyn FnMut(&Query)) {
    let mut all = |exprs: &[&Ref<Expr>]| exprs.iter().for_each(|expr| in_expr(expr, visit));
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } | Expr::Call { params: items, .. } => {
            items.iter().for_each(|item| all(&[item]));
        }
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, k, v)| all(&[k, v])),
        Expr::ArrayCompr { query, .. }
        | Expr::SetCompr { query, .. }
        | Expr::ObjectCompr { query, .. } => visit(query),
        Expr::UnaryExpr { expr: inner, .. } | Expr::RefDot { refr: inner, .. } => all(&[inner]),
        Expr::RefBrack { refr, index, .. } => all(&[refr, index]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => all(&[lhs, rhs]),
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|key| all(&[key]));
            all(&[value, collection]);
        }
    }
}
