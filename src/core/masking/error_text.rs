//! An engine's error without what it quotes of its input.

use super::{ALLOWED_HEADERS, MASK, words};
use crate::request::AccessRequest;

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
pub(crate) fn error_text(text: &str, request: &AccessRequest) -> String {
    error_text_of(text, |word| is_in_masked_input(word, request))
}

/// The same where the input is no request; `is_masked` says whether a word stood in what is masked.
pub(crate) fn error_text_of(text: &str, is_masked: impl Fn(&str) -> bool) -> String {
    let unquoted = mask_quoted(text.rsplit_once("\nerror: ").map_or(text, |(_, message)| message));
    let mut shown = String::with_capacity(unquoted.len());
    let mut value_follows = false;
    for word in unquoted.split_inclusive([' ', '\n']) {
        let bare = word.trim_end();
        let name = bare.trim_matches(|c: char| !c.is_alphanumeric());
        let is_type = TYPE_WORDS.contains(&name.to_lowercase().as_str());
        let is_input = (value_follows && !is_type)
            || !(words::is_known(name) || is_punctuation(bare))
            || (!is_type && is_masked(name));
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
