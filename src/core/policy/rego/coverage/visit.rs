//! What stands inside of rules, statements and expressions, one level at a time.
//!
//! Recursion over it is bounded: the scan before the parser limits nesting.

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleHead};

/// What a visit finds.
pub(super) enum Inside<'a> {
    Expr(&'a Expr),
    /// Of a comprehension, or of `every`.
    Query(&'a Query),
}

/// The expressions and queries of a statement.
pub(super) fn of_statement(statement: &LiteralStmt) -> Vec<Inside<'_>> {
    let mut inside = match &statement.literal {
        Literal::SomeVars { .. } => vec![],
        Literal::SomeIn { key, value, collection, .. } => {
            exprs(key.iter().chain([value, collection]))
        }
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => exprs([expr]),
        Literal::Every { domain, query, .. } => vec![Inside::Expr(domain), Inside::Query(query)],
    };
    inside.extend(exprs(statement.with_mods.iter().flat_map(|with| [&with.refr, &with.r#as])));
    inside
}

/// The parts of an expression.
pub(super) fn of_expr(expr: &Expr) -> Vec<Inside<'_>> {
    match expr {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => vec![],
        Expr::Array { items, .. } | Expr::Set { items, .. } => exprs(items),
        Expr::Call { fcn, params, .. } => exprs([fcn].into_iter().chain(params)),
        Expr::Object { fields, .. } => exprs(fields.iter().flat_map(|(_, k, v)| [k, v])),
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            vec![Inside::Expr(term), Inside::Query(query)]
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            vec![Inside::Expr(key), Inside::Expr(value), Inside::Query(query)]
        }
        Expr::UnaryExpr { expr: inner, .. } | Expr::RefDot { refr: inner, .. } => exprs([inner]),
        Expr::RefBrack { refr, index, .. } => exprs([refr, index]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => exprs([lhs, rhs]),
        Expr::Membership { key, value, collection, .. } => {
            exprs(key.iter().chain([value, collection]))
        }
    }
}

/// The values and the bodies of a rule, its name and its arguments left out.
pub(super) fn of_rule(rule: &Rule) -> Vec<Inside<'_>> {
    match rule {
        Rule::Default { value, .. } => exprs([value]),
        Rule::Spec { head, bodies, .. } => {
            let value = match head {
                RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => {
                    assign.as_ref().map(|assign| &assign.value)
                }
                RuleHead::Set { key, .. } => key.as_ref(),
            };
            let others = bodies.iter().filter_map(|body| body.assign.as_ref());
            let mut inside = exprs(value.into_iter().chain(others.map(|assign| &assign.value)));
            inside.extend(bodies.iter().map(|body| Inside::Query(&body.query)));
            inside
        }
    }
}

fn exprs<'a>(exprs: impl IntoIterator<Item = &'a Ref<Expr>>) -> Vec<Inside<'a>> {
    exprs.into_iter().map(|expr| Inside::Expr(expr)).collect()
}
