//! Questions about the body of a test that its rule does not answer: rules of our own beside it, in a
//! copy of the engine.
//!
//! For each beginning of a body (its first statement, its first two, …) one rule gives the keys under
//! which all of it is true, one the values in the statement behind it, one the inputs that this puts
//! in place. The engine orders statements by itself, so that only whole beginnings can be asked for.
//! A beginning that needs what stands behind it is left out.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use regorus::unstable::LiteralStmt;
use regorus::{Engine, Value};

use super::super::super::{Code, Findings};
use super::super::check::check_safety;
use super::super::load::{self, Loaded};
use super::super::names::Names;
use super::super::paths::RulePath;
use super::super::{builtins, scan};
use super::found::Test;
use super::inputs::input_target;
use super::operands::operands;
use super::{NOW, text};

/// A longer body is not taken apart: its beginnings grow with the square.
const MAX_STATEMENTS: usize = 64;
/// One by one, where they cannot be asked together; each takes an analysis of the whole bundle.
const MAX_ALONE: usize = 20;

/// What a rule of ours answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The keys for which the first `step` statements are true.
    Reached,
    /// Keys, and the values in the statement `step`, where those before it are true.
    Values,
    /// Keys, and what the statement `step` puts in place of the input.
    Inputs,
}

/// Engines that can be asked about tests.
pub(super) struct Probes {
    engines: Vec<Engine>,
    tests: Vec<Probed>,
}

struct Probed {
    /// `None` where the test cannot be taken apart.
    engine: Option<usize>,
    package: RulePath,
    rules: BTreeSet<String>,
}

