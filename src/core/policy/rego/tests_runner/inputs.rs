//! The inputs that tests put in place with `with input …`, as far as they are written down.
//!
//! Literals are held against the document, and constants and variables are followed to what they
//! stand for; what is computed is left for the run. A comment `# portreeve: any-input` above a rule,
//! or above the `package` line for a whole file, lets the rule's own inputs be anything.

use std::collections::BTreeSet;

use regorus::unstable::{LiteralStmt, WithModifier};

use super::super::super::{Code, Files, Finding, Findings, Severity};
use super::super::module_files::is_test;
use super::super::names::Names;
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Rules};
use super::super::types::INPUT;
use super::super::walk::{start_of, uses};
use super::reader::{Reader, is_unknown, place};
use super::shape::{Place, Problem, at_path, check};
use super::statements::{self, Visit};

const MARK: &str = "portreeve: any-input";

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
    let mut inputs = Inputs { reader: Reader::of(definition, rules), problems: Vec::new() };
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
    let reader = Reader::of(definition, rules);
    let mut values = statement.with_mods.iter().filter(|with| input_target(with).is_some());
    values.any(|with| is_unknown(&reader.value(&with.r#as)))
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
                    let value = self.reader.value(&with.r#as);
                    check(at, &value, &path, &mut self.problems);
                }
                Ok(None) => {}
                Err(problem) => self.problems.push(problem),
            }
        }
    }
}
