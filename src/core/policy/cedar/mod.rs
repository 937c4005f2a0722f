//! Cedar policies through cedar-policy.
#[derive(Debug)]
pub(super) struct Policies;
#[derive(Debug, Default)]
pub(super) struct ConnectionValues;
