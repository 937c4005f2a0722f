//! The input document: `AccessRequest` as JSON and back.
//!
//! What policy sees of a request leaves in one fixed shape (`schemas/input.json`), every key always
//! there. The same shape enters again, checked as strictly as a request from the wire: a document that
//! no request could have made is refused with the place in it, never repaired. The input of Envoy's OPA
//! plugin, as its decision log holds it, enters too.

mod write;
mod fields;
mod read;
mod described;
mod envoy;
#[cfg(test)]
mod tests;

use http::{Method, Uri};

use super::{Direction, Refusal, target};

/// Why a JSON value is no input document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct DocumentError {
    /// Where, as `request.headers.accept[1]`; `input` is the whole document.
    pub path: String,
    pub message: String,
}

impl DocumentError {
    fn new(path: &str, message: impl Into<String>) -> Self {
        let path = if path.is_empty() { "input" } else { path };
        Self { path: path.to_owned(), message: message.into() }
    }
}

impl Direction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Whether a path is one that a request can have on some route: canonical, and without query.
pub(crate) fn canonical_path(path: &str) -> Result<(), Refusal> {
    if path.contains(['?', '#']) {
        return Err(Refusal::TargetForm);
    }
    let uri = Uri::try_from(path).map_err(|_| Refusal::PathByte)?;
    let (target, _) = target::target(&Method::GET, uri)?;
    if target.as_str() == path { Ok(()) } else { Err(Refusal::PercentEncoding) }
}
