//! How each policy is evaluated, for people who want to know what a request costs.

use serde::{Deserialize, Serialize};

use super::PolicyRef;

/// One policy, or one definition of an entry rule, and how it is evaluated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyWay {
    pub policy: PolicyRef,
    pub way: Way,
    /// Why it is not a faster way; empty where there is none.
    pub why: String,
}

/// The ways of all policies of a bundle: how many go each way, and those that are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    pub native: usize,
    pub interpreter: usize,
    pub always: usize,
    /// The slowest first, so that a list which is cut names what matters.
    pub policies: Vec<PolicyWay>,
}

impl Ways {
    /// Counts all and lists at most `limit`.
    #[must_use]
    pub fn of(mut policies: Vec<PolicyWay>, limit: usize) -> Self {
        let count = |way| policies.iter().filter(|policy| policy.way == way).count();
        let (native, interpreter, always) =
            (count(Way::Native), count(Way::Interpreter), count(Way::Always));
        policies.sort_by(|a, b| (b.way, &a.policy).cmp(&(a.way, &b.policy)));
        policies.truncate(limit);
        Self { native, interpreter, always, policies }
    }
}

/// How a policy is evaluated, the cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Read straight from the request, without an engine.
    Native,
    /// By the engine, for the requests that the index finds.
    Interpreter,
    /// By the engine, for every request.
    Always,
}

impl Way {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Interpreter => "interpreter",
            Self::Always => "always",
        }
    }
}
