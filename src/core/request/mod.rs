//! The one contract: what policy sees, what is forwarded, what is recorded and what replay reads.
//!
//! A request head enters [`Head::canonical`] and leaves in the only form that anything downstream
//! knows, or as a [`Refusal`]; [`Draft`] is the same with the settings of its route. With the facts of
//! its connection it becomes an [`AccessRequest`]. Nothing that a policy can read changes after that.

mod access;
mod head;
mod headers;
mod names;
mod ends;
mod survey;
mod host;
mod target;
pub(crate) mod query;
mod relaxed;
mod refusal;
mod protocol;
mod document;
#[cfg(test)]
mod properties;

pub use access::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, JwtFacts, Source,
    TlsFacts,
};
pub use document::DocumentError;
pub(crate) use document::canonical_path;
pub use head::{Draft, Head};
pub use headers::{DECISION_ID_HEADER, is_reserved};
pub use host::Host;
pub use protocol::{Protocol, Scheme};
pub use refusal::Refusal;
pub use relaxed::Relaxed;
