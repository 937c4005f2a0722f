//! What a test puts where the record shows nothing: credentials that no output of the test may hold.

use regorus::Value;
use regorus::unstable::{Expr, LiteralStmt, Module, Rule, RuleHead};
use serde_json::Value as Json;

use super::inputs::input_target;
use super::statements::{self, Visit};
use crate::masking::{self, Secrets};

/// A value that is shown beyond this tells nobody anything.
const MAX_VALUE_CHARS: usize = 400;
/// Constants that stand for constants.
const MAX_CONSTANTS: usize = 4;

/// The secrets that a test module writes down: what stands in headers and the like, and the constants
/// that are named there.
pub(in super::super) fn written(module: &Module) -> Secrets {
    let mut seen = Written { module, found: Vec::new() };
    for rule in &module.policy {
        statements::rule(rule, &mut seen);
    }
    let mut secrets = Secrets::default();
    secrets.add_all(seen.found.iter().map(String::as_str));
    secrets
}

/// JSON as it is shown on one line.
pub(super) fn shown(value: &Json, secrets: &Secrets) -> String {
    let hidden = secrets.hide_value(value);
    let text = if hidden == masking::MASK { masking::MASK.to_owned() } else { hidden.to_string() };
    match text.char_indices().nth(MAX_VALUE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

pub(super) fn json_of(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

struct Written<'a> {
    module: &'a Module,
    found: Vec<String>,
}

impl<'a> Visit<'a> for Written<'a> {
    fn statement(&mut self, statement: &'a LiteralStmt) {
        for with in &statement.with_mods {
            let path = input_target(with).unwrap_or_default();
            let parents = [""].into_iter().chain(path.iter().map(String::as_str));
            let is_hidden =
                parents.zip(&path).any(|(parent, name)| masking::hides_member(parent, name));
            match path.last() {
                _ if is_hidden => self.collect(&with.r#as, 0),
                Some(last) => self.members(last, &with.r#as),
                None => {}
            }
        }
    }

    fn expr(&mut self, expr: &'a Expr) {
        self.members("", expr);
    }
}

impl<'a> Written<'a> {
    fn members(&mut self, parent: &str, expr: &'a Expr) {
        let Expr::Object { fields, .. } = expr else { return };
        for (_, key, value) in fields {
            let Expr::String { value: name, .. } = &**key else { continue };
            let Ok(name) = name.as_string() else { continue };
            if masking::hides_member(parent, name) {
                self.collect(value, 0);
            } else if parent.is_empty() {
                self.members(name, value);
            }
        }
    }

    fn collect(&mut self, expr: &'a Expr, constants: usize) {
        let mut inside = Inside::default();
        statements::expr(expr, &mut inside);
        self.found.append(&mut inside.texts);
        if constants >= MAX_CONSTANTS {
            return;
        }
        let module = self.module;
        for name in inside.names {
            for rule in &module.policy {
                if let Rule::Spec {
                    head: RuleHead::Compr { refr, assign: Some(assign), .. }, ..
                } = &**rule
                    && matches!(&**refr, Expr::Var { span, .. } if span.text() == name)
                {
                    self.collect(&assign.value, constants.saturating_add(1));
                }
            }
        }
    }
}

/// The texts and names of an expression.
#[derive(Default)]
struct Inside<'a> {
    texts: Vec<String>,
    names: Vec<&'a str>,
}

impl<'a> Visit<'a> for Inside<'a> {
    fn expr(&mut self, expr: &'a Expr) {
        if let Expr::String { value, .. } | Expr::RawString { value, .. } = expr {
            self.texts.extend(value.as_string().ok().map(|text| text.to_string()));
        } else if let Expr::Var { span, .. } = expr {
            self.names.push(span.text());
        }
    }
}
