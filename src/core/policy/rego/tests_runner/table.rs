//! The cases of `test_x[note] if …`: every key that the body gives before it can fail, and every key
//! that the rule has.

use std::collections::BTreeMap;

use regorus::Value;

use super::explain::{Answers, Subject};
use super::probe::{Probes, What};
use super::run::actual;
use super::{RegoTestOutcome, RegoTestResult};
use crate::masking::Secrets;

/// Of one table; people write tens.
const MAX_CASES: usize = 10_000;
/// Of one table; the others are told without why.
const MAX_EXPLAINED: usize = 50;

/// One result a case, in the order of their keys; one that is not selected is not judged. `whole` is
/// what all of them share.
pub(super) fn results(
    subject: &Subject<'_>,
    whole: &RegoTestResult,
    value: &Value,
    prints: Vec<String>,
    answers: &mut Answers,
    probes: &mut Probes,
) -> Vec<RegoTestResult> {
    let depth = subject.test.key_texts().len();
    let mut cases: BTreeMap<Value, Value> = BTreeMap::new();
    leaves(value, depth, &mut Vec::new(), &mut cases);
    let steps = subject.test.bodies().first().map_or(0, |body| body.len());
    let first = subject.test.statements_to_keys();
    let asked = (first..=steps).find(|step| probes.has(subject.index, 0, *step, What::Reached));
    let given = asked.and_then(|step| answers.reached(probes, subject.index, 0, step));
    let Some(given) = given else {
        let message = "the cases of this table cannot be listed: give the keys their values in the \
                       first statements of the rule";
        let outcome = RegoTestOutcome::Error(message.to_owned());
        return vec![RegoTestResult { outcome, prints, ..whole.clone() }];
    };
    for keys in given {
        cases.entry(keys.clone()).or_insert(Value::Undefined);
    }
    if cases.is_empty() {
        let outcome = RegoTestOutcome::Fail;
        let actual = Some("a table without any case".to_owned());
        return vec![RegoTestResult { outcome, actual, prints, ..whole.clone() }];
    }
    if cases.len() > MAX_CASES {
        let outcome = RegoTestOutcome::Error(format!("the table has more than {MAX_CASES} cases"));
        return vec![RegoTestResult { outcome, prints, ..whole.clone() }];
    }
    let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
    let duration = whole.duration.map(|duration| duration / count);
    let mut prints = Some(prints);
    let mut explained = 0;
    let case = |(keys, value): (&Value, &Value)| {
        let name = format!("{}{}", whole.name, bracketed(keys));
        let case = RegoTestResult { name, duration, ..whole.clone() };
        if *value == Value::Bool(true) || !(subject.selects)(&case.full_name()) {
            return case;
        }
        explained += 1;
        let failed_at = if explained <= MAX_EXPLAINED {
            subject.explain(keys, answers, probes)
        } else {
            Vec::new()
        };
        let actual = Some(actual(value, subject.secrets));
        // Which case printed what is not known: all of it stands with the first that failed.
        let prints = prints.take().unwrap_or_default();
        RegoTestResult { outcome: RegoTestOutcome::Fail, actual, failed_at, prints, ..case }
    };
    cases.iter().map(case).collect()
}

/// The values of nested objects behind as many keys.
fn leaves(value: &Value, depth: usize, keys: &mut Vec<Value>, found: &mut BTreeMap<Value, Value>) {
    if depth == 0 {
        found.insert(Value::from(keys.clone()), value.clone());
        return;
    }
    let Ok(members) = value.as_object() else { return };
    for (key, inner) in members.iter() {
        keys.push(key.clone());
        leaves(inner, depth - 1, keys, found);
        keys.pop();
    }
}

/// `[note]`, `[group][note]`; what is no text as JSON. A name is the author's and is told even where it
/// stands in the input as well, but no token is.
fn bracketed(keys: &Value) -> String {
    let secrets = Secrets::default();
    let text = |key: &Value| match key.as_string() {
        Ok(text) => format!("[{}]", secrets.hide(text)),
        Err(_) => format!("[{}]", secrets.hide(&key.to_string())),
    };
    keys.as_array().map(|keys| keys.iter().map(text).collect()).unwrap_or_default()
}
