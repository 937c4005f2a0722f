//! JSON strings that come back byte for byte and are safe wherever they are shown.
//!
//! | in the value | in the line |
//! |---|---|
//! | `"` and `\` | `\"` and `\\` |
//! | C0 controls, DEL, C1 controls, bidi and invisible characters | `\u001b`, `\u0085`, `\u202e`: JSON's own form |
//! | a byte that is not UTF-8 | `\ufffd` and the byte's two hexadecimal digits: `\ufffde9` |
//! | U+FFFD itself | as its three bytes: `\ufffdef\ufffdbf\ufffdbd` |
//!
//! So U+FFFD in a decoded string is always followed by one byte's digits, and [`original_bytes`]
//! turns the string back into what the peer sent. A string longer than its limit ends in
//! `[cut: N bytes, sha256:…]`, and its JSON pointer stands in `masked`.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// No cut string is shorter: the marker has to fit.
const MARKER_BYTES: usize = 112;
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends a quoted string of at most `max` bytes between the quotes; says whether it is whole.
pub(super) fn string(out: &mut Vec<u8>, value: &[u8], max: usize) -> bool {
    out.push(b'"');
    let start = out.len();
    let is_whole = value.len() <= max && {
        escape(out, value);
        out.len() - start <= max
    };
    if !is_whole {
        out.truncate(start);
        cut(out, value, max);
    }
    out.push(b'"');
    is_whole
}

pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut used = 0;
    for slot in digits.iter_mut().rev() {
        *slot = digit(value % 10);
        used += 1;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Exactly `N` digits, with leading zeros.
pub(super) fn padded<const N: usize>(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; N];
    for slot in digits.iter_mut().rev() {
        *slot = digit(value % 10);
        value /= 10;
    }
    out.extend_from_slice(&digits);
}

fn digit(value: u64) -> u8 {
    b'0' + u8::try_from(value).unwrap_or_default() // below ten
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    let plain = plain_prefix(value);
    out.extend_from_slice(value.get(..plain).unwrap_or_default());
    if let Some(rest) = value.get(plain..)
        && !rest.is_empty()
    {
        escape_each(rest, |piece| {
            out.extend_from_slice(piece);
            true
        });
    }
}

/// How many bytes at the start need no escape, looked at eight at a time.
fn plain_prefix(value: &[u8]) -> usize {
    let (words, _) = value.as_chunks::<8>();
    let whole = words.iter().take_while(|word| is_plain_word(u64::from_le_bytes(**word))).count();
    let done = whole * 8;
    let is_plain = |b: &&u8| matches!(b, 0x20..=0x7e) && **b != b'"' && **b != b'\\';
    done + value.get(done..).unwrap_or_default().iter().take_while(is_plain).count()
}

/// Whether all eight bytes are printable ASCII other than `"` and `\`.
const fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    const fn has_zero(word: u64) -> u64 {
        word.wrapping_sub(ONES) & !word
    }
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = has_zero(word ^ (ONES * b'"' as u64));
    let backslash = has_zero(word ^ (ONES * b'\\' as u64));
    let delete = has_zero(word ^ (ONES * 0x7f));
    (word | below_space | quote | backslash | delete) & HIGHS == 0
}

/// Hands out the escaped form piece by piece until `put` says no; a piece is never divided.
fn escape_each(value: &[u8], mut put: impl FnMut(&[u8]) -> bool) {
    for chunk in value.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 24];
            if !put(escape_char(character, &mut buffer)) {
                return;
            }
        }
        for byte in chunk.invalid() {
            if !put(&escape_byte(*byte)) {
                return;
            }
        }
    }
}

fn escape_char(character: char, buffer: &mut [u8; 24]) -> &[u8] {
    let mut used = 0;
    let mut push = |bytes: &[u8]| {
        if let Some(slot) = buffer.get_mut(used..used + bytes.len()) {
            slot.copy_from_slice(bytes);
            used += bytes.len();
        }
    };
    match character {
        '"' => push(b"\\\""),
        '\\' => push(b"\\\\"),
        char::REPLACEMENT_CHARACTER => {
            for byte in [0xef, 0xbf, 0xbd] {
                push(&escape_byte(byte));
            }
        }
        hidden if is_hidden(hidden) => {
            for unit in hidden.encode_utf16(&mut [0; 2]) {
                let [high, low] = unit.to_be_bytes();
                let ([a, b], [c, d]) = (hex(high), hex(low));
                push(&[b'\\', b'u', a, b, c, d]);
            }
        }
        shown => push(shown.encode_utf8(&mut [0; 4]).as_bytes()),
    }
    buffer.get(..used).unwrap_or_default()
}

fn escape_byte(byte: u8) -> [u8; 8] {
    let [high, low] = hex(byte);
    [b'\\', b'u', b'f', b'f', b'f', b'd', high, low]
}

