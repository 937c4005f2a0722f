//! The lines of the decision log.
//!
//! A request with its decision enters, or one of the other events worth a record; one line of JSON
//! leaves in a buffer of the caller's [`Scratch`], complete but for the sequence number, which
//! [`Line::stamp`] writes in front. The line as written is the entry: nothing is ever serialised a
//! second time. A line is at most [`MAX_LINE_BYTES`] long, is safe to show on a terminal, and holds
//! no value that the masking rules ([`crate::masking`]) do not let through.

mod decision_id;
mod json;
mod line;
mod mask;
mod query;
mod fragment;
mod decision;
mod event;
mod event_line;
#[cfg(test)]
mod tests;

pub use decision::{Decided, FirstDecision};
pub use decision_id::{DecisionId, DecisionIdError};
pub use event::{ClaimedIdentity, End, Event, Gap, Refused};
pub use fragment::{Instance, InstanceFragment, RecordFragment};
pub use json::{original_bytes, printable};
pub use line::{Line, MAX_LINE_BYTES, Scratch};
