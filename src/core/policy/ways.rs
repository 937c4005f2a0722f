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
    pub const ALL: [Self; 3] = [Self::Native, Self::Interpreter, Self::Always];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Interpreter => "interpreter",
            Self::Always => "always",
        }
    }
}
