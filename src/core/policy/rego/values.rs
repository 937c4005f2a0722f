//! The value of one entry rule: definition by definition where the index allows it, else whole.
//!
//! Both ways say the same. A rule in parts is the object of its parts' values.

use std::time::Duration;

use regorus::{Engine, Value};

use super::super::{EvaluationError, PolicyRef};
use super::entry::{EntryRule, Plan};
use super::evaluate::{Evaluation, TIME_LIMIT};
use super::index::{Index, Judged};
use super::{load, message};

/// A request that may match more has the rule evaluated whole, within one time limit.
const MAX_CANDIDATES: usize = 32;
/// The least of the time limit that one of several candidates has.
const MIN_TIME_LIMIT: Duration = Duration::from_millis(50);

/// The value of a rule.
pub(super) struct Found {
    pub(super) value: Value,
    /// The definitions that gave it, where that is known already.
    pub(super) by: Option<Vec<PolicyRef>>,
}

impl Found {
    pub(super) const NOTHING: Self = Self { value: Value::Undefined, by: None };
}

impl Evaluation<'_> {
    /// Of a rule in parts the object of those that are defined.
    pub(super) fn value(&mut self, rule: &EntryRule) -> Result<Found, EvaluationError> {
        if rule.parts.is_empty() {
            return self.value_of_one(rule);
        }
        let mut object = Value::new_object();
        let mut by = None;
        let allowed = rule.path.push("allowed");
        for part in &rule.parts {
            let found = self.value_of_one(part)?;
            if part.path == allowed {
                by = found.by;
            }
            let keys = part.path.0.get(rule.path.0.len()..).unwrap_or_default();
            if found.value != Value::Undefined && put(&mut object, keys, found.value).is_none() {
                let policy = part.definitions.first().map(|first| first.policy.clone());
                let text = "two rules give one key different values".to_owned();
                return Err(EvaluationError { policy, text });
            }
        }
        Ok(Found { value: object, by })
    }

    fn value_of_one(&mut self, rule: &EntryRule) -> Result<Found, EvaluationError> {
        if let Plan::Indexed { index, otherwise } = &rule.plan
            && !self.is_whole
            && let Some(found) = self.by_index(rule, index, otherwise)?
        {
            return Ok(found);
        }
        let value = self.engine().eval_rule(rule.name.clone());
        let value = value.map_err(|error| self.raised(&error, rule))?;
        Ok(Found { value, by: None })
    }

    /// `None` where the rule has to be evaluated whole: two definitions contradict each other, or too
    /// many may match.
    fn by_index(
        &mut self,
        rule: &EntryRule,
        index: &Index,
        otherwise: &Value,
    ) -> Result<Option<Found>, EvaluationError> {
        let leaves = index.leaves(self.subject);
        let candidates = index.candidates(&leaves);
        let judged = candidates.into_iter().map(|number| (number, index.judge(number, &leaves)));
        let judged: Vec<_> = judged.filter(|(_, judged)| *judged != Judged::Fails).collect();
        let unknown = judged.iter().filter(|(_, judged)| *judged == Judged::Unknown).count();
        if unknown > MAX_CANDIDATES {
            return Ok(None);
        }
        let mut value = Value::Undefined;
        let mut by = Vec::new();
        for (number, judged) in judged {
            let given = match judged {
                Judged::Fails => continue,
                Judged::Holds(given) => given.clone(),
                Judged::Unknown => self.definition(rule, number, unknown)?,
            };
            match joined(&mut value, given, rule.is_set) {
                Joined::Adds => {
                    let definition =
                        usize::try_from(number).ok().and_then(|n| rule.definitions.get(n));
                    by.extend(definition.map(|definition| definition.policy.clone()));
                }
                Joined::Nothing => {}
                Joined::Contradicts => return Ok(None),
            }
        }
        if value == Value::Undefined {
            value = otherwise.clone();
        }
        Ok(Some(Found { value, by: Some(by) }))
    }

    /// Evaluates one definition, one of `count` that have to be.
    fn definition(
        &mut self,
        rule: &EntryRule,
        number: u32,
        count: usize,
    ) -> Result<Value, EvaluationError> {
        let definition = usize::try_from(number).ok().and_then(|n| rule.definitions.get(n));
        let Some(definition) = definition else {
            let text = format!("the index names definition {number}, which is not there");
            let policy = rule.definitions.first().map(|first| first.policy.clone());
            return Err(EvaluationError { policy, text });
        };
        let share = TIME_LIMIT / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        self.limit(share.max(MIN_TIME_LIMIT));
        let alone = self.engine().eval_rule_in_module(&definition.module, &definition.rule, false);
        self.limit(TIME_LIMIT);
        let data = alone.map_err(|error| self.raised(&error, rule))?;
        let mut value = &data;
        for part in &rule.path.0 {
            value = &value[part.as_str()];
        }
        Ok(value.clone())
    }

    fn limit(&mut self, limit: Duration) {
        if self.limit != limit {
            self.limit = limit;
            load::set_time_limit(self.engine(), limit);
        }
    }

    /// An error of the engine, at the definition that raised it.
    fn raised(&mut self, error: &anyhow::Error, rule: &EntryRule) -> EvaluationError {
        self.is_clean = false;
        let message = message::parse(&error.to_string());
        let raised_by = self.policies.rules.around(&message.file, message.line);
        let policy = raised_by.map(|definition| PolicyRef {
            id: definition.path.to_string().into(),
            file: definition.file.as_str().into(),
            line: message.line,
        });
        let first = || rule.definitions.first().map(|first| first.policy.clone());
        EvaluationError { policy: policy.or_else(first), text: message.text }
    }

    /// The engine of this bundle, with the input; made ready when the first definition needs it.
    pub(super) fn engine(&mut self) -> &mut Engine {
        let (policies, subject) = (self.policies, self.subject);
        self.engine.get_or_insert_with(|| policies.ready_engine(subject))
    }
}

enum Joined {
    Adds,
    Nothing,
    Contradicts,
}

/// Joins what one definition says to what those before it said: of a rule that is a set its members.
fn joined(value: &mut Value, given: Value, is_set: bool) -> Joined {
    if given == Value::Undefined {
        return Joined::Nothing;
    }
    if *value == Value::Undefined {
        // Not by `as_set`: an error is dear to make.
        let adds = !is_set || !matches!(&given, Value::Set(members) if members.is_empty());
        *value = given;
        return if adds { Joined::Adds } else { Joined::Nothing };
    }
    if is_set
        && let Value::Set(members) = &given
        && let Ok(all) = value.as_set_mut()
    {
        all.extend(members.iter().cloned());
        return if members.is_empty() { Joined::Nothing } else { Joined::Adds };
    }
    if *value == given { Joined::Nothing } else { Joined::Contradicts }
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
