//! Static references into the input, typed against the published document.
//!
//! The rules of a bundle enter; a finding leaves for each field that does not exist, each header name
//! that never matches and each operation whose operand cannot be right. What is not known is never
//! reported.

mod builtins;
mod input;
mod kinds;
mod nearest;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regorus::unstable::{
    AssignOp, Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleBody, RuleHead, Span,
};

use super::super::{Code, Finding, Findings, Severity};
use super::module_files::is_test;
use super::names::Names;
use super::paths::static_part;
use super::rules::Rules;
use super::walk::{declared, names_in_pattern};
pub(super) use input::field;
pub(super) use schema::{INPUT, Type};

/// What kind of value an expression has, where that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    String,
    Number,
    Boolean,
    Array,
    Object,
    Set,
}

/// Whether a builtin gives a text, a number or a boolean, whatever it is given.
pub(super) fn gives_a_plain_value(builtin: &str) -> bool {
    let kind = builtins::signature(builtin).and_then(|signature| signature.result);
    matches!(kind, Some(Kind::Null | Kind::String | Kind::Number | Kind::Boolean))
        || builtin.starts_with("is_")
        || builtin.ends_with(".is_valid")
}

/// Types every definition of every rule.
pub(super) fn check(rules: &Rules, findings: &mut Findings) {
    for definition in rules.iter().flat_map(|(_, definitions)| definitions) {
        let names = Names::of(&definition.module, rules);
        let severity = if is_test(&definition.file) { Severity::Warning } else { Severity::Error };
        let mut types = Types { names, locals: vec![], is_replaced: false, severity, findings };
        types.rule(&definition.rule);
    }
}

struct Types<'a, 'f> {
    names: Names<'a>,
    /// What the queries around an expression declare; `None` is a variable of any type.
    locals: Vec<BTreeMap<String, Option<&'static Type>>>,
    /// `with input` stands behind the statement: the document is another.
    is_replaced: bool,
    severity: Severity,
    findings: &'f mut Findings,
}

impl Types<'_, '_> {
    fn rule(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, .. } = rule else { return };
        let mut arguments = Default::default();
        let (refr, key, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, None, assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, key.as_ref(), None),
            RuleHead::Func { refr, args, assign, .. } => {
                args.iter().for_each(|arg| names_in_pattern(arg, &mut arguments));
                (refr, None, assign.as_ref())
            }
        };
        self.locals.push(arguments.into_iter().map(|name| (name, None)).collect());
        let mut terms = vec![refr];
        terms.extend(key);
        terms.extend(assign.map(|assign| &assign.value));
        if bodies.is_empty() {
            self.query(None, &terms);
        }
        for (index, RuleBody { assign, query, .. }) in bodies.iter().enumerate() {
            let own: Vec<_> = assign.iter().map(|assign| &assign.value).collect();
            self.query(Some(query), if index == 0 { &terms } else { &own });
        }
        self.locals.pop();
    }

    fn query(&mut self, query: Option<&Query>, terms: &[&Ref<Expr>]) {
        let names = query.map(declared).unwrap_or_default();
        self.locals.push(names.into_iter().map(|name| (name, None)).collect());
        for statement in query.iter().flat_map(|query| &query.stmts) {
            self.statement(statement);
        }
        terms.iter().for_each(|term| self.visit(term));
        self.locals.pop();
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        let before = self.is_replaced;
        for modifier in &statement.with_mods {
            self.visit(&modifier.r#as);
            if static_part(&modifier.refr).is_some_and(|path| path.root == "input") {
                self.replacement(&modifier.refr, &modifier.r#as);
                self.is_replaced = true;
            }
        }
        match &statement.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                self.visit(collection);
                let item = self.type_of(collection).and_then(item_of);
                key.iter().for_each(|key| self.visit(key));
                self.bind(value, item);
            }
            Literal::Expr { expr, .. } => {
                self.visit(expr);
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = &**expr {
                    let value = self.type_of(rhs);
                    self.bind(lhs, value);
                }
            }
            Literal::NotExpr { expr, .. } => self.visit(expr),
            Literal::Every { key, value, domain, query, .. } => {
                self.visit(domain);
                let item = self.type_of(domain).and_then(item_of);
                let key = key.iter().map(|key| (key.text().to_owned(), None));
                let names = key.chain([(value.text().to_owned(), item)]).collect();
                self.locals.push(names);
                self.query(Some(query), &[]);
                self.locals.pop();
            }
        }
        self.is_replaced = before;
    }

    /// The document that `with input` puts in place is bound to know no other fields.
    fn replacement(&mut self, target: &Expr, value: &Expr) {
        if let Some(at) = self.type_of_path(target) {
            self.literal(at, value);
        }
    }

    fn literal(&mut self, at: &'static Type, value: &Expr) {
        let Expr::Object { fields, .. } = value else { return };
        for (_, key, value) in fields {
            let Expr::String { span, value: name, .. } = &**key else { continue };
            let Ok(name) = name.as_string() else { continue };
            match field(at, name) {
                Ok(Some(next)) => self.literal(next, value),
                Ok(None) => {}
                Err(problem) => self.warn(span, problem.message("the document"), problem.hint()),
            }
        }
    }

    fn bind(&mut self, pattern: &Expr, value: Option<&'static Type>) {
        if let Expr::Var { span, .. } = pattern
            && let Some(names) = self.locals.last_mut()
        {
            names.insert(span.text().to_owned(), value);
        } else {
            self.visit(pattern);
        }
    }

    fn report(&mut self, at: &Span, message: String, hint: Option<String>) {
        let finding = Finding::new(self.severity, at.source.file(), at.line, at.col, message);
        self.findings.0.push(Finding { code: Some(Code::RegoTypeError), hint, ..finding });
    }

    fn warn(&mut self, at: &Span, message: String, hint: Option<String>) {
        let finding = Finding::new(Severity::Warning, at.source.file(), at.line, at.col, message);
        self.findings.0.push(Finding { hint, ..finding });
    }
}

/// What an element of a collection has.
const fn item_of(collection: &'static Type) -> Option<&'static Type> {
    match collection {
        Type::List(item) | Type::Map(item) | Type::Headers(item) => Some(item),
        Type::Any
        | Type::String
        | Type::Number
        | Type::Boolean
        | Type::Object(_)
        | Type::Open(_) => None,
    }
}
