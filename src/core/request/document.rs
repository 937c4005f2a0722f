//! The input document: `AccessRequest` as JSON and back.

/// Why a JSON value is no input document.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {message}")]
pub struct DocumentError {
    pub path: String,
    pub message: String,
}
