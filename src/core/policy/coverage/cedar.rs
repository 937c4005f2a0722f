//! What Cedar policies did in the tests.

use serde::{Deserialize, Serialize};

use super::Count;

/// One policy, or one template with all its links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyCoverage {
    pub id: String,
    pub file: String,
    /// From 1.
    pub line: u32,
    /// Its scope matched a request.
    pub was_in_scope: bool,
    /// Scope and conditions held: it permitted, or forbade.
    pub was_satisfied: bool,
    pub clauses: Vec<ClauseCoverage>,
}

/// One `when` or `unless` of a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClauseCoverage {
    pub clause: Clause,
    /// From 1.
    pub line: u32,
    /// What its expression was, before `unless` turns it round.
    pub seen: Seen,
    /// The parts that `&&` or `||` join in it; none where the expression is one part.
    pub operands: Vec<OperandCoverage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clause {
    When,
    Unless,
}

/// One operand of the outermost `&&` or `||` of a condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperandCoverage {
    /// As it is written.
    pub text: String,
    /// From 1.
    pub line: u32,
    pub seen: Seen,
}

/// What an expression was in the tests; nothing of it where it was never evaluated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub r#true: bool,
    pub r#false: bool,
    pub error: bool,
}

impl PolicyCoverage {
    /// One for being satisfied, two for each condition: to be true and to be false. Of a condition
    /// whose parts `&&` or `||` join, each part counts in its place.
    #[must_use]
    pub fn count(&self) -> Count {
        let satisfied = Count::of([self.was_satisfied]);
        [satisfied].into_iter().chain(self.clauses.iter().map(ClauseCoverage::count)).sum()
    }
}

impl ClauseCoverage {
    fn count(&self) -> Count {
        match self.operands.as_slice() {
            [] => self.seen.count(),
            operands => operands.iter().map(|operand| operand.seen.count()).sum(),
        }
    }
}

impl Clause {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::When => "when",
            Self::Unless => "unless",
        }
    }
}

impl Seen {
    #[must_use]
    pub const fn is_nothing(self) -> bool {
        !(self.r#true || self.r#false || self.error)
    }

    fn count(self) -> Count {
        Count::of([self.r#true, self.r#false])
    }
}
