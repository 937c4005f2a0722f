//! One definition's statements, read in the order of the text.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Query, Ref, Rule, RuleHead};

use super::super::super::differential::{Place, Recipe, Step, Test, Use};
use super::super::names::{Names, dotted};
use super::super::paths::{RulePath, static_part};
use super::super::rules::Rules;
use super::constants::{Constants, literal, sized};
use super::references::children;

pub(super) struct Reader<'a> {
    pub(super) names: &'a Names<'a>,
    pub(super) groups: &'a BTreeMap<&'a RulePath, usize>,
    pub(super) constants: Constants<'a>,
    /// What local names stand for; `None` is a value that is no part of the input.
    pub(super) locals: BTreeMap<String, Option<Place>>,
    pub(super) is_negated: bool,
    pub(super) recipe: Recipe,
    pub(super) places: BTreeSet<Vec<Step>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        names: &'a Names<'a>,
        rules: &'a Rules,
        groups: &'a BTreeMap<&'a RulePath, usize>,
        data: &'a Value,
    ) -> Self {
        Self {
            names,
            groups,
            constants: Constants { names, rules, data },
            locals: BTreeMap::new(),
            is_negated: false,
            recipe: Recipe::default(),
            places: BTreeSet::new(),
        }
    }

    pub(super) fn rule(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, .. } = rule else { return };
        let value = match head {
            RuleHead::Func { args, assign, .. } => {
                for (index, argument) in args.iter().enumerate() {
                    let place = Place { argument: Some(index), steps: Vec::new() };
                    // A constant stands for a test of the argument.
                    if let Some(constant) = literal(argument) {
                        self.recipe.mention(&place, &[Test::Is(constant)]);
                    }
                    self.declare(argument, Some(place));
                }
                assign.as_ref().map(|assign| &assign.value)
            }
            RuleHead::Compr { assign, .. } => assign.as_ref().map(|assign| &assign.value),
            RuleHead::Set { key, .. } => key.as_ref(),
        };
        for body in bodies {
            self.query(&body.query);
            body.assign.iter().for_each(|assign| self.expr(&assign.value));
        }
        value.into_iter().for_each(|value| self.expr(value));
    }

    fn query(&mut self, query: &Query) {
        query.stmts.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &LiteralStmt) {
        match &statement.literal {
            Literal::SomeVars { vars, .. } => {
                let names = vars.iter().map(|span| (span.text().to_owned(), None));
                self.locals.extend(names);
            }
            Literal::SomeIn { key, value, collection, .. } => {
                self.expr(collection);
                let member = self.place(collection).map(|place| place.then(Step::Any));
                if let (Some(member), Some(constant)) = (&member, literal(value)) {
                    self.recipe.mention(member, &[Test::Is(constant)]);
                }
                self.declare(value, member);
                key.iter().for_each(|key| self.declare(key, None));
            }
            Literal::Expr { expr, .. } => {
                // A reference alone asks for a value that is not false.
                if let Some(place) = self.place(expr) {
                    self.recipe.mention(&place, &is_one_of([true.into(), "yes".into()]));
                }
                self.expr(expr);
            }
            Literal::NotExpr { expr, .. } => {
                let outer = std::mem::replace(&mut self.is_negated, true);
                self.expr(expr);
                self.is_negated = outer;
            }
            Literal::Every { value, domain, query, .. } => {
                self.expr(domain);
                let member = self.place(domain).map(|place| place.then(Step::Any));
                self.locals.insert(value.text().to_owned(), member);
                self.query(query);
            }
        }
        statement.with_mods.iter().for_each(|modifier| self.expr(&modifier.r#as));
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::BoolExpr { lhs, rhs, .. } => self.pair(lhs, rhs),
            Expr::AssignExpr { op, lhs, rhs, .. } => {
                let is_name = matches!(&**lhs, Expr::Var { .. });
                if is_name && *op == AssignOp::ColEq {
                    self.expr(rhs);
                    self.declare(lhs, self.place(rhs));
                } else {
                    self.pair(lhs, rhs);
                }
            }
            Expr::Membership { key, value, collection, .. } => {
                let tests = is_one_of(self.constants.members(collection));
                self.mention_all(value, &tests);
                if let (Some(list), Some(constant)) = (self.place(collection), literal(value)) {
                    self.recipe.mention(&list.then(Step::Any), &[Test::Is(constant)]);
                }
                key.iter().chain([value, collection]).for_each(|expr| self.expr(expr));
            }
            Expr::Call { fcn, params, .. } => self.call(fcn, params),
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => self.reference(expr),
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.query(query);
                self.expr(term);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                self.query(query);
                self.expr(key);
                self.expr(value);
            }
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. }
            | Expr::Array { .. }
            | Expr::Set { .. }
            | Expr::Object { .. }
            | Expr::UnaryExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::ArithExpr { .. } => {
                children(expr).into_iter().for_each(|child| self.expr(child));
            }
        }
    }

    /// A comparison: what stands on one side is a test of what stands on the other.
    fn pair(&mut self, lhs: &Expr, rhs: &Expr) {
        for (side, other) in [(lhs, rhs), (rhs, lhs)] {
            let constants = self.constants.beside(other);
            let tests = match sized(side) {
                Some(_) => is_one_of(constants.iter().filter_map(list_of_length)),
                None => is_one_of(constants),
            };
            self.mention_all(side, &tests);
        }
        self.expr(lhs);
        self.expr(rhs);
    }

    fn call(&mut self, callee: &Expr, arguments: &[Ref<Expr>]) {
        let Some(name) = static_part(callee) else { return };
        let texts =
            arguments.iter().filter_map(|argument| literal(argument)?.as_str().map(str::to_owned));
        if let Some(group) = self.names.function(&name).and_then(|path| self.groups.get(&path)) {
            let arguments = arguments.iter().map(|argument| self.place(argument)).collect();
            let (group, is_negated) = (*group, self.is_negated);
            self.recipe.uses.push(Use { group, arguments, is_negated });
        } else {
            let test: fn(String) -> Test = match dotted(&name).as_str() {
                "startswith" => Test::Starts,
                "endswith" => Test::Ends,
                _ => Test::Like,
            };
            let mut tests: Vec<Test> = texts.map(test).collect();
            if tests.is_empty() {
                let constants = arguments.iter().flat_map(|other| self.constants.of(other));
                let texts = constants.filter_map(|constant| Some(constant.as_str()?.to_owned()));
                tests = texts.map(test).collect();
            }
            arguments.iter().for_each(|argument| self.mention_all(argument, &tests));
        }
        arguments.iter().for_each(|argument| self.expr(argument));
    }
}

pub(super) fn is_one_of(constants: impl IntoIterator<Item = serde_json::Value>) -> Vec<Test> {
    constants.into_iter().map(Test::Is).collect()
}

/// A list whose `count` is the number.
fn list_of_length(number: &serde_json::Value) -> Option<serde_json::Value> {
    /// Longer lists are compared with nowhere.
    const MAX_LENGTH: u64 = 8;
    let length = number.as_u64()?.min(MAX_LENGTH);
    Some((0..length).map(|item| serde_json::Value::from(format!("o{item}"))).collect())
}
