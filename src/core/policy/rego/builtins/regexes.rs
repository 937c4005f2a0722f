//! `regex.*` with RE2's meaning, limits of its own and a cache per thread.

use regex::Regex;
use regorus::Value;

use super::arguments::{MAX_ELEMENTS, check_elements, check_text, error, integer, string};
use super::{Builtin, BuiltinError, re2};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "regex.match", arity: 2, run: is_match },
    Builtin { name: "regex.is_valid", arity: 1, run: is_valid },
    Builtin { name: "regex.find_n", arity: 3, run: find_n },
    Builtin { name: "regex.find_all_string_submatch_n", arity: 3, run: find_all_string_submatch_n },
    Builtin { name: "regex.replace", arity: 3, run: replace },
    Builtin { name: "regex.split", arity: 2, run: split },
    Builtin { name: "regex.template_match", arity: 4, run: template_match },
];

/// What is matched: a character may cost as much as a pattern has states.
pub(super) const MAX_MATCHED_BYTES: usize = 64 * 1024;

fn pattern(arguments: &[Value], index: usize) -> Result<Regex, BuiltinError> {
    re2::compile(string(arguments, index)?)
}

fn matched(arguments: &[Value], index: usize) -> Result<&str, BuiltinError> {
    let text = string(arguments, index)?;
    if text.len() > MAX_MATCHED_BYTES {
        return error(format!("the text is longer than {MAX_MATCHED_BYTES} bytes"));
    }
    Ok(text)
}

fn is_match(arguments: &[Value]) -> Result<Value, BuiltinError> {
    Ok(Value::from(pattern(arguments, 0)?.is_match(matched(arguments, 1)?)))
}

fn is_valid(arguments: &[Value]) -> Result<Value, BuiltinError> {
    // OPA takes anything here.
    Ok(Value::from(pattern(arguments, 0).is_ok()))
}

/// How many matches are asked for; a negative number asks for all.
fn count(arguments: &[Value], index: usize) -> Result<usize, BuiltinError> {
    Ok(usize::try_from(integer(arguments, index)?).unwrap_or(usize::MAX).min(MAX_ELEMENTS + 1))
}

fn find_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (regex, text) = (pattern(arguments, 0)?, matched(arguments, 1)?);
    let found = regex.find_iter(text).take(count(arguments, 2)?);
    let found: Vec<Value> = found.map(|found| Value::from(found.as_str())).collect();
    check_elements(found.len())?;
    Ok(Value::from(found))
}

fn find_all_string_submatch_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (regex, text) = (pattern(arguments, 0)?, matched(arguments, 1)?);
    let mut all = Vec::new();
    let mut elements = 0;
    for captures in regex.captures_iter(text).take(count(arguments, 2)?) {
        let group = |group: Option<regex::Match<'_>>| Value::from(group.map_or("", |g| g.as_str()));
        let groups: Vec<Value> = captures.iter().map(group).collect();
        elements += groups.len();
        check_elements(elements)?;
        all.push(Value::from(groups));
    }
    Ok(Value::from(all))
}

fn replace(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (text, regex) = (matched(arguments, 0)?, pattern(arguments, 1)?);
    let with = string(arguments, 2)?;
    let mut replaced = String::new();
    let mut copied = 0;
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        replaced.push_str(text.get(copied..whole.start()).unwrap_or_default());
        captures.expand(with, &mut replaced);
        copied = whole.end();
        check_text(replaced.len())?;
    }
    replaced.push_str(text.get(copied..).unwrap_or_default());
    check_text(replaced.len())?;
    Ok(Value::from(replaced))
}

/// As Go splits: an empty match cuts, but not before the first character nor behind the last.
fn split(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (regex, text) = (pattern(arguments, 0)?, matched(arguments, 1)?);
    let mut parts = Vec::new();
    let (mut start, mut end) = (0, 0);
    if text.is_empty() && !regex.as_str().is_empty() {
        return Ok(Value::from(vec![Value::from("")]));
    }
    for found in regex.find_iter(text) {
        end = found.start();
        if found.end() != 0 {
            parts.push(Value::from(text.get(start..end).unwrap_or_default()));
            check_elements(parts.len())?;
        }
        start = found.end();
    }
    if end != text.len() {
        parts.push(Value::from(text.get(start..).unwrap_or_default()));
    }
    Ok(Value::from(parts))
}

/// Text with patterns between two delimiters.
fn template_match(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (template, text) = (string(arguments, 0)?, matched(arguments, 1)?);
    let (open, close) = (delimiter(arguments, 2)?, delimiter(arguments, 3)?);
    let mut pattern = String::from("^");
    let mut depth = 0_usize;
    let mut part = String::new();
    for character in template.chars() {
        if character == open && depth == 0 {
            pattern.push_str(&regex::escape(&std::mem::take(&mut part)));
            depth = 1;
        } else if character == close && depth == 1 {
            let inner = std::mem::take(&mut part);
            re2::compile(&inner)?;
            pattern.push_str(&format!("({inner})"));
            depth = 0;
        } else {
            if character == open {
                depth += 1;
            } else if character == close {
                let Some(less) = depth.checked_sub(1) else {
                    return error("the template closes a pattern that it has not opened");
                };
                depth = less;
            }
            part.push(character);
        }
    }
    if depth > 0 {
        return error("the template has a pattern that is not closed");
    }
    pattern.push_str(&regex::escape(&part));
    pattern.push('$');
    Ok(Value::from(re2::compile(&pattern)?.is_match(text)))
}

fn delimiter(arguments: &[Value], index: usize) -> Result<char, BuiltinError> {
    let mut characters = string(arguments, index)?.chars();
    match (characters.next(), characters.next()) {
        (Some(delimiter), None) => Ok(delimiter),
        _ => error("a delimiter must be one character"),
    }
}
