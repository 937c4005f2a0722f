//! What an explanation never holds: the values that a record masks.
//!
//! Which expressions may carry such a value each engine's part follows through the policy itself.
//! A credential that passes it by all the same, since a policy's data holds it too, is found here by
//! its text.

use crate::masking::{self, Secrets};
use crate::request::{AccessRequest, query};

pub(in crate::policy) use crate::masking::MASK;

/// Parts of the names of headers and of query keys that say that a value is a credential.
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
            if is_credential(name.as_str()) {
                secrets.add_all([&*String::from_utf8_lossy(value.as_bytes())]);
            }
        }
        for pair in request.head.query().unwrap_or_default().split('&') {
            let sent = pair.split_once('=').map_or("", |(_, value)| value);
            for (_, value) in query::pairs(pair).filter(|(key, _)| is_credential(key)) {
                secrets.add_all([&*value, sent]);
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

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIAL_NAMES.iter().any(|part| name.contains(part))
}
