//! The URIs of a certificate as Go's `url.URL`, and its text.

use regorus::Value;

use super::super::BuiltinError;
use super::arguments::{invalid, object};
use super::hex;

/// A URI with its parts; a user, which no certificate has, is refused.
#[derive(Debug, Default)]
pub(super) struct Uri<'a> {
    scheme: String,
    opaque: &'a str,
    host: &'a str,
    has_authority: bool,
    path: &'a str,
    force_query: bool,
    query: &'a str,
    fragment: &'a str,
}

impl<'a> Uri<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, BuiltinError> {
        let wrong = || invalid("x509: cannot parse a URI of a certificate");
        if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(wrong());
        }
        let mut uri = Self::default();
        let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
        uri.fragment = fragment;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        uri.force_query =
            query.is_empty() && text.split('#').next().unwrap_or_default().ends_with('?');
        uri.query = query;
        let rest = match rest.split_once(':') {
            Some((scheme, after)) if is_scheme(scheme) => {
                uri.scheme = scheme.to_ascii_lowercase();
                after
            }
            Some((before, _)) if !before.contains('/') => return Err(wrong()),
            _ => rest,
        };
        if let Some(after) = rest.strip_prefix("//") {
            let end = after.find('/').unwrap_or(after.len());
            let (host, path) = after.split_at_checked(end).ok_or_else(wrong)?;
            if host.contains(['@', ' ', '%', '<', '>', '"']) {
                return Err(wrong());
            }
            (uri.host, uri.path, uri.has_authority) = (host, path, true);
        } else if !uri.scheme.is_empty() && !rest.starts_with('/') {
            uri.opaque = rest;
        } else {
            uri.path = rest;
        }
        decoded(uri.path).and(decoded(uri.fragment)).ok_or_else(wrong)?;
        Ok(uri)
    }

    pub(super) fn to_go(&self) -> Value {
        let path = decoded(self.path).unwrap_or_default();
        let fragment = decoded(self.fragment).unwrap_or_default();
        // The raw form is kept where Go would write the decoded one otherwise.
        let raw =
            |decoded: &str, raw: &str| Value::from(if encoded(decoded) == raw { "" } else { raw });
        object([
            ("Scheme", Value::from(self.scheme.as_str())),
            ("Opaque", Value::from(self.opaque)),
            ("User", Value::Null),
            ("Host", Value::from(self.host)),
            ("RawPath", raw(&path, self.path)),
            ("Path", Value::from(path)),
            ("OmitHost", Value::from(false)),
            ("ForceQuery", Value::from(self.force_query)),
            ("RawQuery", Value::from(self.query)),
            ("RawFragment", raw(&fragment, self.fragment)),
            ("Fragment", Value::from(fragment)),
        ])
    }

    /// As Go writes it: what is not allowed in a path is percent-encoded.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        if !self.scheme.is_empty() {
            text.push_str(&self.scheme);
            text.push(':');
        }
        text.push_str(self.opaque);
        if self.has_authority {
            text.push_str("//");
            text.push_str(self.host);
        }
        text.push_str(&escaped(self.path));
        if self.force_query || !self.query.is_empty() {
            text.push('?');
            text.push_str(self.query);
        }
        if !self.fragment.is_empty() {
            text.push('#');
            text.push_str(&escaped(self.fragment));
        }
        text
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The raw form where it is a valid encoding, else that of what it means.
fn escaped(raw: &str) -> String {
    let is_valid = raw.bytes().all(|byte| is_kept(byte) || is_allowed(byte));
    if is_valid { raw.to_owned() } else { encoded(&decoded(raw).unwrap_or_default()) }
}

/// What an encoded path may hold as it is beside what is never encoded.
fn is_allowed(byte: u8) -> bool {
    matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']' | b'%')
}

fn is_kept(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&byte)
}

fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    encoded
}

/// None where a percent sign starts no byte.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digits = std::str::from_utf8(digits).ok()?;
        digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
