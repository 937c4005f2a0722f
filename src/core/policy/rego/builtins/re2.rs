//! Patterns as RE2 reads them, which OPA uses, for the `regex` crate: there `\d`, `\w`, `\s` and `\b`
//! are ASCII, `[[]` is a bracket, `{` may stand for itself, and there is no `(?x)`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::iter::Peekable;
use std::str::Chars;

use regex::{Regex, RegexBuilder};

use super::BuiltinError;
use super::arguments::error;

/// A pattern is written by hand.
pub(super) const MAX_PATTERN_BYTES: usize = 8 * 1024;
/// The compiled form, which bounds what each character of a text may cost: `[a-z]{1,1000}` takes a
/// quarter of it.
pub(super) const MAX_PROGRAM_BYTES: usize = 1 << 20;
/// What a match may keep of the automaton that it builds as it goes.
const MAX_AUTOMATON_BYTES: usize = 256 * 1024;
/// RE2's own limit of one repetition.
const MAX_REPEAT: u32 = 1000;
/// Compiled patterns per thread, so that no lock is shared; policies name far fewer, and a pattern
/// that comes from data costs its compilation once more.
const MAX_CACHED: usize = 128;

thread_local! {
    static CACHE: RefCell<HashMap<String, Regex>> = RefCell::new(HashMap::new());
}

/// The pattern compiled, from the cache if it is there.
pub(super) fn compile(pattern: &str) -> Result<Regex, BuiltinError> {
    if pattern.len() > MAX_PATTERN_BYTES {
        return error(format!("the pattern is longer than {MAX_PATTERN_BYTES} bytes"));
    }
    cached(pattern, || translate(pattern))
}

/// Compiles what `write` gives unless `key` has been before; keys of several kinds must differ.
pub(super) fn cached(
    key: &str,
    write: impl FnOnce() -> Result<String, BuiltinError>,
) -> Result<Regex, BuiltinError> {
    if let Some(regex) = CACHE.with_borrow(|cache| cache.get(key).cloned()) {
        return Ok(regex);
    }
    let regex = RegexBuilder::new(&write()?)
        .size_limit(MAX_PROGRAM_BYTES)
        .dfa_size_limit(MAX_AUTOMATON_BYTES)
        .build()
        .map_err(|failure| match failure {
            regex::Error::CompiledTooBig(_) => {
                BuiltinError(format!("the pattern compiles to more than {MAX_PROGRAM_BYTES} bytes"))
            }
            _ => BuiltinError("the pattern is no regular expression".to_owned()),
        })?;
    CACHE.with_borrow_mut(|cache| {
        // Emptying is enough of an order: what is in use comes back at once.
        if cache.len() >= MAX_CACHED {
            cache.clear();
        }
        cache.insert(key.to_owned(), regex.clone());
    });
    Ok(regex)
}

fn translate(pattern: &str) -> Result<String, BuiltinError> {
    let mut translation = Translation { rest: pattern.chars().peekable(), text: String::new() };
    translation.run()?;
    Ok(translation.text)
}

struct Translation<'a> {
    rest: Peekable<Chars<'a>>,
    text: String,
}

