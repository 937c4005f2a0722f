//! Portreeve's pure core: who the caller is, what it asks for, what policy says, what is recorded.
//!
//! Nothing here touches a clock, a socket, a file or a thread of its own (clippy.toml of this
//! package bans them), so a decision can be fuzzed, replayed and measured alone. Data flows one way:
//!
//! 1. [`spiffe`]: SPIFFE IDs and the X.509-SVID leaf rules
//! 2. [`request`]: the canonical head and [`request::AccessRequest`], the one contract
//! 3. [`policy`]: a loaded [`policy::Bundle`], and [`policy::decide()`]: the only maker of permits
//! 4. [`record`]: the line of the decision log that a request and its decision become

pub mod timestamp;
pub mod words;
pub mod spiffe;
pub mod request;
mod masking;
pub mod policy;
pub mod record;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;

pub use timestamp::Timestamp;
