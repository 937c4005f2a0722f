//! The embedded trust domain for development and tests: a CA and a real Workload API server.
//!
//! Entries (which Unix user is which SPIFFE ID) enter; SVIDs, bundles and JWT-SVIDs leave over the
//! Workload API on a Unix socket, as from a SPIRE agent. It is not for production, and says so in the
//! log and in every certificate's subject: keys live in memory, a Unix user is all that it knows of a
//! caller, and its trust domain must end in `.dev`, `.test` or `.localhost`. It never listens on TCP.

use portreeve_core::spiffe::TrustDomain;

mod answers;
mod authority;
mod authority_header;
mod domain;
mod entry;
mod jwt;
mod sample;
mod server;
mod socket;
mod workload_api;
#[cfg(test)]
mod tests;

pub use authority::{Authority, AuthorityError, Issued};
pub use entry::{Entry, EntryError, Selector};
pub use jwt::JwtAuthority;
pub use sample::SampleService;
pub use socket::{Access, SocketError};
pub use workload_api::{DEFAULT_TTL, Fault, Settings, StartError, WorkloadApi};

/// The organisation in the subject of every certificate that comes from here.
pub const ORGANISATION: &str = "portreeve development";

/// Names that nobody's production has: `.dev` by custom, the others by RFC 6761.
const DEVELOPMENT_SUFFIXES: [&str; 3] = [".dev", ".test", ".localhost"];

/// Whether an embedded authority may have this trust domain.
#[must_use]
pub fn is_development(trust_domain: &TrustDomain) -> bool {
    DEVELOPMENT_SUFFIXES.iter().any(|suffix| trust_domain.as_str().ends_with(suffix))
}