impl Translation<'_> {
    fn run(&mut self) -> Result<(), BuiltinError> {
        // The last token was a repetition, behind which no other may stand.
        let mut repeated = false;
        while let Some(next) = self.rest.next() {
            let was_repeated = std::mem::take(&mut repeated);
            match next {
                '\\' => self.escape()?,
                '[' => self.class()?,
                '(' => self.group()?,
                '*' | '+' | '?' => {
                    self.text.push(next);
                    repeated = self.after_repetition(was_repeated)?;
                }
                '{' => match self.counts()? {
                    Some(counts) => {
                        self.text.push_str(&counts);
                        repeated = self.after_repetition(was_repeated)?;
                    }
                    None => self.text.push_str("\\{"),
                },
                '}' => self.text.push_str("\\}"),
                _ => self.text.push(next),
            }
        }
        Ok(())
    }

    fn after_repetition(&mut self, was_repeated: bool) -> Result<bool, BuiltinError> {
        if was_repeated {
            return error("the pattern repeats a repetition");
        }
        self.text.extend(self.rest.next_if_eq(&'?'));
        Ok(true)
    }

    /// `{n}`, `{n,}` or `{n,m}`; anything else is text.
    fn counts(&mut self) -> Result<Option<String>, BuiltinError> {
        let ahead: String = self.rest.clone().take_while(|c| *c != '}').take(12).collect();
        let (low, high) = ahead.split_once(',').unwrap_or((&ahead, "0"));
        let is_closed = self.rest.clone().nth(ahead.chars().count()) == Some('}');
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !is_closed || !is_number(low) || !(high.is_empty() || is_number(high)) {
            return Ok(None);
        }
        for count in [low, high].into_iter().filter(|count| !count.is_empty()) {
            if count.parse::<u32>().map_or(true, |count| count > MAX_REPEAT) {
                return error(format!("the pattern repeats more than {MAX_REPEAT} times"));
            }
        }
        for _ in 0..=ahead.len() {
            self.rest.next();
        }
        Ok(Some(format!("{{{ahead}}}")))
    }

    /// A group's flags: those that only the crate has are refused.
    fn group(&mut self) -> Result<(), BuiltinError> {
        self.text.push('(');
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.text.push('?');
        let flags: String =
            self.rest.clone().take_while(|c| c.is_ascii_alphabetic() || *c == '-').collect();
        if !flags.starts_with('P') && flags.contains(|c| !"imsU-".contains(c)) {
            return error("the pattern has a flag that RE2 does not know");
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), BuiltinError> {
        match self.rest.next() {
            Some('b') => self.text.push_str("(?-u:\\b)"),
            Some('B') => self.text.push_str("(?-u:\\B)"),
            Some('Q') => self.literal(),
            Some('C') => return error("the pattern matches single bytes with `\\C`"),
            Some(next @ ('A' | 'z')) => self.text.extend(['\\', next]),
            Some(next) => self.character(next, false)?,
            None => return error("the pattern ends with a backslash"),
        }
        Ok(())
    }

    /// An escape that may stand in a class, too.
    fn character(&mut self, next: char, in_class: bool) -> Result<(), BuiltinError> {
        let (ascii, is_negated) = match next.to_ascii_lowercase() {
            'd' => ("0-9", next == 'D'),
            'w' => ("0-9A-Za-z_", next == 'W'),
            's' => ("\\t\\n\\f\\r ", next == 'S'),
            _ => ("", false),
        };
        match next {
            _ if is_negated => self.text.push_str(&format!("[^{ascii}]")),
            _ if !ascii.is_empty() && in_class => self.text.push_str(ascii),
            _ if !ascii.is_empty() => self.text.push_str(&format!("[{ascii}]")),
            'x' | 'p' | 'P' => {
                self.text.extend(['\\', next]);
                self.braces();
            }
            'a' | 'f' | 'n' | 'r' | 't' | 'v' => self.text.extend(['\\', next]),
            '0'..='7' => return self.octal(next),
            _ if next.is_ascii_punctuation() => {
                self.text.push_str(&regex::escape(next.encode_utf8(&mut [0; 4])));
            }
            _ => return error(format!("the pattern holds the unknown escape `\\{next}`")),
        }
        Ok(())
    }

    /// The name of a class or the number of a character.
    fn braces(&mut self) {
        if self.rest.peek() == Some(&'{') {
            let is_inner = |c: &char| *c != '}';
            while let Some(next) = self.rest.next_if(is_inner) {
                self.text.push(next);
            }
            self.text.extend(self.rest.next());
        }
    }

    /// A single digit but zero would refer back to a group.
    fn octal(&mut self, first: char) -> Result<(), BuiltinError> {
        let is_octal = |c: &char| ('0'..='7').contains(c);
        let mut code = first.to_digit(8).unwrap_or_default();
        if first != '0' && !self.rest.peek().is_some_and(is_octal) {
            return error("the pattern refers back to a group");
        }
        for _ in 0..2 {
            let Some(digit) = self.rest.next_if(is_octal) else { break };
            code = code * 8 + digit.to_digit(8).unwrap_or_default();
        }
        self.text.push_str(&format!("\\x{{{code:x}}}"));
        Ok(())
    }

    fn literal(&mut self) {
        let ahead: String = self.rest.clone().collect();
        let (text, closing) = match ahead.split_once("\\E") {
            Some((text, _)) => (text, 2),
            None => (ahead.as_str(), 0),
        };
        self.text.push_str(&regex::escape(text));
        for _ in 0..text.chars().count() + closing {
            self.rest.next();
        }
    }

    fn class(&mut self) -> Result<(), BuiltinError> {
        self.text.push('[');
        self.text.extend(self.rest.next_if_eq(&'^'));
        let mut is_first = true;
        // A range cannot end with a class.
        let mut after_dash = false;
        loop {
            let Some(next) = self.rest.next() else {
                return error("the pattern has a `[` that is not closed");
            };
            match next {
                ']' if !is_first => break,
                '[' if self.rest.peek() == Some(&':') => self.text.push('['),
                '[' | ']' | '&' | '~' => self.text.extend(['\\', next]),
                '\\' => {
                    let Some(escaped) = self.rest.next() else {
                        return error("the pattern ends with a backslash");
                    };
                    if after_dash && "dDwWsSpP".contains(escaped) {
                        return error("the pattern has a range that ends with a class");
                    }
                    self.character(escaped, true)?;
                }
                '-' if is_first => self.text.push_str("\\-"),
                // The crate takes two for a difference of classes.
                '-' if !after_dash && self.rest.next_if_eq(&'-').is_some() => {
                    self.text.push_str("-\\-");
                    is_first = false;
                    continue;
                }
                _ => self.text.push(next),
            }
            if next == '[' && self.rest.peek() == Some(&':') {
                self.named_class()?;
            }
            after_dash = next == '-' && !is_first && !after_dash && self.rest.peek() != Some(&']');
            is_first = false;
        }
        self.text.push(']');
        Ok(())
    }

    /// Behind `[` in a class: `:alpha:]`, ASCII in both.
    fn named_class(&mut self) -> Result<(), BuiltinError> {
        for next in self.rest.by_ref() {
            self.text.push(next);
            if next == ']' {
                return Ok(());
            }
        }
        error("the pattern has a named class that is not closed")
    }
}
