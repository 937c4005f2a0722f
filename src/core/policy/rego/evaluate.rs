//! One decision: the entry rules by the interpreter, then the definitions that gave their values.

use std::time::Duration;

use regorus::{Engine, Value};

use super::super::decide::Verdict;
use super::super::{EvaluationError, Outcome, PolicyRef, Reason};
use super::entry::EntryRule;
use super::result::{self, Answer};
use super::rules::Rules;
use super::{Policies, builtins, engines, input, load, message};
use crate::Timestamp;
use crate::request::AccessRequest;

/// Of one entry rule, by the wall clock, which is all that the engine can measure: a decision takes
/// microseconds, and this stops a loop over large data. Far above any decision, so that a thread that
/// waits for a processor on a busy machine is not taken for one that loops.
pub(super) const TIME_LIMIT: Duration = Duration::from_millis(500);
/// Of one definition, looked at again to name it.
const DEFINITION_TIME_LIMIT: Duration = Duration::from_millis(50);
/// How many definitions are looked at again; above it the rule's first definition is named.
const MAX_DEFINITIONS_TRIED: usize = 256;

impl Policies {
    /// Decides one request.
    pub(in crate::policy) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        self.evaluate_whole(input::document(request, self.reads), request.time)
    }

    /// Decides on an input document of any shape, as [`evaluate`](Self::evaluate) decides on a
    /// request.
    pub(in crate::policy) fn evaluate_document(&self, document: Value, now: Timestamp) -> Verdict {
        self.evaluate_whole(document, now)
    }

    /// The meaning of the policy, which every other way of evaluating it must equal: all definitions
    /// of the entry rules, by the interpreter. A panic leaves the engine that raised it behind, unused.
    pub(in crate::policy) fn evaluate_whole(&self, document: Value, now: Timestamp) -> Verdict {
        let mut engine = engines::take(self.id).unwrap_or_else(|| self.engine.clone());
        builtins::set_now(now);
        builtins::set_wide(self.is_wide);
        engine.set_input(document);
        let mut evaluation = Evaluation { engine, rules: &self.rules, is_clean: true };
        let verdict = evaluation.verdict(&self.entry.allow, self.entry.deny.as_ref());
        let Evaluation { mut engine, is_clean, .. } = evaluation;
        // After an error the interpreter's state is in the middle of something.
        if is_clean {
            engine.set_input(Value::Undefined); // the request is not kept
            drop(engine.take_prints());
            engines::put(self.id, engine);
        }
        verdict
    }
}

struct Evaluation<'a> {
    engine: Engine,
    rules: &'a Rules,
    is_clean: bool,
}

