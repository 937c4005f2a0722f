//! Syntax trees as Rego text again: spans do not hold quotes and parentheses, so that a piece of the
//! file is not always what it means.

use regorus::unstable::{Expr, Import, Literal, LiteralStmt, Query, Ref, WithModifier};

use super::super::signs;

/// A statement with its `with` modifiers.
pub(super) fn statement(statement: &LiteralStmt) -> String {
    let literal = match &statement.literal {
        Literal::SomeVars { vars, .. } => {
            let names: Vec<&str> = vars.iter().map(|span| span.text()).collect();
            format!("some {}", names.join(", "))
        }
        Literal::SomeIn { key, value, collection, .. } => {
            let key = key.as_ref().map(|key| format!("{}, ", expr(key))).unwrap_or_default();
            format!("some {key}{} in {}", expr(value), expr(collection))
        }
        Literal::Expr { expr: of, .. } => expr(of),
        Literal::NotExpr { expr: of, .. } => format!("not {}", expr(of)),
        Literal::Every { key, value, domain, query, .. } => {
            let key = key.as_ref().map(|key| format!("{}, ", key.text())).unwrap_or_default();
            let body = self::query(query);
            format!("every {key}{} in {} {{ {body} }}", value.text(), expr(domain))
        }
    };
    format!("{literal}{}", modifiers(&statement.with_mods))
}

/// ` with input as {} with data.x as 1`
pub(super) fn modifiers<'a>(modifiers: impl IntoIterator<Item = &'a WithModifier>) -> String {
    let text = |with: &WithModifier| format!(" with {} as {}", expr(&with.refr), expr(&with.r#as));
    modifiers.into_iter().map(text).collect()
}

pub(super) fn import(import: &Import) -> String {
    let alias = import.r#as.as_ref().map(|name| format!(" as {}", name.text()));
    format!("import {}{}", expr(&import.refr), alias.unwrap_or_default())
}

fn query(query: &Query) -> String {
    query.stmts.iter().map(statement).collect::<Vec<_>>().join("; ")
}

pub(super) fn expr(of: &Expr) -> String {
    match of {
        Expr::String { value, .. } | Expr::RawString { value, .. } => value.to_string(),
        Expr::Number { span, .. }
        | Expr::Bool { span, .. }
        | Expr::Null { span, .. }
        | Expr::Var { span, .. } => span.text().to_owned(),
        Expr::Array { items, .. } => format!("[{}]", list(items)),
        Expr::Set { items, .. } if items.is_empty() => "set()".to_owned(),
        Expr::Set { items, .. } => format!("{{{}}}", list(items)),
        Expr::Object { fields, .. } => {
            let field = |(_, key, value): &(_, Ref<Expr>, Ref<Expr>)| {
                format!("{}: {}", operand(key), operand(value))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Expr::ArrayCompr { term, query: body, .. } => {
            format!("[{} | {}]", operand(term), query(body))
        }
        Expr::SetCompr { term, query: body, .. } => {
            format!("{{{} | {}}}", operand(term), query(body))
        }
        Expr::ObjectCompr { key, value, query: body, .. } => {
            format!("{{{}: {} | {}}}", operand(key), operand(value), query(body))
        }
        Expr::Call { fcn, params, .. } => format!("{}({})", expr(fcn), list(params)),
        Expr::UnaryExpr { expr: of, .. } => format!("-{}", operand(of)),
        Expr::RefDot { refr, field, .. } => format!("{}.{}", expr(refr), field.0.text()),
        Expr::RefBrack { refr, index, .. } => format!("{}[{}]", expr(refr), expr(index)),
        Expr::BinExpr { op, lhs, rhs, .. } => infix(lhs, signs::of_sets(op), rhs),
        Expr::BoolExpr { op, lhs, rhs, .. } => infix(lhs, signs::of_comparison(op), rhs),
        Expr::ArithExpr { op, lhs, rhs, .. } => infix(lhs, signs::of_arithmetic(op), rhs),
        Expr::AssignExpr { op, lhs, rhs, .. } => infix(lhs, signs::of_assignment(op), rhs),
        Expr::Membership { key, value, collection, .. } => {
            let key = key.as_ref().map(|key| format!("{}, ", operand(key))).unwrap_or_default();
            format!("{key}{} in {}", operand(value), operand(collection))
        }
    }
}

/// Inside another expression: in parentheses where it would bind otherwise.
fn operand(of: &Expr) -> String {
    let text = expr(of);
    let binds = matches!(
        of,
        Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. }
            | Expr::UnaryExpr { .. }
    );
    if binds { format!("({text})") } else { text }
}

fn infix(lhs: &Expr, sign: &str, rhs: &Expr) -> String {
    format!("{} {sign} {}", operand(lhs), operand(rhs))
}

fn list(items: &[Ref<Expr>]) -> String {
    items.iter().map(|item| operand(item)).collect::<Vec<_>>().join(", ")
}
