//! What an operator does to a sidecar, and what fails around it: all of it under load, most of it to
//! the real binary.
#![expect(clippy::panic, clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod world;
mod upstream;
mod process;
mod caller;
mod load;

mod start;
mod rotation;
mod policy;
mod failures;
mod log_full;
mod kill;
mod drain;
mod reload;
mod systemd;
mod health;
mod budget;
mod commands;
mod hostile;
