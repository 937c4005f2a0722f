//! Texts that must not be shown, and texts without them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use super::document::{hides_member, is_hidden_key, secrets_of};
use super::{MASK, masked};
use crate::request::query;

/// Shorter parts of a text are in every text; a value that is a secret as a whole is hidden however
/// short it is.
const MIN_PART_BYTES: usize = 4;
/// More than a test's document ever holds; beyond it nothing is shown at all.
const MAX_SECRETS: usize = 4096;
/// Decoding what was decoded: a token in a header in a token.
const MAX_DECODED: usize = 3;

/// What documents held where nothing is shown, as it stood and as a policy may have decoded it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Secrets {
    whole: BTreeSet<String>,
    /// Longest first, so that no part of a longer one is left over.
    parts: Vec<String>,
    is_overfull: bool,
}

impl Secrets {
    pub(crate) fn add_document(&mut self, document: &Value) {
        for secret in secrets_of(document) {
            self.insert(&secret, 0);
        }
        self.sort();
    }

    /// Adds texts that stand where a document hides them.
    pub(crate) fn add_all<'a>(&mut self, secrets: impl IntoIterator<Item = &'a str>) {
        secrets.into_iter().for_each(|secret| self.insert(secret, 0));
        self.sort();
    }

    fn sort(&mut self) {
        let parts = self.whole.iter().filter(|text| text.len() >= MIN_PART_BYTES);
        self.parts = parts.cloned().collect();
        self.parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    }

    fn insert(&mut self, secret: &str, decoded: usize) {
        if self.whole.len() >= MAX_SECRETS {
            self.is_overfull = true;
            return;
        }
        if secret.is_empty() || !self.whole.insert(secret.to_owned()) {
            return;
        }
        let separates = |c: char| matches!(c, ' ' | ';' | ',' | '=' | '"' | ':' | '.' | '&');
        for part in secret.split(separates).filter(|part| part.len() >= MIN_PART_BYTES) {
            if part.len() < secret.len() {
                self.insert(part, decoded);
            }
            if decoded < MAX_DECODED {
                self.insert_decoded(part, decoded.saturating_add(1));
            }
        }
    }

    /// What a policy sees behind `base64.decode`, `io.jwt.decode` or `urlquery.decode`.
    fn insert_decoded(&mut self, part: &str, decoded: usize) {
        let unpadded = part.trim_end_matches('=');
        let bytes = BASE64_URL_SAFE_NO_PAD
            .decode(unpadded)
            .or_else(|_| BASE64_STANDARD_NO_PAD.decode(unpadded));
        if let Some(text) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            match serde_json::from_str::<Value>(&text) {
                Ok(Value::Object(claims)) => {
                    let hidden = serde_json::json!({ "claims": claims });
                    secrets_of(&hidden).iter().for_each(|claim| self.insert(claim, decoded));
                }
                _ => self.insert(&text, decoded),
            }
        }
        if part.contains('%') {
            for (_, plain) in query::pairs(&format!("v={part}")) {
                self.insert(&plain, decoded);
            }
        }
    }

    /// Whether a word of a text is a part of a secret.
    pub(crate) fn holds(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.is_overfull
            || (word.len() >= MIN_PART_BYTES
                && self.parts.iter().any(|part| part.to_lowercase().contains(&word)))
    }

    /// The text without the secrets in it, and without what looks like a token or a key.
    pub(crate) fn hide(&self, text: &str) -> String {
        if self.is_overfull || self.whole.contains(text) {
            return MASK.to_owned();
        }
        let mut shown = text.to_owned();
        for part in &self.parts {
            if shown.contains(part.as_str()) {
                shown = shown.replace(part.as_str(), MASK);
            }
        }
        let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let words: Vec<String> = shown
            .split(ends)
            .filter(|word| is_token(word) || is_key(word, &shown))
            .map(str::to_owned)
            .collect();
        for word in words {
            shown = shown.replace(&word, MASK);
        }
        shown
    }

    /// The value, masked as a document is, without the secrets in its texts.
    pub(crate) fn hide_value(&self, value: &Value) -> Value {
        self.hide_texts("", &masked(value))
    }

    fn hide_texts(&self, parent: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.hide(text)),
            Value::Number(number) if self.whole.contains(&number.to_string()) => MASK.into(),
            Value::Array(items) => {
                Value::Array(items.iter().map(|item| self.hide_texts(parent, item)).collect())
            }
            Value::Object(members) => {
                let member = |(name, value): (&String, &Value)| {
                    let is_hidden = hides_member(parent, name) || is_hidden_key(name);
                    let shown = if is_hidden && !value.is_null() && !value.is_boolean() {
                        Value::from(MASK)
                    } else {
                        self.hide_texts(name, value)
                    };
                    (self.hide(name), shown)
                };
                Value::Object(members.iter().map(member).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// Three parts of base64url, the first of which begins as `{"` does.
fn is_token(word: &str) -> bool {
    word.starts_with("eyJ") && word.matches('.').count() >= 1
}

/// The lines of a key or certificate in PEM.
fn is_key(word: &str, text: &str) -> bool {
    word.len() > 40 && text.contains("PRIVATE KEY-----")
}
