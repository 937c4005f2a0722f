//! Every statement of a rule, those of comprehensions and of `every` too, and what it names.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Rule, RuleAssign, RuleHead};

/// What a walk meets.
pub(super) trait Visit<'a> {
    fn statement(&mut self, _: &'a LiteralStmt) {}
    fn expr(&mut self, _: &'a Expr) {}
}

pub(super) fn rule<'a>(rule: &'a Rule, visit: &mut impl Visit<'a>) {
    let Rule::Spec { head, bodies, .. } = rule else { return };
    match head {
        RuleHead::Compr { refr, assign, .. } | RuleHead::Func { refr, assign, .. } => {
            expr(refr, visit);
            assigned(assign.as_ref(), visit);
        }
        RuleHead::Set { refr, key, .. } => {
            expr(refr, visit);
            key.iter().for_each(|key| expr(key, visit));
        }
    }
    for body in bodies {
        assigned(body.assign.as_ref(), visit);
        query(&body.query, visit);
    }
}

fn assigned<'a>(assign: Option<&'a RuleAssign>, visit: &mut impl Visit<'a>) {
    if let Some(assign) = assign {
        expr(&assign.value, visit);
    }
}

fn query<'a>(query: &'a Query, visit: &mut impl Visit<'a>) {
    query.stmts.iter().for_each(|stmt| statement(stmt, visit));
}

pub(super) fn statement<'a>(of: &'a LiteralStmt, visit: &mut impl Visit<'a>) {
    visit.statement(of);
    match &of.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { key, value, collection, .. } => {
            key.iter().for_each(|key| expr(key, visit));
            expr(value, visit);
            expr(collection, visit);
        }
        Literal::Expr { expr: of, .. } | Literal::NotExpr { expr: of, .. } => expr(of, visit),
        Literal::Every { domain, query: body, .. } => {
            expr(domain, visit);
            query(body, visit);
        }
    }
    for with in &of.with_mods {
        expr(&with.r#as, visit);
    }
}

pub(super) fn expr<'a>(of: &'a Expr, visit: &mut impl Visit<'a>) {
    visit.expr(of);
    match of {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::Var { .. } => {}
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().for_each(|item| expr(item, visit));
        }
        Expr::Object { fields, .. } => {
            for (_, key, value) in fields {
                expr(key, visit);
                expr(value, visit);
            }
        }
        Expr::ArrayCompr { term, query: body, .. } | Expr::SetCompr { term, query: body, .. } => {
            expr(term, visit);
            query(body, visit);
        }
        Expr::ObjectCompr { key, value, query: body, .. } => {
            expr(key, visit);
            expr(value, visit);
            query(body, visit);
        }
        Expr::Call { fcn, params, .. } => {
            expr(fcn, visit);
            params.iter().for_each(|param| expr(param, visit));
        }
        Expr::UnaryExpr { expr: of, .. } => expr(of, visit),
        Expr::RefDot { refr, .. } => expr(refr, visit),
        Expr::RefBrack { refr, index, .. } => {
            expr(refr, visit);
            expr(index, visit);
        }
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            expr(lhs, visit);
            expr(rhs, visit);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().for_each(|key| expr(key, visit));
            expr(value, visit);
            expr(collection, visit);
        }
    }
}

/// The names that stand alone or begin a reference.
#[derive(Default)]
pub(super) struct NamesIn(pub(super) BTreeSet<String>);

impl<'a> Visit<'a> for NamesIn {
    fn expr(&mut self, of: &'a Expr) {
        if let Expr::Var { span, .. } = of {
            self.0.insert(span.text().to_owned());
        }
    }
}

pub(super) fn names_in(of: &Expr) -> BTreeSet<String> {
    let mut names = NamesIn::default();
    expr(of, &mut names);
    names.0
}
