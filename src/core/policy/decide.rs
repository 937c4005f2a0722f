//! `decide` and `Permit`: the one place where a request may become permitted.
//!
//! A leaf file without child modules, so that nothing else can reach the permit's constructor.
//! `decide` is total: errors are data, an engine's panic is an error, and every path that is not a
//! clean allow denies.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Bundle;
use crate::request::{AccessRequest, Enforcement};

/// Proof that a request was decided and may be forwarded, once. Neither `Clone` nor constructible
/// outside this file.
#[derive(Debug)]
#[must_use = "a permit is consumed by forwarding"]
pub struct Permit {
    ground: Ground,
}

/// Why a permit was given. Everything but `Allowed` comes from configuration and is loud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    Allowed,
    /// A configured probe, forwarded without identity.
    Probe,
    /// The listener only shadows: policy said `would`.
    Shadow {
        would: Outcome,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Allow,
    Deny,
    /// Policy could not be evaluated cleanly: answered 503, never forwarded.
    Error,
}

/// What became of one request, whole enough to be recorded and explained.
#[derive(Debug)]
pub struct Decision {
    pub outcome: Outcome,
    pub reason: Reason,
    /// The policies that decided, and nothing else.
    pub policies: Vec<PolicyRef>,
    pub errors: Vec<EvaluationError>,
    pub effects: Effects,
    permit: Option<Permit>,
}

/// The stable word for why; see [`Reason::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A policy allows and none forbids.
    Allowed,
    /// A policy forbids.
    Forbidden,
    /// No policy allows: Cedar's default, or a Rego entry point that is false.
    NotAllowed,
    /// The Rego entry point has no value for this request.
    Undefined,
    /// The Rego entry point's value is neither a boolean nor the object form.
    BadResult,
    /// A policy that was evaluated raised an error.
    PolicyError,
    /// An engine panicked; its scratch is thrown away.
    EnginePanic,
    /// The evaluation took longer than it may, and was given up.
    Overrun,
    /// A configured probe: no policy was asked.
    Probe,
}

/// A policy or rule, as an author would look for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Cedar: the policy's id. Rego: the rule's path, such as `data.authz.allow`.
    pub id: Arc<str>,
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
}

/// An error while a policy was evaluated. The text may quote input: it is masked before it leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationError {
    pub policy: Option<PolicyRef>,
    pub text: String,
}

/// What the object form of a Rego decision asks for beside its verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// On a denial; 403 when absent.
    pub http_status: Option<u16>,
    pub body: Option<String>,
    /// Set on the upstream request on an allow, on the response on a denial: they replace others of
    /// the same names.
    pub headers: Vec<(String, String)>,
    pub response_headers_to_add: Vec<(String, String)>,
    pub request_headers_to_remove: Vec<String>,
}

/// What the engines of a bundle say, already combined; [`decide`] alone turns it into a permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) reason: Reason,
    pub(super) policies: Vec<PolicyRef>,
    pub(super) errors: Vec<EvaluationError>,
    pub(super) effects: Effects,
}

/// Decides one request under one bundle. Synchronous and total: no clock, no I/O, no panic.
#[must_use]
pub fn decide(bundle: &Bundle, request: &AccessRequest) -> Decision {
    if request.enforcement == Enforcement::Probe {
        let verdict = Verdict::of(Outcome::Allow, Reason::Probe);
        return verdict.into_decision(Some(Permit { ground: Ground::Probe }));
    }
    let verdict = catch_unwind(AssertUnwindSafe(|| bundle.evaluate(request)))
        .unwrap_or_else(|_| Verdict::of(Outcome::Error, Reason::EnginePanic));
    permitted(verdict, request)
}

/// The decision on a request whose evaluation was given up: an error, whatever it would have said.
#[must_use]
pub fn overrun(request: &AccessRequest) -> Decision {
    permitted(Verdict::of(Outcome::Error, Reason::Overrun), request)
}

/// The one place where a verdict becomes a permit or none.
fn permitted(verdict: Verdict, request: &AccessRequest) -> Decision {
    // An allow is clean or it is none: an error beside it would have been the outcome.
    let outcome = match verdict.outcome {
        Outcome::Allow if verdict.errors.is_empty() => Outcome::Allow,
        Outcome::Allow | Outcome::Error => Outcome::Error,
        Outcome::Deny => Outcome::Deny,
    };
    let permit = match (outcome, request.enforcement) {
        (Outcome::Allow, _) => Some(Permit { ground: Ground::Allowed }),
        (would, Enforcement::Shadow) => Some(Permit { ground: Ground::Shadow { would } }),
        (Outcome::Deny | Outcome::Error, Enforcement::Enforce | Enforcement::Probe) => None,
    };
    Verdict { outcome, ..verdict }.into_decision(permit)
}

impl Verdict {
    pub(super) fn of(outcome: Outcome, reason: Reason) -> Self {
        Self {
            outcome,
            reason,
            policies: Vec::new(),
            errors: Vec::new(),
            effects: Effects::default(),
        }
    }

    fn into_decision(self, permit: Option<Permit>) -> Decision {
        let Self { outcome, reason, policies, errors, effects } = self;
        Decision { outcome, reason, policies, errors, effects, permit }
    }
}

impl Decision {
    /// The ground of the permit; `None` where the request is refused.
    #[must_use]
    pub fn ground(&self) -> Option<Ground> {
        self.permit.as_ref().map(Permit::ground)
    }

    /// Gives the permit out, once.
    pub fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }
}

impl Permit {
    #[must_use]
    pub fn ground(&self) -> Ground {
        self.ground
    }
}

impl Ground {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Probe => "probe",
            Self::Shadow { .. } => "shadow",
        }
    }
}

impl Outcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

impl Reason {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Forbidden => "forbidden",
            Self::NotAllowed => "not_allowed",
            Self::Undefined => "undefined",
            Self::BadResult => "bad_result",
            Self::PolicyError => "policy_error",
            Self::EnginePanic => "engine_panic",
            Self::Overrun => "overrun",
            Self::Probe => "probe",
        }
    }
}