pub(super) fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0x0f].map(|digit| HEX.get(usize::from(digit)).copied().unwrap_or(b'0'))
}

/// Controls, and characters that change how their neighbours are shown or are not shown at all.
const fn is_hidden(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The start of a value that is too long, and what it would take to recognise the whole.
fn cut(out: &mut Vec<u8>, value: &[u8], max: usize) {
    let room = out.len() + max.saturating_sub(MARKER_BYTES);
    escape_each(value, |piece| {
        let fits = out.len() + piece.len() <= room;
        if fits {
            out.extend_from_slice(piece);
        }
        fits
    });
    out.extend_from_slice(b"[cut: ");
    number(out, u64::try_from(value.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(b" bytes, sha256:");
    for byte in Sha256::digest(value) {
        out.extend_from_slice(&hex(byte));
    }
    out.push(b']');
}

/// What the peer sent, from a string of a record that has been read as JSON.
#[must_use]
pub fn original_bytes(text: &str) -> Cow<'_, [u8]> {
    let Some((first, rest)) = text.split_once(char::REPLACEMENT_CHARACTER) else {
        return Cow::Borrowed(text.as_bytes());
    };
    let mut bytes = first.as_bytes().to_vec();
    for part in rest.split(char::REPLACEMENT_CHARACTER) {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
            }
            None => {
                bytes.extend_from_slice("\u{fffd}".as_bytes()); // not written by us: kept as it is
                bytes.extend_from_slice(part.as_bytes());
            }
        }
    }
    Cow::Owned(bytes)
}

/// A decoded string of a record as a terminal may show it: what is hidden is written out.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &[u8], expected: &str) {
        let mut out = Vec::new();
        assert!(string(&mut out, value, 4_096));
        let written = String::from_utf8(out).unwrap();
        assert_eq!(written, format!("\"{expected}\""));
        let decoded: String = serde_json::from_str(&written).unwrap();
        assert_eq!(original_bytes(&decoded), value, "it comes back");
    }

    #[test]
    fn every_string_is_escaped_and_comes_back() {
        check(b"", "");
        check(b"/orders/17?x=~", "/orders/17?x=~");
        check(br#"a"b\c12345678"#, r#"a\"b\\c12345678"#);
        check(b"1234567\"12345678\\", r#"1234567\"12345678\\"#);
        check(b"\0\n\r\t\x1b[31m\x7f", r"\u0000\u000a\u000d\u0009\u001b[31m\u007f");
        check("\u{85}\u{9b}".as_bytes(), r"\u0085\u009b");
        check("a\u{202e}b\u{2066}\u{200f}\u{feff}".as_bytes(), r"a\u202eb\u2066\u200f\ufeff");
        check("\u{e0041}".as_bytes(), r"\udb40\udc41");
        check("grün €😀".as_bytes(), "grün €😀");
        check(b"caf\xe9 \xff\xfe", r"caf\ufffde9 \ufffdff\ufffdfe");
        check("\u{fffd}e9".as_bytes(), r"\ufffdef\ufffdbf\ufffdbde9");
        check(b"\xf0\x9f\x98", r"\ufffdf0\ufffd9f\ufffd98");
    }

    #[test]
    fn every_byte_is_escaped_in_every_place_of_a_word() {
        for byte in 0..=u8::MAX {
            for place in 0..8 {
                let mut value = *b"aaaaaaaa";
                value[place] = byte;
                let mut out = Vec::new();
                string(&mut out, &value, 4_096);
                let decoded: String = serde_json::from_slice(&out).unwrap();
                assert_eq!(original_bytes(&decoded), &value[..], "{byte:#x} at {place}");
                let shown = std::str::from_utf8(&out).unwrap();
                assert!(!shown.chars().any(is_hidden), "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn a_long_string_is_cut_and_named_by_its_hash() {
        for value in [vec![b'a'; 100_000], vec![0xff; 100_000], "\u{202e}".repeat(500).into()] {
            let mut out = Vec::new();
            assert!(!string(&mut out, &value, 512));
            assert!(out.len() <= 514, "{}", out.len());
            let text: String = serde_json::from_slice(&out).unwrap();
            let mut hash = String::new();
            for byte in Sha256::digest(&value) {
                hash.push_str(std::str::from_utf8(&hex(byte)).unwrap());
            }
            assert!(text.ends_with(&format!("[cut: {} bytes, sha256:{hash}]", value.len())));
        }
    }

    #[test]
    fn numbers_are_decimal() {
        for value in [0, 9, 10, 65_535, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), value.to_string());
        }
    }

    #[test]
    fn a_terminal_sees_what_is_hidden() {
        assert_eq!(printable("plain"), "plain");
        assert_eq!(printable("\u{1b}[2J\u{202e}x"), "\\u{1b}[2J\\u{202e}x");
    }
}
