//! Rego policies through regorus' interpreter with strict builtin errors.
#[derive(Debug)]
pub(super) struct Policies;
#[derive(Debug, Default)]
pub(super) struct ConnectionValues;
