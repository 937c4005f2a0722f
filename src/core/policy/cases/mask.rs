//! Error texts of the engines quote what a request held; it is taken out before a person sees them, by
//! the rule of the record.

use crate::masking;
use crate::request::AccessRequest;

/// The text without what it quotes of the request.
#[must_use]
pub fn without_credentials(text: &str, request: &AccessRequest) -> String {
    masking::error_text(text, request)
}
