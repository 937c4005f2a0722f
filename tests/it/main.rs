//! The whole sidecar in process, on ephemeral ports, against the embedded trust domain.
#![expect(clippy::unwrap_used, clippy::string_slice, reason = "a panic is how a test fails")]

mod architecture;
mod callers;
mod data_path;
mod demo;
mod hostile;
mod identity;
mod live;
mod live_policy;
mod operations;
mod oracles;
mod requests;
mod store;
mod support;
mod x509;
