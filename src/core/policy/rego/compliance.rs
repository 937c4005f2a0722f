//! Any query over any modules and data, for OPA's compliance cases: loaded by the very [`load`] that
//! serves requests, so that what is refused, limited or an error there is so here.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::{Engine, QueryResult, Value};

use super::super::{Files, Findings};
use super::load::{self, Loaded, Modules};
use super::rewrite::Sources;
use super::{builtins, message, scan};
use crate::Timestamp;

/// As the test runner has it: a case says what a value is, not how soon it is there.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// 2026-01-01T00:00:00Z: the core has no clock.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// What a case asks.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Question {
    /// Modules and data, as a bundle has them.
    pub(in crate::policy) files: Files,
    pub(in crate::policy) query: String,
    pub(in crate::policy) input: Input,
}

#[derive(Clone, Debug)]
pub(in crate::policy) enum Input {
    Value(Value),
    /// An expression, which can be what JSON cannot: a set.
    Term(String),
}

/// What an error of a builtin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum BuiltinErrors {
    /// An error of the evaluation, as in every decision.
    Strict,
    /// No value, as in OPA where nothing else is said; to tell why a case fails, and for no more.
    Undefined,
}

#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) enum Answer {
    /// The load refused the files, or the query was refused as their text would be.
    Refused(String),
    /// The evaluation ended in an error.
    Error(String),
    Panicked,
    /// Objects of the query's variables, one for each way in which the query holds.
    Bindings(Vec<Value>),
}

/// Loads and asks.
pub(in crate::policy) fn ask(question: &Question, errors: BuiltinErrors) -> Answer {
    let mut findings = Findings::default();
    let loaded = load::load(&question.files, Modules::Served, TIME_LIMIT, &mut findings);
    let Some(Loaded { mut engine, .. }) = loaded else {
        return Answer::Refused(findings.to_string());
    };
    engine.set_strict_builtin_errors(errors == BuiltinErrors::Strict);
    builtins::set_now(NOW);
    builtins::set_wide(false);
    let input = match &question.input {
        Input::Value(value) => value.clone(),
        Input::Term(term) => match query(&mut engine.clone(), term) {
            Ok(results) => first_value(&results),
            Err(answer) => return answer,
        },
    };
    engine.set_input(input);
    match query(&mut engine, &question.query) {
        Ok(results) => Answer::Bindings(
            results.into_iter().filter(holds).map(|result| result.bindings).collect(),
        ),
        Err(answer) => answer,
    }
}

/// The parser meets no query that the scan has not passed.
fn query(engine: &mut Engine, text: &str) -> Result<Vec<QueryResult>, Answer> {
    let mut findings = Findings::default();
    let parsed = scan::scan("query", text, &mut findings)
        .then(|| Sources::default().parsed("query", text, &mut findings));
    let Some(text) = parsed.flatten() else {
        return Err(Answer::Refused(findings.to_string()));
    };
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        engine.eval_query(text, false).map_err(|error| error.to_string())
    }));
    match evaluated {
        Ok(Ok(results)) => Ok(results.result),
        Ok(Err(error)) => Err(Answer::Error(message::parse(&error).text)),
        Err(_) => Err(Answer::Panicked),
    }
}

fn first_value(results: &[QueryResult]) -> Value {
    let first = results.first().and_then(|result| result.expressions.first());
    first.map_or(Value::Undefined, |expression| expression.value.clone())
}

/// The engine gives a result with a false expression for a query that does not hold.
fn holds(result: &QueryResult) -> bool {
    let fails = |value: &Value| matches!(value, Value::Bool(false) | Value::Undefined);
    !result.expressions.iter().any(|expression| fails(&expression.value))
}

/// Whether an error's text is that of a builtin of the product, which says its name first.
pub(in crate::policy) fn is_raised_by_ours(text: &str) -> bool {
    let name = text.strip_prefix('`').and_then(|text| text.split_once("`: "));
    name.is_some_and(|(name, _)| builtins::arity(name).is_some())
}
