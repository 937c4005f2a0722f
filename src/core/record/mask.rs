//! What a record never holds, and how it says so.
//!
//! Headers are written only if they stand in [`ALLOWED_HEADERS`]; values of the query, bodies and
//! the claims of a token are never written; engine errors quote their input, so what is no
//! word of errors ([`words`]) is taken out. Each omission leaves its JSON pointer in `masked`: a replay that needs the field says
//! `not_replayable` instead of guessing.

use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, USER_AGENT};

use super::{json, words};
use crate::request::AccessRequest;

/// In place of a value.
pub(super) const MASK: &str = "***";
/// The headers whose values say what a request is and hold no secret by their definition.
pub(super) const ALLOWED_HEADERS: [HeaderName; 6] = [
    USER_AGENT,
    ACCEPT,
    CONTENT_TYPE,
    CONTENT_LENGTH,
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("traceparent"),
];

/// Far more than a browser sends; beyond it the parent is named.
const MAX_POINTERS: usize = 32;
const MAX_NAME_BYTES: usize = 64;

/// The JSON pointers of what was masked or cut.
#[derive(Clone, Debug, Default)]
pub(super) struct Pointers {
    text: Vec<u8>,
    count: usize,
}

impl Pointers {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.count = 0;
    }

    pub(super) fn add(&mut self, pointer: &str) {
        self.push(pointer, "");
    }

    pub(super) fn add_once(&mut self, pointer: &str) {
        if !self.holds(pointer) {
            self.push(pointer, "");
        }
    }

    /// Adds a member of an object, or the object itself where there are too many.
    pub(super) fn add_member(&mut self, parent: &str, name: &str) {
        if self.count < MAX_POINTERS && name.len() <= MAX_NAME_BYTES {
            self.push(parent, name);
        } else {
            self.add_once(parent);
        }
    }

    /// Appends the list's elements.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.strip_prefix(b",").unwrap_or_default());
    }

    fn push(&mut self, pointer: &str, name: &str) {
        self.text.extend_from_slice(b",\"");
        self.text.extend_from_slice(pointer.as_bytes());
        if !name.is_empty() {
            self.text.push(b'/');
            // A header's name is a token: of what a pointer or a string escapes it can hold only `~`.
            for byte in name.bytes() {
                match byte {
                    b'~' => self.text.extend_from_slice(b"~0"),
                    token => self.text.push(token),
                }
            }
        }
        self.text.push(b'"');
        self.count += 1;
    }

    fn holds(&self, pointer: &str) -> bool {
        let mut quoted = Vec::new();
        json::string(&mut quoted, pointer.as_bytes(), 256);
        self.text.windows(quoted.len()).any(|window| window == quoted)
    }
}

/// Words of engine errors that name a type or a place and never come from input.
const TYPE_WORDS: [&str; 21] = [
    "array",
    "bool",
    "boolean",
    "datetime",
    "decimal",
    "duration",
    "entity",
    "function",
    "integer",
    "ipaddr",
    "long",
    "null",
    "number",
    "object",
    "of",
    "or",
    "record",
    "set",
    "string",
    "type",
    "undefined",
];
/// After these an engine writes a value without quotes: `invalid IP address: 10.0.0.x`.
const VALUE_FOLLOWS: [&str; 6] = ["got", "found", "address:", "value:", "value", "instead"];
/// Shorter words are in every text.
const MIN_SECRET_BYTES: usize = 4;

/// An engine's error without what it quotes of its input: quoted and bracketed text, what follows `got`
/// and its like, any word that a masked header or the query holds, and all that is no word of errors,
/// since a policy may have decoded a value or cut it up.
pub(super) fn error_text(text: &str, request: &AccessRequest) -> String {
    let unquoted = mask_quoted(text.rsplit_once("\nerror: ").map_or(text, |(_, message)| message));
    let mut shown = String::with_capacity(unquoted.len());
    let mut value_follows = false;
    for word in unquoted.split_inclusive([' ', '\n']) {
        let bare = word.trim_end();
        let name = bare.trim_matches(|c: char| !c.is_alphanumeric());
        let is_type = TYPE_WORDS.contains(&name.to_lowercase().as_str());
        let is_input = (value_follows && !is_type)
            || !(words::is_known(name) || is_punctuation(bare))
            || (!is_type && is_in_masked_input(name, request));
        if is_input && bare != MASK {
            shown.push_str(MASK);
            shown.push_str(word.get(bare.len()..).unwrap_or_default());
        } else {
            shown.push_str(word);
        }
        let is_marker = VALUE_FOLLOWS.contains(&bare.to_lowercase().as_str());
        value_follows = (value_follows && bare != MASK && !word.ends_with('\n')) || is_marker;
    }
    shown
}

fn is_punctuation(word: &str) -> bool {
    word.len() <= 1 && word.chars().all(|c| c.is_ascii_punctuation())
}

/// Takes out what stands between quotes or brackets. An opening that is never closed masks the rest.
fn mask_quoted(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(character) = characters.next() {
        let closing = match character {
            '"' | '`' => Some(character),
            // `doesn't` opens nothing.
            '\'' if !before.is_alphanumeric() => Some('\''),
            '[' => Some(']'),
            '{' => Some('}'),
            _ => None,
        };
        match closing {
            Some(closing) => {
                shown.push_str(MASK);
                skip_to(closing, character, &mut characters);
                before = ' ';
            }
            None => {
                shown.push(character);
                before = character;
            }
        }
    }
    shown
}

fn skip_to(closing: char, opening: char, characters: &mut impl Iterator<Item = char>) {
    let mut depth = 1_usize;
    let mut in_string = false;
    while depth > 0 {
        let Some(character) = characters.next() else { return };
        match character {
            '\\' => {
                characters.next();
            }
            // A bracket or a backtick inside a JSON string closes nothing.
            '"' if closing != '"' => in_string = !in_string,
            _ if in_string => {}
            _ if character == closing => depth -= 1,
            _ if character == opening => depth += 1,
            _ => {}
        }
    }
}

fn is_in_masked_input(word: &str, request: &AccessRequest) -> bool {
    if word.len() < MIN_SECRET_BYTES {
        return false;
    }
    let holds = |bytes: &[u8]| {
        bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    let head = &request.head;
    let mut headers = head.headers.iter().filter(|(name, _)| !ALLOWED_HEADERS.contains(name));
    headers.any(|(_, value)| holds(value.as_bytes()))
        || head.query_pairs().any(|(_, value)| holds(value.as_bytes()))
}
