//! From the body of a rule to the plain tests that it begins with.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use regorus::Value;
use regorus::unstable::{BoolOp, Expr, Literal, LiteralStmt, Query, Rule, RuleBody, RuleHead};

use super::super::names::{Names, dotted};
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Kind};
use super::super::walk::declared;
use super::ground::{Scope, constant};
use super::leaf::{InputPath, Step};
use super::test::{Check, Helper, Order, Plain, Test};

/// A request is asked for each at most once.
const MAX_PATHS: usize = 32;

/// Helpers in helpers; people write two.
const MAX_DEPTH: usize = 4;
/// Definitions of a helper, each of which every request pays for that comes to it.
const MAX_DEFINITIONS: usize = 16;

/// The paths that tests look at, numbered, and the helpers among the tests.
#[derive(Default)]
pub(super) struct Paths {
    numbers: BTreeMap<InputPath, u16>,
    helpers: BTreeMap<RulePath, Option<Arc<[Vec<Test>]>>>,
}

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
        if let Some(known) = self.numbers.get(&path) {
            return Some(*known);
        }
        let count = self.numbers.len();
        let next = u16::try_from(count).ok().filter(|_| count < MAX_PATHS)?;
        self.numbers.insert(path, next);
        Some(next)
    }

    /// The definitions of a rule that is true or nothing by tests alone.
    fn helper(&mut self, rule: RulePath, scope: &Scope<'_>) -> Option<Arc<[Vec<Test>]>> {
        if let Some(known) = self.helpers.get(&rule) {
            return known.clone();
        }
        let definitions = scope.rules.at(&rule);
        let is_asked = scope.depth < MAX_DEPTH && definitions.len() <= MAX_DEFINITIONS;
        let mut all = Vec::new();
        let is_helper = is_asked
            && definitions.iter().all(|definition| match &*definition.rule {
                Rule::Default { value, .. } => is_bool(value, false),
                Rule::Spec { head, bodies, .. } => {
                    let tests = self.tests_of(definition, head, bodies, scope);
                    tests.map(|tests| all.push(tests)).is_some()
                }
            });
        let found = is_helper.then(|| Arc::from(all));
        // What is too deep from here may be asked from elsewhere.
        if is_asked {
            self.helpers.insert(rule, found.clone());
        }
        found
    }

    fn tests_of(
        &mut self,
        definition: &Definition,
        head: &RuleHead,
        bodies: &[RuleBody],
        scope: &Scope<'_>,
    ) -> Option<Vec<Test>> {
        let is_true = match head {
            RuleHead::Compr { assign, .. } => {
                assign.as_ref().is_none_or(|assign| is_bool(&assign.value, true))
            }
            RuleHead::Set { .. } | RuleHead::Func { .. } => false,
        };
        let [body] = bodies else { return None };
        if !is_true || definition.kind != Kind::Complete || body.is_else || body.assign.is_some() {
            return None;
        }
        let names = Names::of(&definition.module, scope.rules);
        let (locals, depth) = (declared(&body.query), scope.depth.saturating_add(1));
        let scope = Scope { names: &names, rules: scope.rules, locals, depth };
        body.query.stmts.iter().map(|statement| test(statement, &scope, self)).collect()
    }

    /// In the order of their numbers.
    pub(super) fn into_paths(self) -> Vec<InputPath> {
        let mut paths: Vec<(InputPath, u16)> = self.numbers.into_iter().collect();
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
    if let Some((path, check)) = check(expr, scope) {
        return Some(Test::Plain(Plain { path: paths.number(path)?, is_negated, check }));
    }
    let definitions = paths.helper(scope.rule(expr)?, scope)?;
    Some(Test::Helper(Helper { is_negated, definitions }))
}

fn is_bool(expr: &Expr, expected: bool) -> bool {
    matches!(expr, Expr::Bool { value, .. } if *value == Value::from(expected))
}

fn check(expr: &Expr, scope: &Scope<'_>) -> Option<(InputPath, Check)> {
    if let Expr::BoolExpr { op, lhs, rhs, .. } = expr {
        if let (Some(path), Some(constant)) = (input_path(lhs, scope), scope.constant(rhs)) {
            return Some((path, compared(op, constant, false)));
        }
        let (path, constant) = (input_path(rhs, scope)?, scope.constant(lhs)?);
        Some((path, compared(op, constant, true)))
    } else if let Expr::Membership { key: None, value, collection, .. } = expr {
        Some((input_path(value, scope)?, Check::OneOf(members(collection, scope)?)))
    } else if let Expr::Call { fcn, params, .. } = expr {
        let [text, part] = params.as_slice() else { return None };
        let name = static_part(fcn).filter(|name| scope.names.function(name).is_none())?;
        let Some(Value::String(part)) = scope.constant(part) else { return None };
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

/// The members of a constant collection: of an object its values.
fn members(collection: &Expr, scope: &Scope<'_>) -> Option<Vec<Value>> {
    let value = scope.constant(collection)?;
    if let Value::Array(items) = &value {
        Some(items.iter().cloned().collect())
    } else if let Value::Set(items) = &value {
        Some(items.iter().cloned().collect())
    } else if let Value::Object(fields) = &value {
        Some(fields.values().cloned().collect())
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