impl Probes {
    /// Prepares questions about these tests, which are then called by their index.
    pub(super) fn of(loaded: &Loaded, tests: &[&Test<'_>]) -> Self {
        let modules: Vec<_> = tests
            .iter()
            .enumerate()
            .map(|(index, test)| module(loaded, test, index).unwrap_or_default())
            .collect();
        let probed = |(test, module): (&&Test<'_>, &Module)| Probed {
            engine: None,
            package: test.package.clone(),
            rules: module.rules.clone(),
        };
        let mut probes =
            Self { engines: vec![], tests: tests.iter().zip(&modules).map(probed).collect() };
        if let Some(engine) = engine(loaded, &modules) {
            probes.engines.push(engine);
            probes.tests.iter_mut().for_each(|test| test.engine = Some(0));
            return probes;
        }
        for (test, module) in probes.tests.iter_mut().zip(&modules).take(MAX_ALONE) {
            if let Some(engine) = engine(loaded, std::slice::from_ref(module)) {
                test.engine = Some(probes.engines.len());
                probes.engines.push(engine);
            }
        }
        probes
    }

    pub(super) fn has(&self, test: usize, body: usize, step: usize, what: What) -> bool {
        let probed = self.tests.get(test);
        probed.is_some_and(|probed| {
            probed.engine.is_some() && probed.rules.contains(&name(test, body, step, what))
        })
    }

    /// The members of the set that answers; `None` where there is no such question or it ends in an
    /// error.
    pub(super) fn ask(
        &mut self,
        test: usize,
        body: usize,
        step: usize,
        what: What,
    ) -> Option<Vec<Value>> {
        let probed = self.tests.get(test)?;
        let name = name(test, body, step, what);
        let engine = self.engines.get_mut(probed.engine?)?;
        if !probed.rules.contains(&name) {
            return None;
        }
        builtins::set_now(NOW);
        builtins::set_wide(false);
        let path = probed.package.push(&name).to_string();
        let value = catch_unwind(AssertUnwindSafe(|| engine.eval_rule(path)));
        drop(engine.take_prints());
        match value {
            Ok(Ok(Value::Set(members))) => Some(members.iter().cloned().collect()),
            Ok(Ok(Value::Undefined)) => Some(Vec::new()),
            _ => None,
        }
    }
}

fn name(test: usize, body: usize, step: usize, what: What) -> String {
    format!("__portreeve_{what:?}_{test}_{body}_{step}__").to_lowercase()
}

#[derive(Default)]
struct Module {
    text: String,
    rules: BTreeSet<String>,
}

fn engine(loaded: &Loaded, modules: &[Module]) -> Option<Engine> {
    let mut engine = loaded.engine.clone();
    for (index, module) in modules.iter().enumerate().filter(|(_, module)| !module.rules.is_empty())
    {
        engine.add_policy(format!("probe {index}"), module.text.clone()).ok()?;
    }
    load::prepare(&mut engine, &mut Findings::default()).map(|()| engine)
}

/// The rules about one test that can be evaluated.
fn module(loaded: &Loaded, test: &Test<'_>, index: usize) -> Option<Module> {
    let definition = &test.definition.module;
    let mut head = format!("package {}\n", text::expr(&definition.package.refr));
    for import in &definition.imports {
        head.push_str(&text::import(import));
        head.push('\n');
    }
    let rules = rules(test, index);
    let whole: String = rules.iter().map(|(_, text)| text.as_str()).collect();
    if head.len().saturating_add(whole.len()) > scan::MAX_FILE_BYTES {
        return None;
    }
    let mut parser = Engine::new();
    parser.add_policy("probe".to_owned(), format!("{head}{whole}")).ok()?;
    let parsed = parser.get_modules().first()?.clone();
    let names = Names::of(&parsed, &loaded.rules);
    let mut module = Module { text: head, rules: BTreeSet::new() };
    for (rule, (name, text)) in parsed.policy.iter().zip(rules) {
        let mut findings = Findings::default();
        check_safety(rule, &names, &mut findings);
        let is_unsafe = findings.0.iter().any(|f| f.code == Some(Code::RegoUnsafeVarError));
        if !is_unsafe {
            module.text.push_str(&text);
            module.rules.insert(name);
        }
    }
    Some(module)
}

fn rules(test: &Test<'_>, index: usize) -> Vec<(String, String)> {
    let keys = test.key_texts();
    let bound = test.statements_to_keys();
    let mut rules = Vec::new();
    for (body, statements) in test.bodies().into_iter().enumerate() {
        if statements.len() > MAX_STATEMENTS {
            continue;
        }
        let texts: Vec<String> = statements.iter().map(text::statement).collect();
        let mut rule = |step: usize, what: What, keys: &[String], value: &str, lines: &[String]| {
            let name = name(index, body, step, what);
            let lines = if lines.is_empty() { "true".to_owned() } else { lines.join(";\n") };
            let member = format!("[[{}]{value}]", keys.join(", "));
            rules.push((name.clone(), format!("{name} contains {member} if {{\n{lines}\n}}\n")));
        };
        for step in bound..=statements.len() {
            let before = texts.get(..step).unwrap_or_default();
            rule(step, What::Reached, &keys, "", before);
        }
        for (step, statement) in (1..).zip(statements) {
            let before = texts.get(..step - 1).unwrap_or_default();
            let known = if step > bound { keys.as_slice() } else { &[] };
            if let Some(seen) = input_statement(statement) {
                let lines = [before, &[seen]].concat();
                rule(step, What::Inputs, known, ", portreeve_v__", &lines);
            }
            let seen = value_statements(statement);
            if step > bound && !seen.is_empty() {
                let names: Vec<_> = (0..seen.len()).map(|n| format!("portreeve_{n}__")).collect();
                let value = format!(", [{}]", names.join(", "));
                rule(step, What::Values, known, &value, &[before, &seen].concat());
            }
        }
    }
    rules
}

/// Each operand's values, none where it is undefined, under the statement's own `with`.
fn value_statements(statement: &LiteralStmt) -> Vec<String> {
    let with = text::modifiers(&statement.with_mods);
    let seen = |(index, operand): (usize, String)| {
        format!("portreeve_{index}__ := [portreeve_v__ | portreeve_v__ := {operand}]{with}")
    };
    operands(statement).into_iter().enumerate().map(seen).collect()
}

fn input_statement(statement: &LiteralStmt) -> Option<String> {
    let inputs = statement.with_mods.iter().filter(|with| input_target(with).is_some());
    let with = text::modifiers(inputs);
    (!with.is_empty()).then(|| format!("portreeve_v__ := input{with}"))
}
