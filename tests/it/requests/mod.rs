//! Requests through a whole sidecar: what is decided, what is forwarded, what is recorded.

mod decided;
