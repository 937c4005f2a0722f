//! OPA's compliance cases (its format `v1/test/cases`): modules, data, input and a query, and what
//! the query gives or the error that it ends in.
//!
//! Case files enter [`compliance_cases`]; each [`ComplianceCase`] is run by itself, because the
//! caller may want to stop waiting for one. They are judged as OPA judges them: results are a set of
//! bindings, in their JSON form, where sets are sorted arrays and numbers are equal by value. Of an
//! error its kind is held against `want_error_code`, for the texts are each engine's own:
//!
//! | code | what must come |
//! |---|---|
//! | `rego_…` | the load refuses the modules or the data |
//! | `eval_conflict_error` | an evaluation error that says that one thing has two values |
//! | another `eval_…` | any other evaluation error |
//! | none, with `want_error` | an evaluation error |
//!
//! A panic, or the engine's time limit, is no error that a case can want. What is refused at load is
//! none that an `eval_…` code can want.

mod bindings;
mod format;
mod judge;
#[cfg(test)]
mod tests;

pub use format::{ComplianceCase, compliance_cases};
