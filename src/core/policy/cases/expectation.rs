//! What a case expects of a decision, and whether a decision is that.

use super::super::{Decision, EvaluationError, Outcome, PolicyRef, Reason};
use super::CaseOutcome;

/// What stands after `expect`, `reason` and `policy` of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expectation {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<Reason>,
    /// A policy's id, or `file:line`: one of those that decided.
    pub(super) policy: Option<String>,
}

const OUTCOMES: [Outcome; 3] = [Outcome::Allow, Outcome::Deny, Outcome::Error];

const REASONS: [Reason; 8] = [
    Reason::Allowed,
    Reason::Forbidden,
    Reason::NotAllowed,
    Reason::Undefined,
    Reason::BadResult,
    Reason::PolicyError,
    Reason::EnginePanic,
    Reason::Probe,
];

pub(super) fn outcome_of(word: &str) -> Result<Outcome, String> {
    let known = OUTCOMES.into_iter().find(|outcome| outcome.as_str() == word);
    known.ok_or_else(|| {
        format!("`expect` must be one of {}, not `{word}`", listed(OUTCOMES.map(Outcome::as_str)))
    })
}

pub(super) fn reason_of(word: &str) -> Result<Reason, String> {
    let known = REASONS.into_iter().find(|reason| reason.as_str() == word);
    known.ok_or_else(|| {
        format!("`reason` must be one of {}, not `{word}`", listed(REASONS.map(Reason::as_str)))
    })
}

fn listed<const N: usize>(words: [&str; N]) -> String {
    words.map(|word| format!("`{word}`")).join(", ")
}

impl Expectation {
    /// Holds a decision against the expectation; only all of it is a pass.
    pub(super) fn judge(&self, decision: &Decision) -> CaseOutcome {
        self.judge_parts(decision.outcome, decision.reason, &decision.policies, &decision.errors)
    }

    fn judge_parts(
        &self,
        outcome: Outcome,
        reason: Reason,
        policies: &[PolicyRef],
        errors: &[EvaluationError],
    ) -> CaseOutcome {
        let is_policy = |wanted: &String| policies.iter().any(|policy| is_named(policy, wanted));
        let is_expected = outcome == self.outcome
            && self.reason.is_none_or(|wanted| wanted == reason)
            && self.policy.as_ref().is_none_or(is_policy);
        if is_expected {
            return CaseOutcome::Passed;
        }
        CaseOutcome::Failed {
            expected: self.to_text(),
            actual: decision_text(outcome, reason, policies),
            detail: (!errors.is_empty()).then(|| errors_text(errors)),
        }
    }

    fn to_text(&self) -> String {
        let mut text = self.outcome.as_str().to_owned();
        if let Some(reason) = self.reason {
            text.push_str(&format!(" ({})", reason.as_str()));
        }
        if let Some(policy) = &self.policy {
            text.push_str(&format!(" by {policy}"));
        }
        text
    }
}

fn is_named(policy: &PolicyRef, wanted: &str) -> bool {
    let place =
        || wanted.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    *policy.id == *wanted
        || place()
            .is_some_and(|(file, line): (_, u32)| *policy.file == *file && policy.line == line)
}

/// `deny (forbidden) by blocked at policies.cedar:7`.
fn decision_text(outcome: Outcome, reason: Reason, policies: &[PolicyRef]) -> String {
    let mut text = format!("{} ({})", outcome.as_str(), reason.as_str());
    for (index, policy) in policies.iter().enumerate() {
        let lead = if index == 0 { " by" } else { "," };
        text.push_str(&format!("{lead} {} at {}:{}", policy.id, policy.file, policy.line));
    }
    text
}

pub(super) fn errors_text(errors: &[EvaluationError]) -> String {
    let place = |policy: &PolicyRef| format!("{}:{}: ", policy.file, policy.line);
    let text = |error: &EvaluationError| {
        format!("{}{}", error.policy.as_ref().map(place).unwrap_or_default(), error.text)
    };
    errors.iter().map(text).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked() -> PolicyRef {
        PolicyRef { id: "blocked".into(), file: "orders.cedar".into(), line: 7 }
    }

    /// `wanted` is `outcome [reason] [policy]`; the decision is always a forbid by `blocked`.
    #[track_caller]
    fn check(wanted: &str, passes: bool) {
        let mut words = wanted.split(' ').map(str::to_owned);
        let expectation = Expectation {
            outcome: outcome_of(&words.next().unwrap()).unwrap(),
            reason: words.next().filter(|word| word != "-").map(|word| reason_of(&word).unwrap()),
            policy: words.next(),
        };
        let seen = expectation.judge_parts(Outcome::Deny, Reason::Forbidden, &[blocked()], &[]);
        assert_eq!(seen == CaseOutcome::Passed, passes, "{wanted}: {seen:?}");
    }

    #[test]
    fn a_decision_passes_only_where_everything_named_agrees() {
        check("deny", true);
        check("deny forbidden", true);
        check("deny forbidden blocked", true);
        check("deny - orders.cedar:7", true);
        check("allow", false);
        check("error", false);
        check("deny not_allowed", false);
        check("deny forbidden other", false);
        check("deny - orders.cedar:8", false);
        check("deny - cedar:7", false);
    }

    #[test]
    fn a_failure_says_what_was_wanted_and_what_came() {
        let wanted =
            Expectation { outcome: Outcome::Allow, reason: None, policy: Some("x".into()) };
        let errors = [EvaluationError { policy: Some(blocked()), text: "overflow".into() }];
        let seen = wanted.judge_parts(Outcome::Error, Reason::PolicyError, &[blocked()], &errors);
        let expected = CaseOutcome::Failed {
            expected: "allow by x".into(),
            actual: "error (policy_error) by blocked at orders.cedar:7".into(),
            detail: Some("orders.cedar:7: overflow".into()),
        };
        assert_eq!(seen, expected);
    }

    #[test]
    fn unknown_words_are_refused_with_the_known_ones() {
        assert!(outcome_of("allowed").unwrap_err().contains("`allow`, `deny`, `error`"));
        assert!(reason_of("Forbidden").unwrap_err().contains("`forbidden`"));
    }
}
