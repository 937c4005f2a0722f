//! The one contract: what policy sees, what is forwarded, what is recorded and what replay reads.
//!
//! A request head enters [`Head::canonical`] and leaves in the only form that anything downstream
//! knows, or as a [`Refusal`]. With the facts of its connection it becomes an [`AccessRequest`].
//! Nothing that a policy can read changes after that.

mod access;
mod canonical;
mod document;
mod head;
mod headers;

pub use access::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, JwtFacts, Source,
    TlsFacts,
};
pub use document::DocumentError;
pub(crate) use document::canonical_path;
pub use head::{Head, Protocol, Refusal, Scheme};
pub use headers::{DECISION_ID_HEADER, is_reserved};
