//! A rule as text from its syntax tree: two rules of one text mean the same.
//!
//! Names stand for what they mean: an import's alias and a rule of the same package are written as
//! paths below `data` or `input`. A name that the rule itself declares anywhere stays as it is, and
//! the import that it may hide is noted, so that no change of meaning goes unseen. The rule's own
//! name is left out: a renamed rule has the text that it had.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleAssign, RuleHead};

use super::super::names::Names;
use super::super::paths::{Static, static_part};
use super::super::signs;
use super::super::walk::{declared, names_in_pattern};

/// The text of a rule; recursion is bounded by the scan before the parser.
pub(super) fn meaning(rule: &Rule, names: &Names<'_>) -> String {
    let mut writer = Writer { names, locals: BTreeSet::new() };
    // The first writing learns which names the rule declares.
    writer.rule(rule);
    let mut text = writer.rule(rule);
    for local in &writer.locals {
        if let Some(path) = writer.imported(local) {
            text.push_str(&format!("\nwhere {local} may be {path}"));
        }
    }
    text
}

struct Writer<'a> {
    names: &'a Names<'a>,
    locals: BTreeSet<String>,
}

impl Writer<'_> {
    fn rule(&mut self, rule: &Rule) -> String {
        match rule {
            Rule::Default { args, value, .. } => {
                args.iter().for_each(|arg| names_in_pattern(arg, &mut self.locals));
                let arguments = self.all(args);
                format!("default({arguments}) := {}", self.expr(value))
            }
            Rule::Spec { head, bodies, .. } => {
                let mut text = self.head(head);
                for (index, body) in bodies.iter().enumerate() {
                    let value = self.value(body.assign.as_ref());
                    match (body.is_else, index) {
                        (true, _) => text.push_str(&format!("\nelse := {value}")),
                        (false, 0) => {}
                        (false, _) => text.push_str("\nor"),
                    }
                    for line in self.query(&body.query) {
                        text.push_str("\n  ");
                        text.push_str(&line);
                    }
                }
                text
            }
        }
    }

    fn head(&mut self, head: &RuleHead) -> String {
        match head {
            RuleHead::Compr { refr, assign, .. } => {
                format!("{} := {}", self.keys(refr), self.value(assign.as_ref()))
            }
            RuleHead::Func { refr, args, assign, .. } => {
                args.iter().for_each(|arg| names_in_pattern(arg, &mut self.locals));
                let arguments = self.all(args);
                format!("{}({arguments}) := {}", self.keys(refr), self.value(assign.as_ref()))
            }
            RuleHead::Set { refr, key, .. } => {
                let key = key.as_ref().map(|key| self.expr(key)).unwrap_or_default();
                format!("{} contains {key}", self.keys(refr))
            }
        }
    }

    /// A head without a value, and an `else` without one, is true.
    fn value(&mut self, assign: Option<&RuleAssign>) -> String {
        assign.map_or_else(|| "true".to_owned(), |assign| self.expr(&assign.value))
    }

    /// What follows the name of a rule: `[user]` of `roles[user]`.
    fn keys(&mut self, head: &Expr) -> String {
        let known = static_part(head).map_or(0, |name| name.rest.len());
        let mut keys = Vec::new(); // from the end
        let mut expr = head;
        loop {
            if let Expr::RefDot { refr, field, .. } = expr {
                keys.push(quoted(field.0.text()));
                expr = refr;
            } else if let Expr::RefBrack { refr, index, .. } = expr {
                keys.push(self.expr(index));
                expr = refr;
            } else {
                break;
            }
        }
        keys.iter().rev().skip(known).map(|key| format!("[{key}]")).collect()
    }

    fn query(&mut self, query: &Query) -> Vec<String> {
        self.locals.append(&mut declared(query));
        query.stmts.iter().map(|statement| self.statement(statement)).collect()
    }

    fn statement(&mut self, statement: &LiteralStmt) -> String {
        let mut text = match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                let mut vars: Vec<&str> = vars.iter().map(|span| span.text()).collect();
                vars.sort_unstable();
                format!("some {}", vars.join(", "))
            }
            Literal::SomeIn { key, value, collection, .. } => {
                let element = self.element(key.as_ref(), value);
                format!("some {element} in {}", self.expr(collection))
            }
            Literal::Expr { expr, .. } => self.expr(expr),
            Literal::NotExpr { expr, .. } => format!("not {}", self.expr(expr)),
            Literal::Every { key, value, domain, query, .. } => {
                let names = key.iter().chain([value]).map(|span| span.text().to_owned());
                let names: Vec<String> = names.collect();
                self.locals.extend(names.iter().cloned());
                let domain = self.expr(domain);
                format!("every {} in {domain} {}", names.join(", "), self.braced(query))
            }
        };
        for modifier in &statement.with_mods {
            let (target, value) = (self.expr(&modifier.refr), self.expr(&modifier.r#as));
            text.push_str(&format!(" with {target} as {value}"));
        }
        text
    }

    fn element(&mut self, key: Option<&Ref<Expr>>, value: &Expr) -> String {
        let key = key.map(|key| format!("{}, ", self.expr(key))).unwrap_or_default();
        format!("{key}{}", self.expr(value))
    }

    fn braced(&mut self, query: &Query) -> String {
        format!("{{{}}}", self.query(query).join("; "))
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Ref<Expr>>) -> String {
        let texts: Vec<String> = exprs.into_iter().map(|expr| self.expr(expr)).collect();
        texts.join(", ")
    }

    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::String { value, .. }
            | Expr::RawString { value, .. }
            | Expr::Number { value, .. }
            | Expr::Bool { value, .. }
            | Expr::Null { value, .. } => value.to_string(),
            Expr::Var { span, .. } => self.name(span.text()),
            Expr::RefDot { refr, field, .. } => {
                format!("{}[{}]", self.expr(refr), quoted(field.0.text()))
            }
            Expr::RefBrack { refr, index, .. } => {
                format!("{}[{}]", self.expr(refr), self.expr(index))
            }
            Expr::Array { items, .. } => format!("[{}]", self.all(items)),
            Expr::Set { items, .. } => {
                let items = items.iter().map(|item| self.expr(item)).collect();
                format!("{{{}}}", sorted(items))
            }
            Expr::Object { fields, .. } => {
                let field = |(_, key, value): &(_, Ref<Expr>, Ref<Expr>)| {
                    format!("{}: {}", self.expr(key), self.expr(value))
                };
                let fields = fields.iter().map(field).collect();
                format!("object{{{}}}", sorted(fields))
            }
            Expr::ArrayCompr { term, query, .. } => {
                let query = self.braced(query);
                format!("[{} | {query}]", self.expr(term))
            }
            Expr::SetCompr { term, query, .. } => {
                let query = self.braced(query);
                format!("{{{} | {query}}}", self.expr(term))
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                let query = self.braced(query);
                format!("{{{}: {} | {query}}}", self.expr(key), self.expr(value))
            }
            Expr::Call { fcn, params, .. } => format!("{}({})", self.expr(fcn), self.all(params)),
            Expr::UnaryExpr { expr, .. } => format!("-{}", self.expr(expr)),
            Expr::BinExpr { op, lhs, rhs, .. } => self.infix(signs::of_sets(op), lhs, rhs),
            Expr::BoolExpr { op, lhs, rhs, .. } => self.infix(signs::of_comparison(op), lhs, rhs),
            Expr::ArithExpr { op, lhs, rhs, .. } => self.infix(signs::of_arithmetic(op), lhs, rhs),
            Expr::AssignExpr { op, lhs, rhs, .. } => self.infix(signs::of_assignment(op), lhs, rhs),
            Expr::Membership { key, value, collection, .. } => {
                let element = self.element(key.as_ref(), value);
                format!("({element} in {})", self.expr(collection))
            }
        }
    }

    fn infix(&mut self, operator: &str, left: &Expr, right: &Expr) -> String {
        format!("({} {operator} {})", self.expr(left), self.expr(right))
    }

    /// What a name means.
    fn name(&self, name: &str) -> String {
        if self.locals.contains(name) {
            return name.to_owned();
        }
        self.imported(name).unwrap_or_else(|| name.to_owned())
    }

    /// The path that an import, or the package, gives a name.
    fn imported(&self, name: &str) -> Option<String> {
        if matches!(name, "input" | "data" | "_") {
            return None;
        }
        let root =
            Static { root: name.to_owned(), rest: Vec::new(), is_whole: true, tail: Vec::new() };
        if let Some(path) = self.names.data_path(&root) {
            return Some(path.0.iter().fold("data".to_owned(), |path, part| keyed(path, part)));
        }
        let path = self.names.input_path(name)?;
        Some(path.iter().fold("input".to_owned(), |path, part| keyed(path, part)))
    }
}

fn keyed(path: String, part: &str) -> String {
    format!("{path}[{}]", quoted(part))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn sorted(mut items: Vec<String>) -> String {
    items.sort();
    items.join(", ")
}
