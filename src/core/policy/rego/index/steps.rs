//! From the body of a rule to the plain tests that it begins with.

use std::collections::{BTreeMap, HashSet};

use regorus::Value;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Query, Ref};

use super::super::names::dotted;
use super::super::paths::static_part;
use super::ground::{Scope, constant};
use super::leaf::{InputPath, Step};
use super::test::{Check, Order, Test};

/// A request is asked for each at most once.
const MAX_PATHS: usize = 32;

/// The paths that tests look at, numbered.
#[derive(Default)]
pub(super) struct Paths(BTreeMap<InputPath, u16>);

/// Texts of the conditions that lead to, and end with, one that may raise an error.
#[derive(Default)]
pub(super) struct Gates(HashSet<String>);

/// What a body begins with.
pub(super) struct Lead {
    /// In the order of the text: where one fails, and none before it raises, the rule is not true and
    /// nothing that another rule does not show is lost.
    pub(super) tests: Vec<Test>,
    /// The line of the first condition that is no test; `None` where the tests are all of the body.
    pub(super) rest: Option<u32>,
}

impl Lead {
    pub(super) fn of(
        body: &Query,
        scope: &Scope<'_>,
        paths: &mut Paths,
        gates: &mut Gates,
    ) -> Self {
        let mut lead = Self { tests: Vec::new(), rest: None };
        for (index, statement) in body.stmts.iter().enumerate() {
            if let Some(test) = test(statement, scope, paths) {
                lead.tests.push(test);
                continue;
            }
            lead.rest.get_or_insert(statement.span.line);
            let before = body.stmts.get(..=index).unwrap_or_default();
            if scope.statement(statement).is_none() {
                break; // evaluated behind those without local variables
            }
            // The first rule with these conditions stays, so that the error of the last is seen.
            if !scope.is_harmless(statement) && gates.is_first(before, scope) {
                break;
            }
        }
        lead
    }
}

impl Gates {
    fn is_first(&mut self, conditions: &[LiteralStmt], scope: &Scope<'_>) -> bool {
        let texts: Option<Vec<String>> =
            conditions.iter().map(|condition| scope.statement(condition)).collect();
        texts.is_none_or(|texts| self.0.insert(texts.join("\n")))
    }
}

impl Paths {
    fn number(&mut self, path: InputPath) -> Option<u16> {
        if let Some(known) = self.0.get(&path) {
            return Some(*known);
        }
        let next = u16::try_from(self.0.len()).ok().filter(|_| self.0.len() < MAX_PATHS)?;
        self.0.insert(path, next);
        Some(next)
    }

    /// In the order of their numbers.
    pub(super) fn into_paths(self) -> Vec<InputPath> {
        let mut paths: Vec<(InputPath, u16)> = self.0.into_iter().collect();
        paths.sort_by_key(|(_, number)| *number);
        paths.into_iter().map(|(path, _)| path).collect()
    }
}

fn test(statement: &LiteralStmt, scope: &Scope<'_>, paths: &mut Paths) -> Option<Test> {
    if !statement.with_mods.is_empty() {
        return None;
    }
    let (expr, is_negated) = match &statement.literal {
        Literal::Expr { expr, .. } => (expr, false),
        Literal::NotExpr { expr, .. } => (expr, true),
        Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => return None,
    };
    let (path, check) = check(expr, scope)?;
    Some(Test { path: paths.number(path)?, is_negated, check })
}

fn check(expr: &Expr, scope: &Scope<'_>) -> Option<(InputPath, Check)> {
    if let Expr::BoolExpr { op, lhs, rhs, .. } = expr {
        if let (Some(path), Some(constant)) = (input_path(lhs, scope), constant(rhs)) {
            return Some((path, compared(op, constant, false)));
        }
        let (path, constant) = (input_path(rhs, scope)?, constant(lhs)?);
        Some((path, compared(op, constant, true)))
    } else if let Expr::Membership { key: None, value, collection, .. } = expr {
        Some((input_path(value, scope)?, Check::OneOf(members(collection)?)))
    } else if let Expr::Call { fcn, params, .. } = expr {
        let [text, part] = params.as_slice() else { return None };
        let name = static_part(fcn).filter(|name| scope.names.function(name).is_none())?;
        let Some(Value::String(part)) = constant(part) else { return None };
        let check = match dotted(&name).as_str() {
            "startswith" => Check::Prefix((*part).into()),
            "endswith" => Check::Suffix((*part).into()),
            "contains" => Check::Part((*part).into()),
            _ => return None,
        };
        Some((input_path(text, scope)?, check))
    } else {
        Some((input_path(expr, scope)?, Check::Truth))
    }
}

fn compared(op: &BoolOp, constant: Value, is_turned: bool) -> Check {
    let ordered = |order: Order, constant| {
        Check::Order(if is_turned { order.turned() } else { order }, constant)
    };
    match op {
        BoolOp::Eq => Check::Equal(constant),
        BoolOp::Ne => Check::Differs(constant),
        BoolOp::Lt => ordered(Order::Less, constant),
        BoolOp::Le => ordered(Order::LessOrEqual, constant),
        BoolOp::Gt => ordered(Order::Greater, constant),
        BoolOp::Ge => ordered(Order::GreaterOrEqual, constant),
    }
}

/// The members of a collection of literals: of an object its values.
fn members(collection: &Expr) -> Option<Vec<Value>> {
    let all = |items: &[Ref<Expr>]| items.iter().map(|item| constant(item)).collect();
    if let Expr::Array { items, .. } | Expr::Set { items, .. } = collection {
        all(items)
    } else if let Expr::Object { fields, .. } = collection {
        // Of two fields with one key the last counts.
        let object = constant(collection)?;
        let object = object.as_object().ok().filter(|object| object.len() == fields.len())?;
        Some(object.values().cloned().collect())
    } else {
        None
    }
}

/// A reference into the input whose every part is written out.
fn input_path(expr: &Expr, scope: &Scope<'_>) -> Option<InputPath> {
    let mut steps = Vec::new(); // from the end
    let mut expr = expr;
    loop {
        if let Expr::RefDot { refr, field, .. } = expr {
            steps.push(Step::Key(field.0.text().to_owned()));
            expr = refr;
        } else if let Expr::RefBrack { refr, index, .. } = expr {
            steps.push(step(index)?);
            expr = refr;
        } else if let Expr::Var { span, .. } = expr {
            let name = span.text();
            let above = scope.names.input_path(name).filter(|_| !scope.is_local(name))?;
            let above = above.iter().cloned().map(Step::Key);
            return Some(InputPath(above.chain(steps.into_iter().rev()).collect()));
        } else {
            return None;
        }
    }
}

fn step(index: &Expr) -> Option<Step> {
    let value = constant(index)?;
    if let Value::String(key) = &value {
        return Some(Step::Key(key.to_string()));
    }
    let Value::Number(number) = &value else { return None };
    Some(Step::Index(usize::try_from(number.as_u64()?).ok()?))
}
