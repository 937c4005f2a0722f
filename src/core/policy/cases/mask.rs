//! Error texts of the engines quote what a request held; credentials are taken out before a person
//! sees them.

use crate::request::AccessRequest;

const CREDENTIAL_HEADERS: [&str; 4] =
    ["authorization", "cookie", "proxy-authorization", "x-api-key"];
/// Shorter parts are words such as `Bearer`, and no secret.
const MIN_SECRET_BYTES: usize = 7;
const MASK: &str = "[masked]";

/// The text without any part of the request's credentials.
#[must_use]
pub fn without_credentials(text: &str, request: &AccessRequest) -> String {
    let mut masked = text.to_owned();
    for name in CREDENTIAL_HEADERS {
        for value in request.head.headers.get_all(name) {
            let Ok(value) = value.to_str() else { continue };
            let separates = |c: char| matches!(c, ' ' | ';' | ',' | '=' | '"' | ':');
            let parts = value.split(separates).filter(|part| part.len() >= MIN_SECRET_BYTES);
            for part in std::iter::once(value).chain(parts).filter(|part| !part.is_empty()) {
                masked = masked.replace(part, MASK);
            }
        }
    }
    masked
}
