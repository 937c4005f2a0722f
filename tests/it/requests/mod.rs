//! Requests through a whole sidecar: what is decided, what is forwarded, what is recorded.
#![expect(clippy::indexing_slicing, reason = "a panic is how a test fails")]

mod handshakes;
mod decided;
mod heads;
mod malformed;
mod outgoing;
mod routes;
mod bodies;
mod upgrades;
mod grpc;
mod failures;
mod secrets;
