//! One decision: the values of the entry rules, and the definitions that gave them.

use std::time::Duration;

use regorus::{Engine, Value};

use super::super::decide::Verdict;
use super::super::{EvaluationError, Outcome, PolicyRef, Reason};
use super::entry::EntryRule;
use super::result::{self, Answer};
use super::subject::Subject;
use super::values::Found;
use super::{Policies, builtins, engines, load};
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
    /// Decides one request, evaluating what it can match.
    pub(in crate::policy) fn evaluate(&self, request: &AccessRequest) -> Verdict {
        self.verdict(&Subject::of_request(request, self.reads), false)
    }

    /// Decides on an input document of any shape, as [`evaluate`](Self::evaluate) decides on a
    /// request.
    pub(in crate::policy) fn evaluate_document(&self, document: Value, now: Timestamp) -> Verdict {
        self.verdict(&Subject::of_document(document, now), false)
    }

    /// The meaning of the policy, which every other way of evaluating it must equal: all definitions
    /// of the entry rules, by the interpreter.
    pub(in crate::policy) fn evaluate_whole(&self, document: Value, now: Timestamp) -> Verdict {
        self.verdict(&Subject::of_document(document, now), true)
    }

    /// A panic leaves the engine that raised it behind, unused.
    fn verdict(&self, subject: &Subject<'_>, is_whole: bool) -> Verdict {
        let (engine, limit) = (None, TIME_LIMIT);
        let mut evaluation =
            Evaluation { policies: self, subject, is_whole, engine, limit, is_clean: true };
        let verdict = evaluation.verdict(&self.entry.allow, self.entry.deny.as_ref());
        // After an error the interpreter's state is in the middle of something.
        if let Evaluation { engine: Some(mut engine), is_clean: true, .. } = evaluation {
            engine.set_input(Value::Undefined); // the request is not kept
            drop(engine.take_prints());
            engines::put(self.id, engine);
        }
        verdict
    }

    /// This thread's engine with the input of a decision.
    pub(super) fn ready_engine(&self, subject: &Subject<'_>) -> Engine {
        let mut engine = engines::take(self.id).unwrap_or_else(|| self.engine.clone());
        builtins::set_now(subject.time);
        builtins::set_wide(self.is_wide);
        engine.set_input(subject.document().clone());
        engine
    }
}

/// One decision on its way.
pub(super) struct Evaluation<'a> {
    pub(super) policies: &'a Policies,
    pub(super) subject: &'a Subject<'a>,
    /// Without the index.
    pub(super) is_whole: bool,
    /// Once something needs it.
    pub(super) engine: Option<Engine>,
    /// The time limit of the engine.
    pub(super) limit: Duration,
    pub(super) is_clean: bool,
}

impl Evaluation<'_> {
    /// Error before forbid before allow: both rules are always evaluated.
    fn verdict(&mut self, allow: &EntryRule, deny: Option<&EntryRule>) -> Verdict {
        let allowed = self.value(allow);
        let denied = deny.map(|deny| self.value(deny)).transpose();
        let (allowed, denied) = match (allowed, denied) {
            (Ok(allowed), Ok(denied)) => (allowed, denied.unwrap_or(Found::NOTHING)),
            (allowed, denied) => {
                let errors = [allowed.err(), denied.err()].into_iter().flatten().collect();
                return Verdict { errors, ..Verdict::of(Outcome::Error, Reason::PolicyError) };
            }
        };
        let forbids = match result::forbids(&denied.value) {
            Ok(forbids) => forbids,
            Err(text) => return self.bad_result(deny.unwrap_or(allow), denied, text),
        };
        let answer = match result::answer(&allowed.value) {
            Ok(answer) => answer,
            Err(text) => return self.bad_result(allow, allowed, text),
        };
        if let Some(deny) = deny.filter(|_| forbids) {
            let policies = self.deciding(deny, denied);
            return Verdict { policies, ..Verdict::of(Outcome::Deny, Reason::Forbidden) };
        }
        let Some(Answer { allowed: is_allowed, effects }) = answer else {
            return Verdict::of(Outcome::Deny, Reason::Undefined);
        };
        if is_allowed {
            let policies = self.deciding(allow, allowed);
            return Verdict { policies, effects, ..Verdict::of(Outcome::Allow, Reason::Allowed) };
        }
        Verdict { effects, ..Verdict::of(Outcome::Deny, Reason::NotAllowed) }
    }

    fn bad_result(&mut self, rule: &EntryRule, found: Found, text: String) -> Verdict {
        let policies = self.deciding(rule, found);
        let errors = vec![EvaluationError { policy: policies.first().cloned(), text }];
        Verdict { policies, errors, ..Verdict::of(Outcome::Deny, Reason::BadResult) }
    }

    /// The definitions that gave the value: the first that gives the whole value, or all that add to a
    /// set; of a rule in parts the part `allowed` decided. The first of all where none did.
    fn deciding(&mut self, rule: &EntryRule, found: Found) -> Vec<PolicyRef> {
        let Found { value, by } = found;
        if let Some(first) = rule.parts.first() {
            let allowed = rule.path.push("allowed");
            return match rule.parts.iter().find(|part| part.path == allowed) {
                Some(part) => self.deciding(part, Found { value: value["allowed"].clone(), by }),
                None => first.definitions.first().map(|d| d.policy.clone()).into_iter().collect(),
            };
        }
        let found = match (rule.definitions.as_slice(), by) {
            ([only], _) => vec![only.policy.clone()],
            (_, Some(by)) => by,
            (_, None) => self.searched(rule, &value),
        };
        if found.is_empty() {
            return rule.definitions.first().map(|d| d.policy.clone()).into_iter().collect();
        }
        found
    }

    /// Finds the definitions by evaluating each alone. For evidence it takes the time that it needs.
    fn searched(&mut self, rule: &EntryRule, value: &Value) -> Vec<PolicyRef> {
        if self.is_whole {
            return self.search(rule, value, rule.definitions.len());
        }
        load::set_time_limit(self.engine(), DEFINITION_TIME_LIMIT);
        let found = self.search(rule, value, MAX_DEFINITIONS_TRIED);
        load::set_time_limit(self.engine(), TIME_LIMIT);
        found
    }

    fn search(&mut self, rule: &EntryRule, value: &Value, most: usize) -> Vec<PolicyRef> {
        let mut found = Vec::new();
        for definition in rule.definitions.iter().take(most) {
            let engine = self.engine();
            let alone = engine.eval_rule_in_module(&definition.module, &definition.rule, false);
            let Ok(data) = alone else {
                self.is_clean = false;
                break;
            };
            let mut alone = &data;
            for part in &rule.path.0 {
                alone = &alone[part.as_str()];
            }
            if let (true, Value::Set(members)) = (rule.is_set, alone) {
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
