//! The X.509-SVID leaf rules.

/// What a verified leaf says.
#[derive(Debug)]
pub struct Leaf {}

/// The rule that a leaf breaks.
#[derive(Debug, thiserror::Error)]
pub enum SvidError {}
