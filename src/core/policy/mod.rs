//! From the files of a policy repository to a decision.
//!
//! [`Files`] enter [`Bundle::load`], which refuses what could not be decided safely and says why in
//! [`Finding`]s. [`decide()`] is the only way to a [`Permit`]. Any error in a policy that was
//! evaluated denies: error first, then forbid, then allow, then nothing.
#![warn(clippy::wildcard_enum_match_arm)]

mod files;
mod finding;
mod item;
mod manifest;
mod progress;
mod ways;
mod text;
mod json;
mod places;
mod bundle;
mod decide;
mod cedar;
mod rego;
pub mod cases;
pub mod compare;
mod coverage;

pub use bundle::{Bundle, EngineValues, Languages, Revision, UnboundedBuiltins, check_tests};
pub use cedar::{CedarAnswer, CedarCase, CedarRequest};
pub use coverage::{
    Clause, ClauseCoverage, Count, Coverage, LineCoverage, OperandCoverage, PolicyCoverage, Seen,
    measure as measure_coverage,
};
pub use decide::{
    Decision, Effects, EvaluationError, Ground, Outcome, Permit, PolicyRef, Reason, decide, overrun,
};
pub use files::{Files, FilesError, digest_of};
pub use finding::{Code, Finding, Findings, Severity};
pub use progress::watch as watch_progress;
pub use rego::{FailedExpression, RegoTestOutcome, RegoTestResult, SeenValue, run_rego_tests};
pub use ways::{PolicyWay, Way, Ways};
