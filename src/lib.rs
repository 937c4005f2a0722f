//! Portreeve: a policy-as-code zero-trust enforcement sidecar.
//!
//! The pure half (identity rules, canonical request, decision, record) is `portreeve-core`. Here is
//! what touches sockets, files and processes, one folder per stage, in the order in which a
//! connection meets them; `tests/it/architecture.rs` holds the table of who may import whom.

pub mod clock;
pub mod config;

// The data path.
pub mod listen;
pub mod tls;
pub mod identity;
pub mod connections;
pub mod http;
pub mod evaluation;
pub mod forward;
pub mod audit;

// What feeds and watches it.
pub mod store;
pub mod loader;
pub mod admin;
pub mod telemetry;
pub mod dev;

// What a person can run: the only place that wires stages together.
pub mod commands;

#[cfg(any(fuzzing, test))]
pub mod fuzzing;
