//! What is decided on: a request, and its input document once something needs it.

use std::cell::OnceCell;

use regorus::Value;

use super::input::{self, Reads};
use crate::Timestamp;
use crate::request::AccessRequest;

/// A request or, for tests and replay of any shape, a document alone.
pub(super) struct Subject<'a> {
    request: Option<&'a AccessRequest>,
    reads: Reads,
    document: OnceCell<Value>,
    pub(super) time: Timestamp,
}

impl<'a> Subject<'a> {
    pub(super) fn of_request(request: &'a AccessRequest, reads: Reads) -> Self {
        Self { request: Some(request), reads, document: OnceCell::new(), time: request.time }
    }

    pub(super) fn of_document(document: Value, time: Timestamp) -> Self {
        let document = OnceCell::from(document);
        Self { request: None, reads: Reads::default(), document, time }
    }

    pub(super) fn request(&self) -> Option<&AccessRequest> {
        self.request
    }

    /// Built at most once.
    pub(super) fn document(&self) -> &Value {
        let build = || match self.request {
            Some(request) => input::document(request, self.reads),
            None => Value::Undefined,
        };
        self.document.get_or_init(build)
    }
}
