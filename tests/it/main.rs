//! The one integration test binary.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod store;
