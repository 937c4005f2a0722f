//! The line of the decision log.
