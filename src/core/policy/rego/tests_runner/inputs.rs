//! The inputs that tests put in place with `with input …`, as far as they are written down.
//!
//! Literals are held against the document, and constants and variables are followed to what they
//! stand for; what is computed is left for the run. A comment `# portreeve: any-input` above a rule,
//! or above the `package` line for a whole file, lets the rule's own inputs be anything.

use std::collections::BTreeSet;

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Rule, RuleHead, Span, WithModifier};

use super::super::super::{Code, Files, Finding, Findings, Severity};
use super::super::module_files::is_test;
use super::super::names::Names;
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Rules};
use super::super::types::INPUT;
use super::super::walk::{start_of, uses};
use super::shape::{Place, Placed, Problem, Shape, at_path, check};
use super::statements::{self, Visit};

const MARK: &str = "portreeve: any-input";
/// Constants that stand for constants.
const MAX_CONSTANTS: usize = 16;

/// The problems of all rules in test files, as findings.
pub(super) fn findings(rules: &Rules, files: &Files, findings: &mut Findings) {
    for definition in rules.iter().flat_map(|(_, definitions)| definitions) {
        if is_test(&definition.file) && !is_free(definition, files) {
            findings.0.extend(problems(definition, rules).into_iter().map(finding));
        }
    }
}

pub(super) fn finding(problem: Problem) -> Finding {
    let Problem { place: Place { file, line, column }, message, hint } = problem;
    let finding = Finding::new(Severity::Error, &file, line, column, message);
    Finding { hint, code: Some(Code::RegoTypeError), ..finding }
}

/// The problems that a test meets: its own and those of the rules of test files that it reaches.
pub(super) fn reached(test: &Definition, rules: &Rules, files: &Files) -> Vec<Problem> {
    if is_free(test, files) {
        return Vec::new();
    }
    let mut found = problems(test, rules);
    let mut seen = BTreeSet::from([test.path.clone()]);
    let mut waiting = read_by(test, rules);
    while let Some(path) = waiting.pop() {
        let of_tests = rules.at(&path).iter().filter(|definition| is_test(&definition.file));
        let of_tests: Vec<_> = of_tests.collect();
        if of_tests.is_empty() || !seen.insert(path.clone()) {
            continue;
        }
        for definition in of_tests {
            if !is_free(definition, files) {
                found.extend(problems(definition, rules));
            }
            waiting.extend(read_by(definition, rules));
        }
    }
    found
}

fn read_by(definition: &Definition, rules: &Rules) -> Vec<RulePath> {
    let names = Names::of(&definition.module, rules);
    let uses = uses(&definition.rule);
    let references = uses.references.iter().map(|reference| &reference.name);
    let called = uses.calls.iter().map(|call| &call.name);
    let mut read = Vec::new();
    for name in references.chain(called) {
        if let Some(path) = names.data_path(name) {
            read.extend(rules.read_by(&path, &name.tail).cloned());
        }
    }
    read
}

/// Whether the author lets the rule's inputs be anything.
pub(super) fn is_free(definition: &Definition, files: &Files) -> bool {
    let text = files.get(&definition.file).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let lines: Vec<&str> = text.unwrap_or_default().lines().map(str::trim).collect();
    let is_mark = |line: &&str| line.trim_start_matches('#').trim() == MARK;
    let package = lines.iter().position(|line| line.starts_with("package"));
    let above_package = lines.iter().take(package.unwrap_or_default());
    let line = usize::try_from(definition.line).unwrap_or_default();
    let before = lines.get(..line.saturating_sub(1)).unwrap_or_default();
    let above = before.iter().rev().take_while(|line| line.starts_with('#'));
    above_package.chain(above).any(|line| line.starts_with('#') && is_mark(line))
}

fn problems(definition: &Definition, rules: &Rules) -> Vec<Problem> {
    let reader = Reader { names: Names::of(&definition.module, rules), rules, locals: vec![] };
    let mut inputs = Inputs { reader, problems: Vec::new() };
    inputs.reader.locals = locals_of(definition);
    statements::rule(&definition.rule, &mut inputs);
    inputs.problems
}

/// Whether a modifier puts another input in place, and the names below it.
pub(super) fn input_target(with: &WithModifier) -> Option<Vec<String>> {
    static_part(&with.refr)
        .filter(|path| path.root == "input" && path.is_whole)
        .map(|path| path.rest)
}

/// Whether what a statement puts in place of the input is computed, at least in part.
pub(super) fn is_computed(statement: &LiteralStmt, definition: &Definition, rules: &Rules) -> bool {
    let names = Names::of(&definition.module, rules);
    let reader = Reader { names, rules, locals: locals_of(definition) };
    let mut values = statement.with_mods.iter().filter(|with| input_target(with).is_some());
    values.any(|with| is_unknown(&reader.read(&with.r#as, 0)))
}

fn is_unknown(value: &Placed) -> bool {
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
                    match &**lhs {
                        Expr::Var { span, .. } => self.0.push((span.text(), Some(rhs))),
                        pattern => self.pattern(pattern),
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
        match pattern {
            Expr::Var { span, .. } => self.0.push((span.text(), None)),
            Expr::Array { items, .. } => items.iter().for_each(|item| self.pattern(item)),
            Expr::Object { fields, .. } => {
                fields.iter().for_each(|(_, _, value)| self.pattern(value));
            }
            _ => {}
        }
    }
}

struct Inputs<'a> {
    reader: Reader<'a>,
    problems: Vec<Problem>,
}

impl<'a> Visit<'a> for Inputs<'a> {
    fn statement(&mut self, statement: &'a LiteralStmt) {
        for with in &statement.with_mods {
            let Some(names) = input_target(with) else { continue };
            match at_path(&INPUT, &names, &place(start_of(&with.refr))) {
                Ok(Some(at)) => {
                    let path = names.iter().fold("input".to_owned(), |path, n| path + "." + n);
                    let value = self.reader.read(&with.r#as, 0);
                    check(at, &value, &path, &mut self.problems);
                }
                Ok(None) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}

/// Reads expressions as far as they are written down.
struct Reader<'a> {
    names: Names<'a>,
    rules: &'a Rules,
    locals: Vec<(&'a str, Option<&'a Expr>)>,
}

impl Reader<'_> {
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
                    match &**key {
                        Expr::String { span, value: name, .. } => {
                            let name = name.as_string().map(|n| n.to_string()).unwrap_or_default();
                            members.push((name, place(span), value));
                        }
                        _ => return Placed { place: place(start_of(expr)), shape: Shape::Unknown },
                    }
                }
                Shape::Object(members)
            }
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                return self.constant(expr, constants);
            }
            _ => Shape::Unknown,
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
        match &*only.rule {
            Rule::Spec { head: RuleHead::Compr { assign: Some(assign), .. }, bodies, .. }
                if bodies.is_empty() =>
            {
                let names = Names::of(&only.module, self.rules);
                let reader = Reader { names, rules: self.rules, locals: Vec::new() };
                reader.read(&assign.value, constants.saturating_add(1))
            }
            _ => unknown,
        }
    }
}

pub(super) fn place(span: &Span) -> Place {
    Place { file: span.source.file().clone(), line: span.line, column: span.col }
}
