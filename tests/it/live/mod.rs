//! Open connections while trust changes, peers are blocked, and SVIDs end.
#![expect(clippy::panic, reason = "a panic is how a test fails")]

mod blocked;
mod expiry;
mod guest;
mod race;
mod tokens;
mod trust;
