//! One test after the other, and then what failed taken apart, all in one copy of the engine.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::{Engine, Value};

use super::super::super::{Files, progress};
use super::super::load::Loaded;
use super::super::names::builtin_arity;
use super::super::{builtins, message};
use super::explain::{Answers, Subject};
use super::found::{How, Test, tests};
use super::inputs::{finding, is_computed, is_free, reached};
use super::probe::{Probes, What};
use super::reader::place;
use super::secrets::{json_of, shown, written};
use super::shape::{Problem, check, of_value};
use super::{NOW, RegoTestOutcome, RegoTestResult, TestRun, leads_back, table};
use crate::masking::{Secrets, error_text_of};
use crate::policy::rego::types::INPUT;

/// Prints of one test, and characters of one print: enough to see what is wrong.
const MAX_PRINTS: usize = 100;
const MAX_PRINT_CHARS: usize = 1024;
/// A test that takes longer is not evaluated again to see why it failed.
const MAX_EXPLAINED_DURATION: Duration = Duration::from_secs(1);
/// Beyond so many failures of one run the first ones are explained.
const MAX_EXPLAINED: usize = 200;

/// What the evaluation of a test gave.
struct Seen {
    value: Result<Value, String>,
    prints: Vec<String>,
    duration: Option<Duration>,
}

pub(super) fn run(loaded: &Loaded, files: &Files, selected: TestRun<'_>) -> Vec<RegoTestResult> {
    let tests = tests(&loaded.rules, selected.selects);
    let seen: Vec<Option<Seen>> =
        tests.iter().map(|test| evaluate(loaded, test, selected.clock)).collect();
    let mut secrets: BTreeMap<&str, Secrets> = BTreeMap::new();
    for test in &tests {
        let file = test.definition.file.as_str();
        secrets.entry(file).or_insert_with(|| written(&test.definition.module));
    }
    let mut asked: Vec<&Test<'_>> = Vec::new();
    let mut indices = Vec::new();
    for (test, seen) in tests.iter().zip(&seen) {
        let is_asked = seen.as_ref().is_some_and(|seen| {
            test.how == How::Table
                || has_computed_inputs(test, loaded, files)
                || (asked.len() < MAX_EXPLAINED && is_to_explain(seen))
        });
        indices.push(is_asked.then_some(asked.len()));
        if is_asked {
            asked.push(test);
        }
    }
    let mut probes = Probes::of(loaded, &asked);
    let mut results = Vec::new();
    for ((test, seen), index) in tests.iter().zip(seen).zip(indices) {
        let Some(seen) = seen else {
            results.push(result(test, RegoTestOutcome::Skipped));
            continue;
        };
        let mut secrets = secrets.get(test.definition.file.as_str()).cloned().unwrap_or_default();
        let problems = input_problems(test, index, loaded, files, &mut probes, &mut secrets);
        let index = index.unwrap_or_default();
        let is_whole = (selected.selects)(&test.full_name());
        let selects = |name: &str| is_whole || (selected.selects)(name);
        let subject = Subject { test, index, secrets: &secrets, loaded, selects: &selects };
        let judged = judge(&subject, seen, &problems, &mut probes);
        results.extend(judged.into_iter().filter(|result| selects(&result.full_name())));
    }
    results
}

fn is_to_explain(seen: &Seen) -> bool {
    let is_failure = seen.value.as_ref().is_ok_and(|value| *value != Value::Bool(true));
    is_failure && seen.duration.is_none_or(|duration| duration < MAX_EXPLAINED_DURATION)
}

fn evaluate(loaded: &Loaded, test: &Test<'_>, clock: Option<fn() -> Duration>) -> Option<Seen> {
    progress::at_line(&test.definition.file, test.definition.line);
    if test.how == How::Skip {
        return None;
    }
    let mut engine = loaded.engine.clone();
    builtins::set_now(NOW);
    builtins::set_wide(false);
    let before = clock.map(|clock| clock());
    let value = catch_unwind(AssertUnwindSafe(|| value_of(&mut engine, test)));
    let duration = clock.zip(before).map(|(clock, before)| clock().saturating_sub(before));
    let value = value.unwrap_or_else(|_| Err("the engine panicked".to_owned()));
    let prints = engine.take_prints().unwrap_or_default();
    Some(Seen { value, prints, duration })
}

fn value_of(engine: &mut Engine, test: &Test<'_>) -> Result<Value, String> {
    if test.how == How::Whole {
        return engine.eval_rule(test.path.to_string()).map_err(|error| error.to_string());
    }
    let definition = test.definition;
    let data = engine
        .eval_rule_in_module(&definition.module, &definition.rule, false)
        .map_err(|error| error.to_string())?;
    let mut value = &data;
    for part in &test.path.0 {
        value = &value[part.as_str()];
    }
    Ok(value.clone())
}

