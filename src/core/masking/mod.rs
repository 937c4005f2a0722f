//! What no output may hold, and how it says so: one rule for the record, the commands and the tests.
//!
//! Of a request's head only the values of [`ALLOWED_HEADERS`] are shown; values of the query, bodies
//! and the claims of a token never are. Engine errors quote their input, so what is no word of errors
//! ([`words`]) is taken out of them. [`Secrets`] knows what a document of a test held at such places
//! and takes it out of any text.

mod words;
mod error_text;
mod document;
mod secrets;
#[cfg(test)]
mod tests;

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};

pub(crate) use document::{hides_member, masked};
pub(crate) use error_text::{error_text, error_text_of};
pub(crate) use secrets::Secrets;

/// In place of a value.
pub(crate) const MASK: &str = "***";
/// The headers whose values say what a request is and hold no secret by their definition.
pub(crate) const ALLOWED_HEADERS: [HeaderName; 6] = [
    USER_AGENT,
    ACCEPT,
    CONTENT_TYPE,
    CONTENT_LENGTH,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
];
