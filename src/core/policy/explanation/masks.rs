//! What an explanation never holds: the values that a record masks.
//!
//! Which expressions may carry such a value each engine's part follows through the policy itself.
//! A credential that passes it by all the same, since a policy's data holds it too, is found here by
//! its text.

use crate::masking::{self, Secrets};
use crate::request::AccessRequest;

pub(in crate::policy) use crate::masking::MASK;

/// Parts of header names that say that a value is a credential.
const CREDENTIAL_NAMES: [&str; 7] =
    ["authorization", "cookie", "token", "secret", "key", "password", "session"];

/// The credentials of one request.
#[derive(Debug)]
pub(in crate::policy) struct Masks<'a> {
    request: &'a AccessRequest,
    secrets: Secrets,
}

impl<'a> Masks<'a> {
    pub(in crate::policy) fn of(request: &'a AccessRequest) -> Self {
        let mut secrets = Secrets::default();
        for (name, value) in &request.head.headers {
            if CREDENTIAL_NAMES.iter().any(|part| name.as_str().contains(part)) {
                secrets.add_all([&*String::from_utf8_lossy(value.as_bytes())]);
            }
        }
        Self { request, secrets }
    }

    /// A value's text without the credentials in it.
    pub(in crate::policy) fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// An engine's error without what it quotes.
    pub(super) fn error(&self, text: &str) -> String {
        self.hide(&masking::error_text(text, self.request))
    }
}
