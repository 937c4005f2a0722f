//! The embedded trust domain for development: a CA and a real Workload API server.
