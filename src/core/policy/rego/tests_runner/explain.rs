//! Which expression of a test was not true, and the values in it.

use std::collections::BTreeMap;

use regorus::Value;
use serde::{Deserialize, Serialize};

use super::super::load::Loaded;
use super::found::Test;
use super::operands::operands;
use super::probe::{Probes, What};
use super::reader::place;
use super::secrets::{json_of, shown};
use super::shape::Place;
use crate::masking::Secrets;

/// Of one operand: those of a loop's first rounds.
const MAX_VALUES: usize = 4;
/// A few lines of a terminal: the rest stands at the place that is told.
const MAX_EXPRESSION_CHARS: usize = 400;

/// An expression of a test's body that was not true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedExpression {
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters from 1.
    pub column: u32,
    pub expression: String,
    pub values: Vec<SeenValue>,
}

/// A part of an expression and its value; a part that loops has several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenValue {
    pub expression: String,
    /// As JSON, or `undefined`.
    pub value: String,
}

/// What is asked about one test.
pub(super) struct Subject<'a> {
    pub(super) test: &'a Test<'a>,
    /// Of the probes.
    pub(super) index: usize,
    pub(super) secrets: &'a Secrets,
    pub(super) loaded: &'a Loaded,
    /// Of a table, which of its cases by their full names.
    pub(super) selects: &'a dyn Fn(&str) -> bool,
}

/// The answers about how far a test's bodies come, each asked for once.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<(usize, usize), Option<Vec<Value>>>);

impl Answers {
    /// The keys under which the first statements of a body are true; `None` where that is not known.
    pub(super) fn reached(
        &mut self,
        probes: &mut Probes,
        test: usize,
        body: usize,
        step: usize,
    ) -> Option<&[Value]> {
        let answer = self.0.entry((body, step)).or_insert_with(|| {
            let members = probes.ask(test, body, step, What::Reached)?;
            // Each member is a list with the list of keys in it.
            let keys = members.iter().filter_map(|member| member.as_array().ok()?.first().cloned());
            Some(keys.collect())
        });
        answer.as_deref()
    }
}

impl Subject<'_> {
    /// The first statement of each body that is not true under these keys.
    pub(super) fn explain(
        &self,
        keys: &Value,
        answers: &mut Answers,
        probes: &mut Probes,
    ) -> Vec<FailedExpression> {
        let bodies = self.test.bodies();
        let mut failed = Vec::new();
        for (body, statements) in bodies.iter().enumerate() {
            let steps = 1..=statements.len();
            let stops = steps.into_iter().find(|step| {
                let reached = answers.reached(probes, self.index, body, *step);
                reached.is_some_and(|reached| !reached.contains(keys))
            });
            let Some(statement) = stops.and_then(|step| statements.get(step - 1)) else { continue };
            let values = self.values(body, stops.unwrap_or_default(), keys, probes);
            let Place { file, line, column } = self.leads_back(&place(&statement.span));
            let names = operands(statement);
            let values = names.into_iter().zip(values);
            let value =
                |(name, value): (String, String)| SeenValue { expression: self.text(&name), value };
            failed.push(FailedExpression {
                file,
                line,
                column,
                expression: self.text(&super::text::statement(statement)),
                values: values.map(value).collect(),
            });
        }
        failed
    }

    fn text(&self, text: &str) -> String {
        let shown = self.secrets.hide(text);
        match shown.char_indices().nth(MAX_EXPRESSION_CHARS) {
            Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
            None => shown,
        }
    }

    /// The values of each operand, as text.
    fn values(&self, body: usize, step: usize, keys: &Value, probes: &mut Probes) -> Vec<String> {
        let answers = probes.ask(self.index, body, step, What::Values).unwrap_or_default();
        let mut operands: Vec<Vec<&Value>> = Vec::new();
        for answer in &answers {
            let Ok([of, values]) = answer.as_array().map(|items| items.as_slice()) else {
                continue;
            };
            let Ok(values) = values.as_array() else { continue };
            if of != keys {
                continue;
            }
            operands.resize(values.len().max(operands.len()), Vec::new());
            for (seen, value) in operands.iter_mut().zip(values.iter()) {
                for value in value.as_array().ok().into_iter().flat_map(|value| value.iter()) {
                    if !seen.contains(&value) {
                        seen.push(value);
                    }
                }
            }
        }
        operands.iter().map(|seen| self.list(seen)).collect()
    }

    fn list(&self, values: &[&Value]) -> String {
        if values.is_empty() {
            return "undefined".to_owned();
        }
        let mut texts: Vec<String> = values
            .iter()
            .take(MAX_VALUES)
            .map(|value| shown(&json_of(value), self.secrets))
            .collect();
        if values.len() > MAX_VALUES {
            texts.push(format!("and {} more", values.len() - MAX_VALUES));
        }
        texts.join(", ")
    }

    /// A place of the text that was parsed as one of the file.
    fn leads_back(&self, at: &Place) -> Place {
        super::leads_back(self.loaded, at)
    }
}
