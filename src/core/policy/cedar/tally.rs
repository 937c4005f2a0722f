//! What became of the policies that a request met, and our rule over it: any error is the outcome,
//! whatever else was satisfied.

use cedar_policy::{Effect, Entities, EvalResult, Request, eval_expression};

use super::index::{Candidates, Index, Indexed};
use super::place::sentence;
use crate::policy::decide::Verdict;
use crate::policy::{EvaluationError, Outcome, PolicyRef, Reason};

/// The policies that hold, by effect, and the errors of those that failed.
#[derive(Debug, Default)]
pub(super) struct Tally<'a> {
    pub(super) permits: Vec<&'a PolicyRef>,
    pub(super) forbids: Vec<&'a PolicyRef>,
    pub(super) errors: Vec<EvaluationError>,
}

impl<'a> Tally<'a> {
    /// Those that hold by their scope alone.
    pub(super) fn of_scopes(index: &'a Index, candidates: &Candidates) -> Self {
        let mut tally = Self::default();
        let holding = candidates.holding.iter().filter_map(|number| index.policy(*number));
        holding.for_each(|policy| tally.holds(policy));
        tally
    }

    /// Adds the candidates whose condition decides. A policy is its scope and then its condition,
    /// evaluated as Cedar's authorizer would.
    pub(super) fn evaluate(
        &mut self,
        index: &'a Index,
        candidates: &Candidates,
        request: &Request,
        entities: &Entities,
    ) {
        for policy in candidates.conditional.iter().filter_map(|number| index.policy(*number)) {
            let Some(condition) = &policy.condition else { continue };
            match eval_expression(request, entities, &condition.expression) {
                Ok(EvalResult::Bool(true)) => self.holds(policy),
                Ok(EvalResult::Bool(false)) => {}
                // The clauses are joined by `&&`, which is a boolean or an error.
                Ok(other) => self.failed(policy, format!("the condition is `{other}`")),
                Err(error) => self.failed(policy, sentence(&error)),
            }
        }
    }

    fn holds(&mut self, policy: &'a Indexed) {
        match policy.effect {
            Effect::Permit => self.permits.push(&policy.place),
            Effect::Forbid => self.forbids.push(&policy.place),
        }
    }

    fn failed(&mut self, policy: &Indexed, text: String) {
        self.errors.push(EvaluationError { policy: Some(policy.place.clone()), text });
    }

    pub(super) fn verdict(self) -> Verdict {
        let Self { permits, forbids, errors } = self;
        let (outcome, reason, deciding) = match (&*errors, &*forbids, &*permits) {
            ([_, ..], _, _) => (Outcome::Error, Reason::PolicyError, Vec::new()),
            (_, [_, ..], _) => (Outcome::Deny, Reason::Forbidden, forbids),
            (_, _, [_, ..]) => (Outcome::Allow, Reason::Allowed, permits),
            ([], [], []) => (Outcome::Deny, Reason::NotAllowed, Vec::new()),
        };
        let policies = match errors.is_empty() {
            true => deciding.into_iter().cloned().collect(),
            false => errors.iter().filter_map(|error| error.policy.clone()).collect(),
        };
        sorted(Verdict { policies, errors, ..Verdict::of(outcome, reason) })
    }
}

/// The record lists policies and errors in one order.
pub(super) fn sorted(mut verdict: Verdict) -> Verdict {
    verdict.policies.sort();
    verdict.errors.sort_by(|a, b| (&a.policy, &a.text).cmp(&(&b.policy, &b.text)));
    verdict
}
