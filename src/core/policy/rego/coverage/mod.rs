//! Which lines the tests evaluate.
//!
//! The files of a bundle enter and are loaded a second time, with marks in the heads of their rules;
//! tests and requests are evaluated there by the interpreter with its own line coverage on. What the
//! interpreter leaves out (heads, `else`, defaults that were needed) the marks say. Nothing is decided
//! here: results and errors are dropped.

mod imports;
mod marks;
mod marking;
mod plan;
mod text;
mod visit;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use regorus::{Engine, Value};

use super::entry::EntryRule;
use super::load::{self, Loaded, Modules};
use super::module_files::is_test;
use super::rules::{Kind, package_of};
use super::{Policies, builtins, input, tests_runner};
use crate::Timestamp;
use crate::policy::coverage::LineCoverage;
use crate::policy::{Files, Findings, progress};
use crate::request::AccessRequest;
use marks::Marks;
use plan::Plan;

/// The lines of one bundle while its tests run.
#[derive(Debug)]
pub(in crate::policy) struct CoverageRun<'a> {
    policies: &'a Policies,
    loaded: Loaded,
    plan: Plan,
    /// What is cloned to be asked, with the marks in.
    marked: Engine,
    /// One that has been asked and is fit to be asked again.
    used: Option<Engine>,
    marks: Marks,
    /// By file, what the interpreter evaluated.
    lines: BTreeMap<String, BTreeSet<u32>>,
}

impl Policies {
    /// Begins to watch which lines are evaluated.
    ///
    /// # Errors
    /// The files cannot be loaded a second time.
    pub(in crate::policy) fn coverage(&self, files: &Files) -> Result<CoverageRun<'_>, String> {
        let limit = tests_runner::TIME_LIMIT;
        let mut findings = Findings::default();
        // Tests that do not load fail by themselves; what the other tests reach is still worth saying.
        let loaded = load::load(files, Modules::WithTests, limit, &mut Findings::default())
            .or_else(|| load::load(files, Modules::Served, limit, &mut findings));
        let mut loaded = loaded.ok_or_else(|| findings.to_string())?;
        let plan = Plan::of(&mut loaded);
        let marks = Marks::new();
        let install = |engine: &mut Engine| Marks::install(engine);
        let mut marked = load::again(&loaded, &plan.texts, limit, install)?;
        marked.set_enable_coverage(true);
        let lines = BTreeMap::new();
        Ok(CoverageRun { policies: self, loaded, plan, marked, used: None, marks, lines })
    }
}

impl CoverageRun<'_> {
    /// Evaluates the rules `test_…` whose names are selected, and the tables of selected cases.
    pub(in crate::policy) fn run_tests(
        &mut self,
        files: &Files,
        is_selected: &dyn Fn(&str) -> bool,
    ) {
        let mut tests = Vec::new();
        let mut tables = BTreeMap::new();
        for (path, definitions) in self.loaded.rules.iter() {
            let Some(first) = definitions.first().filter(|first| !first.is_function()) else {
                continue;
            };
            let package = package_of(&first.module);
            let name = path.0.get(package.0.len()..).unwrap_or_default().join(".");
            if !name.starts_with("test_") {
                continue;
            }
            let name = format!("{package}.{name}");
            let test = (path.to_string(), first.file.clone(), first.line);
            if is_selected(&name) {
                tests.push(test);
            } else if definitions.iter().any(|definition| definition.kind == Kind::Object) {
                tables.insert(name, test);
            }
        }
        if !tables.is_empty() {
            let is_asked = |rule: &str| tables.contains_key(rule);
            let found = tests_runner::tables_of_cases(&self.loaded, files, &is_asked, is_selected);
            tests.extend(found.iter().filter_map(|rule| tables.get(rule).cloned()));
        }
        for (path, file, line) in tests {
            progress::at_line(&file, line);
            self.evaluate(&[path], Value::Undefined, tests_runner::NOW);
        }
    }

    /// Evaluates the entry rules for a request.
    pub(in crate::policy) fn decide(&mut self, request: &AccessRequest) {
        let entry = &self.policies.entry;
        let rules = [Some(&entry.allow), entry.deny.as_ref()].into_iter().flatten();
        let names: Vec<String> = rules.flat_map(names).collect();
        let document = input::document(request, self.policies.reads);
        self.evaluate(&names, document, request.time);
    }

    fn evaluate(&mut self, rules: &[String], input: Value, now: Timestamp) {
        let mut engine = self.used.take().unwrap_or_else(|| self.marked.clone());
        builtins::set_now(now);
        builtins::set_wide(self.policies.is_wide);
        engine.set_input(input);
        let is_clean = rules.iter().all(|rule| {
            self.marks.begin();
            let value = catch_unwind(AssertUnwindSafe(|| engine.eval_rule(rule.clone())));
            matches!(value, Ok(Ok(_)))
        });
        if is_clean {
            drop(engine.take_prints());
            self.used = Some(engine);
        } else {
            // After an error the interpreter's state is in the middle of something.
            self.collect(&engine);
        }
    }

    fn collect(&mut self, engine: &Engine) {
        let Ok(report) = engine.get_coverage_report() else { return };
        for file in report.files.into_iter().filter(|file| !is_test(&file.path)) {
            self.lines.entry(file.path).or_default().extend(file.covered);
        }
    }

    /// What was evaluated, by file.
    pub(in crate::policy) fn finish(mut self) -> Vec<LineCoverage> {
        if let Some(engine) = self.used.take() {
            self.collect(&engine);
        }
        let none = BTreeSet::new();
        let lines = |file: &str| self.lines.get(file).unwrap_or(&none);
        self.plan.coverage(lines, &self.marks)
    }
}

/// The rules that are evaluated for an entry rule: itself, or its parts.
fn names(rule: &EntryRule) -> Vec<String> {
    if rule.parts.is_empty() {
        return vec![rule.name.clone()];
    }
    rule.parts.iter().flat_map(names).collect()
}

#[cfg(test)]
mod tests;
