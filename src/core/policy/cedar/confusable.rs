//! Texts that look like others: a group whose name has one Cyrillic letter has no members.
//!
//! What is compared is the text as it is written: an escape shows what it is.

use std::collections::BTreeMap;

use unicode_security::{GeneralSecurityProfile as _, MixedScript as _, skeleton};

use super::Findings;
use super::place::{line_and_column, warn_at};
use super::scan::tokens;
use super::source::{self, Source};

/// Longer texts are prose.
const MAX_NAME_BYTES: usize = 256;
const HINT: &str = "type it anew, or write the character as `\\u{…}`";

/// One text between quotes.
#[derive(Clone, Copy)]
struct Quoted<'a> {
    source: Source<'a>,
    offset: usize,
    text: &'a str,
    /// It names an entity or a policy.
    is_id: bool,
}

/// Warns about texts of policies that are not what they look like, by themselves or beside another
/// text of the policies or the data.
pub(super) fn check(policies: &[Source<'_>], data: &[Source<'_>], findings: &mut Findings) {
    let written: Vec<_> = policies.iter().flat_map(|source| quoted(*source)).collect();
    let stored = || data.iter().flat_map(|source| quoted(*source));
    if written.iter().all(|quoted| quoted.text.is_ascii())
        && data.iter().all(|source| source.text.is_ascii())
    {
        return;
    }
    let mut looks: BTreeMap<String, Quoted<'_>> = BTreeMap::new();
    for quoted in written.iter().copied().chain(stored()) {
        let look: String = skeleton(quoted.text).collect();
        let known = *looks.entry(look).or_insert(quoted);
        let is_foreign = !quoted.text.is_ascii();
        let message = match known.text != quoted.text && (is_foreign || !known.text.is_ascii()) {
            true => Some(looks_like(&quoted, &known)),
            // Data may be in any language.
            false if is_foreign && source::is_policy(quoted.source.file) => by_itself(&quoted),
            false => None,
        };
        if let Some(message) = message {
            warn_at(findings, quoted.source, quoted.offset, message, HINT);
        }
    }
}

fn looks_like(quoted: &Quoted<'_>, known: &Quoted<'_>) -> String {
    let (line, _) = line_and_column(known.source.text, known.offset);
    let foreign = if quoted.text.is_ascii() { known.text } else { quoted.text };
    format!(
        "`{}` looks like `{}` of {}:{line} and is another text{}",
        shown(quoted.text),
        shown(known.text),
        known.source.file,
        first_foreign(foreign),
    )
}

fn by_itself(quoted: &Quoted<'_>) -> Option<String> {
    let is_odd = |c: &char| match quoted.is_id {
        true => !c.is_ascii() && !c.identifier_allowed(),
        false => is_invisible(*c),
    };
    let text = shown(quoted.text);
    if let Some(odd) = quoted.text.chars().find(is_odd) {
        let odd = odd.escape_unicode();
        return Some(format!("`{text}` holds `{odd}`, which people do not see or expect"));
    }
    let mixed = format!("`{text}` mixes scripts{}", first_foreign(quoted.text));
    (!quoted.text.is_single_script()).then_some(mixed)
}

fn first_foreign(text: &str) -> String {
    let foreign = text.chars().find(|c| !c.is_ascii());
    foreign.map(|c| format!(": it holds `{}`", c.escape_unicode())).unwrap_or_default()
}

/// The text as people can read it.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        match is_invisible(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Characters without a width of their own.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{115f}' | '\u{1160}' | '\u{3164}')
}

/// The texts between quotes. Of annotations only `@id` names anything: the others are prose.
fn quoted(source: Source<'_>) -> Vec<Quoted<'_>> {
    let mut found = Vec::new();
    let mut before = ["", "", ""];
    for (offset, token) in tokens(source.text) {
        if token.trim_start().is_empty() || token.starts_with("//") {
            continue;
        }
        let text = token.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let annotation = matches!(before, ["@", _, "("]).then_some(before[1]);
        let is_prose = annotation.is_some_and(|name| name != "id");
        if let Some(text) = text.filter(|text| !is_prose && text.len() <= MAX_NAME_BYTES) {
            let is_id = annotation.is_some() || matches!(before, [_, ":", ":"]);
            found.push(Quoted { source, offset, text, is_id });
        }
        before = [before[1], before[2], token];
    }
    found
}