impl Evaluation<'_> {
    /// Error before forbid before allow: both rules are always evaluated.
    fn verdict(&mut self, allow: &EntryRule, deny: Option<&EntryRule>) -> Verdict {
        let allow_value = self.value(allow);
        let deny_value = deny.map(|deny| self.value(deny));
        let (allow_value, deny_value) = match (allow_value, deny_value.transpose()) {
            (Ok(allow), Ok(deny)) => (allow, deny.unwrap_or(Value::Undefined)),
            (allow, deny) => {
                let errors = [allow.err(), deny.err()].into_iter().flatten().collect();
                return Verdict { errors, ..Verdict::of(Outcome::Error, Reason::PolicyError) };
            }
        };
        let forbids = match result::forbids(&deny_value) {
            Ok(forbids) => forbids,
            Err(text) => return self.bad_result(deny.unwrap_or(allow), &deny_value, text),
        };
        let answer = match result::answer(&allow_value) {
            Ok(answer) => answer,
            Err(text) => return self.bad_result(allow, &allow_value, text),
        };
        if let Some(deny) = deny.filter(|_| forbids) {
            let policies = self.deciding(deny, &deny_value);
            return Verdict { policies, ..Verdict::of(Outcome::Deny, Reason::Forbidden) };
        }
        let Some(Answer { allowed, effects }) = answer else {
            return Verdict::of(Outcome::Deny, Reason::Undefined);
        };
        if allowed {
            let policies = self.deciding(allow, &allow_value);
            return Verdict { policies, effects, ..Verdict::of(Outcome::Allow, Reason::Allowed) };
        }
        Verdict { effects, ..Verdict::of(Outcome::Deny, Reason::NotAllowed) }
    }

    /// Of a rule in parts the object of those that are defined.
    fn value(&mut self, rule: &EntryRule) -> Result<Value, EvaluationError> {
        if rule.parts.is_empty() {
            return self.value_of_one(rule);
        }
        let mut object = Value::new_object();
        for part in &rule.parts {
            let value = self.value_of_one(part)?;
            let keys = part.path.0.get(rule.path.0.len()..).unwrap_or_default();
            if value != Value::Undefined && put(&mut object, keys, value).is_none() {
                let policy = part.definitions.first().map(|first| first.policy.clone());
                let text = "two rules give one key different values".to_owned();
                return Err(EvaluationError { policy, text });
            }
        }
        Ok(object)
    }

    fn value_of_one(&mut self, rule: &EntryRule) -> Result<Value, EvaluationError> {
        self.engine.eval_rule(rule.name.clone()).map_err(|error| {
            self.is_clean = false;
            let message = message::parse(&error.to_string());
            let raised_by = self.rules.around(&message.file, message.line);
            let policy = raised_by.map(|definition| PolicyRef {
                id: definition.path.to_string().into(),
                file: definition.file.as_str().into(),
                line: message.line,
            });
            let first = || rule.definitions.first().map(|first| first.policy.clone());
            EvaluationError { policy: policy.or_else(first), text: message.text }
        })
    }

    fn bad_result(&mut self, rule: &EntryRule, value: &Value, text: String) -> Verdict {
        let policies = self.deciding(rule, value);
        let errors = vec![EvaluationError { policy: policies.first().cloned(), text }];
        Verdict { policies, errors, ..Verdict::of(Outcome::Deny, Reason::BadResult) }
    }

    /// The definitions that gave the value, found by evaluating each alone: the first that gives
    /// the whole value, or all that add to a set. A rule with one definition needs no search; of a
    /// rule in parts the part `allowed` decided.
    fn deciding(&mut self, rule: &EntryRule, value: &Value) -> Vec<PolicyRef> {
        if let Some(first) = rule.parts.first() {
            let allowed = rule.path.push("allowed");
            return match rule.parts.iter().find(|part| part.path == allowed) {
                Some(part) => self.deciding(part, &value["allowed"]),
                None => first.definitions.first().map(|d| d.policy.clone()).into_iter().collect(),
            };
        }
        if let [only] = rule.definitions.as_slice() {
            return vec![only.policy.clone()];
        }
        load::set_time_limit(&mut self.engine, DEFINITION_TIME_LIMIT);
        let found = self.search(rule, value);
        load::set_time_limit(&mut self.engine, TIME_LIMIT);
        if found.is_empty() {
            return rule
                .definitions
                .first()
                .map(|first| first.policy.clone())
                .into_iter()
                .collect();
        }
        found
    }

    fn search(&mut self, rule: &EntryRule, value: &Value) -> Vec<PolicyRef> {
        let mut found = Vec::new();
        for definition in rule.definitions.iter().take(MAX_DEFINITIONS_TRIED) {
            let alone =
                self.engine.eval_rule_in_module(&definition.module, &definition.rule, false);
            let Ok(data) = alone else {
                self.is_clean = false;
                break;
            };
            let mut alone = &data;
            for part in &rule.path.0 {
                alone = &alone[part.as_str()];
            }
            if let Value::Set(members) = alone {
                if !members.is_empty() {
                    found.push(definition.policy.clone());
                }
            } else if alone == value {
                found.push(definition.policy.clone());
                break;
            }
        }
        found
    }
}

/// Puts a value where the keys say, making objects on the way; `None` where another value stands.
fn put(object: &mut Value, keys: &[String], value: Value) -> Option<()> {
    let (key, rest) = keys.split_first()?;
    let inner = object.as_object_mut().ok()?;
    let key = Value::from(key.as_str());
    if rest.is_empty() {
        let place = inner.get_or_insert_with(key, || value.clone());
        return (*place == value).then_some(());
    }
    put(inner.get_or_insert_with(key, Value::new_object), rest, value)
}
