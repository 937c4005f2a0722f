//! Expressions of a test read as far as they are written down: literals, constants, and variables that
//! `:=` gives one value.

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Rule, RuleHead, Span};

use super::super::names::Names;
use super::super::paths::static_part;
use super::super::rules::{Definition, Rules};
use super::super::walk::start_of;
use super::shape::{Place, Placed, Shape};
use super::statements::{self, Visit};

/// Constants that stand for constants.
const MAX_CONSTANTS: usize = 16;

/// Reads the expressions of one rule.
pub(super) struct Reader<'a> {
    names: Names<'a>,
    rules: &'a Rules,
    locals: Vec<(&'a str, Option<&'a Expr>)>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(definition: &'a Definition, rules: &'a Rules) -> Self {
        let names = Names::of(&definition.module, rules);
        Self { names, rules, locals: locals_of(definition) }
    }

    /// What is known of an expression's value.
    pub(super) fn value(&self, expr: &Expr) -> Placed {
        self.read(expr, 0)
    }

    fn read(&self, expr: &Expr, constants: usize) -> Placed {
        let shape = match expr {
            Expr::String { .. } | Expr::RawString { .. } => Shape::String,
            Expr::Number { .. } | Expr::UnaryExpr { .. } => Shape::Number,
            Expr::Bool { .. } => Shape::Boolean,
            Expr::Null { .. } => Shape::Null,
            Expr::Set { .. } | Expr::SetCompr { .. } => Shape::Set,
            Expr::Array { items, .. } => {
                Shape::List(items.iter().map(|item| self.read(item, constants)).collect())
            }
            Expr::Object { fields, .. } => {
                let mut members = Vec::new();
                for (_, key, value) in fields {
                    let value = self.read(value, constants);
                    let Expr::String { span, value: name, .. } = &**key else {
                        return Placed { place: place(start_of(expr)), shape: Shape::Unknown };
                    };
                    let name = name.as_string().map(|n| n.to_string()).unwrap_or_default();
                    members.push((name, place(span), value));
                }
                Shape::Object(members)
            }
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                return self.constant(expr, constants);
            }
            Expr::ArrayCompr { .. }
            | Expr::ObjectCompr { .. }
            | Expr::Call { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::AssignExpr { .. }
            | Expr::Membership { .. } => Shape::Unknown,
        };
        Placed { place: place(start_of(expr)), shape }
    }

    /// What a name stands for: the one `:=` of the rule, or a rule that is a constant.
    fn constant(&self, expr: &Expr, constants: usize) -> Placed {
        let unknown = Placed { place: place(start_of(expr)), shape: Shape::Unknown };
        let Some(name) = static_part(expr).filter(|name| name.is_whole) else { return unknown };
        if constants >= MAX_CONSTANTS {
            return unknown;
        }
        let mut locals = self.locals.iter().filter(|(local, _)| *local == name.root);
        if let Some((_, value)) = locals.next() {
            return match value {
                Some(value) if locals.next().is_none() && name.rest.is_empty() => {
                    self.read(value, constants.saturating_add(1))
                }
                _ => unknown,
            };
        }
        let Some(path) = self.names.data_path(&name) else { return unknown };
        let [only] = self.rules.at(&path) else { return unknown };
        let Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. } =
            &*only.rule
        else {
            return unknown;
        };
        if !bodies.is_empty() {
            return unknown;
        }
        let names = Names::of(&only.module, self.rules);
        let reader = Reader { names, rules: self.rules, locals: Vec::new() };
        reader.read(&assign.value, constants.saturating_add(1))
    }
}

pub(super) fn place(span: &Span) -> Place {
    Place { file: span.source.file().clone(), line: span.line, column: span.col }
}

/// Whether a value is computed, at least in part.
pub(super) fn is_unknown(value: &Placed) -> bool {
    match &value.shape {
        Shape::Unknown => true,
        Shape::List(items) => items.iter().any(is_unknown),
        Shape::Object(members) => members.iter().any(|(_, _, value)| is_unknown(value)),
        Shape::Null | Shape::String | Shape::Number | Shape::Boolean | Shape::Set => false,
    }
}

fn locals_of(definition: &Definition) -> Vec<(&str, Option<&Expr>)> {
    let mut locals = Locals::default();
    if let Rule::Spec { head: RuleHead::Func { args, .. }, .. } = &*definition.rule {
        args.iter().for_each(|arg| locals.pattern(arg));
    }
    statements::rule(&definition.rule, &mut locals);
    locals.0
}

/// The names that a rule declares, with what `:=` gives them; a name of two meanings has none.
#[derive(Default)]
struct Locals<'a>(Vec<(&'a str, Option<&'a Expr>)>);

impl<'a> Visit<'a> for Locals<'a> {
    fn statement(&mut self, statement: &'a LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                self.0.extend(vars.iter().map(|span| (span.text(), None)));
            }
            Literal::SomeIn { key, value, .. } => {
                key.iter().chain([value]).for_each(|pattern| self.pattern(pattern));
            }
            Literal::Expr { expr, .. } => {
                if let Expr::AssignExpr { op: AssignOp::ColEq, lhs, rhs, .. } = &**expr {
                    if let Expr::Var { span, .. } = &**lhs {
                        self.0.push((span.text(), Some(rhs)));
                    } else {
                        self.pattern(lhs);
                    }
                }
            }
            Literal::Every { key, value, .. } => {
                self.0.extend(key.iter().chain([value]).map(|span| (span.text(), None)));
            }
            Literal::NotExpr { .. } => {}
        }
    }
}

impl<'a> Locals<'a> {
    fn pattern(&mut self, pattern: &'a Expr) {
        if let Expr::Var { span, .. } = pattern {
            self.0.push((span.text(), None));
        } else if let Expr::Array { items, .. } = pattern {
            items.iter().for_each(|item| self.pattern(item));
        } else if let Expr::Object { fields, .. } = pattern {
            fields.iter().for_each(|(_, _, value)| self.pattern(value));
        }
    }
}