/// One result, of a table one a case.
fn judge(
    subject: &Subject<'_>,
    seen: Seen,
    problems: &[Problem],
    probes: &mut Probes,
) -> Vec<RegoTestResult> {
    let prints = seen.prints.iter().take(MAX_PRINTS).map(|print| {
        let text: String = subject.secrets.hide(print).chars().take(MAX_PRINT_CHARS).collect();
        text
    });
    let prints: Vec<String> = prints.collect();
    let test = subject.test;
    let mut only =
        RegoTestResult { duration: seen.duration, ..result(test, RegoTestOutcome::Pass) };
    if !problems.is_empty() {
        let texts = problems.iter().map(|problem| problem_text(problem, subject.loaded));
        only.outcome = RegoTestOutcome::Error(texts.collect::<Vec<_>>().join("\n"));
        only.prints = prints;
        return vec![only];
    }
    let value = match seen.value {
        Ok(value) => value,
        Err(error) => {
            only.outcome = RegoTestOutcome::Error(error_text(&error, subject.secrets));
            only.prints = prints;
            return vec![only];
        }
    };
    let mut answers = Answers::default();
    if test.how == How::Table {
        return table::results(subject, &only, &value, prints, &mut answers, probes);
    }
    if value != Value::Bool(true) {
        only.outcome = RegoTestOutcome::Fail;
        only.actual = Some(actual(&value, subject.secrets));
        only.failed_at = subject.explain(&Value::new_array(), &mut answers, probes);
        only.prints = prints;
    }
    vec![only]
}

/// `undefined`, or the value.
pub(super) fn actual(value: &Value, secrets: &Secrets) -> String {
    if *value == Value::Undefined {
        return "undefined".to_owned();
    }
    shown(&json_of(value), secrets)
}

fn error_text(error: &str, secrets: &Secrets) -> String {
    let message = message::parse(error);
    let (name, rest) = builtin_and_rest(&message.text);
    let text = format!("{name}{}", error_text_of(rest, |word| secrets.holds(word)));
    if message.file.is_empty() {
        return text;
    }
    format!("{}:{}: {text}", message.file, message.line)
}

/// Which argument of which builtin is wrong is no value, and stands before what may be one.
fn builtin_and_rest(text: &str) -> (&str, &str) {
    let name = text.strip_prefix('`').and_then(|text| text.split_once("`: argument "));
    let Some((name, rest)) = name.filter(|(name, _)| builtin_arity(name).is_some()) else {
        return ("", text);
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count().min(2);
    let names = "``: argument ".len() + name.len() + digits;
    text.split_at_checked(names).unwrap_or(("", text))
}

fn problem_text(problem: &Problem, loaded: &Loaded) -> String {
    let mut found = finding(problem.clone());
    let at = leads_back(loaded, &problem.place);
    found.column = at.column;
    let hint = found.hint.map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    format!("{}:{}:{}: {}{hint}", found.file, found.line, found.column, found.message)
}

fn has_computed_inputs(test: &Test<'_>, loaded: &Loaded, files: &Files) -> bool {
    let statements = || test.bodies().into_iter().flatten();
    let is_computed = |statement| is_computed(statement, test.definition, &loaded.rules);
    statements().any(is_computed) && !is_free(test.definition, files)
}

/// What is wrong with the inputs of a test: those that are written down, and those of its statements
/// that are computed. What the inputs hide is added to the secrets.
fn input_problems(
    test: &Test<'_>,
    index: Option<usize>,
    loaded: &Loaded,
    files: &Files,
    probes: &mut Probes,
    secrets: &mut Secrets,
) -> Vec<Problem> {
    let mut problems = reached(test.definition, &loaded.rules, files);
    let Some(index) = index else { return problems };
    let is_free = is_free(test.definition, files);
    for (body, statements) in test.bodies().into_iter().enumerate() {
        for (step, statement) in (1..).zip(statements) {
            if !probes.has(index, body, step, What::Inputs) {
                continue;
            }
            let place = place(&statement.span);
            let is_checked = !is_free && is_computed(statement, test.definition, &loaded.rules);
            for answer in probes.ask(index, body, step, What::Inputs).unwrap_or_default() {
                let input = json_of(&answer[1_usize]);
                secrets.add_document(&input);
                if is_checked {
                    check(&INPUT, &of_value(&input, &place), "input", &mut problems);
                }
            }
        }
    }
    problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    problems.dedup();
    problems
}

pub(super) fn result(test: &Test<'_>, outcome: RegoTestOutcome) -> RegoTestResult {
    RegoTestResult {
        package: test.package.to_string(),
        name: test.name.clone(),
        file: test.definition.file.clone(),
        line: test.definition.line,
        outcome,
        actual: None,
        failed_at: Vec::new(),
        prints: Vec::new(),
        duration: None,
    }
}
