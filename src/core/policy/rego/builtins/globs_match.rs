//! `regex.globs_match`: whether some text matches both patterns. They know literals, `.`, `[a-z]`, `*`
//! and `+` only.

use std::iter::Peekable;
use std::str::Chars;

use regorus::Value;

use super::arguments::{check_steps, error, string};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] =
    &[Builtin { name: "regex.globs_match", arity: 2, run: globs_match }];

/// One character of the text, or as many as its flags allow.
#[derive(Debug)]
struct Token {
    /// Inclusive ranges of characters.
    ranges: Vec<(char, char)>,
    may_be_missing: bool,
    may_repeat: bool,
}

impl Token {
    fn shares(&self, other: &Self) -> bool {
        let meets = |(low, high): &(char, char)| {
            other
                .ranges
                .iter()
                .any(|(other_low, other_high)| low <= other_high && other_low <= high)
        };
        self.ranges.iter().any(meets)
    }
}

fn globs_match(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (left, right) = (tokens(string(arguments, 0)?)?, tokens(string(arguments, 1)?)?);
    check_steps(left.len(), right.len())?;
    // OPA takes empty patterns to share nothing.
    if left.is_empty() || right.is_empty() {
        return Ok(Value::from(false));
    }
    Ok(Value::from(intersect(&left, &right)))
}

/// Walks the pairs of places in both patterns that one text can reach.
fn intersect(left: &[Token], right: &[Token]) -> bool {
    let width = right.len() + 1;
    let mut seen = vec![false; (left.len() + 1) * width];
    let mut open = vec![(0, 0)];
    while let Some((i, j)) = open.pop() {
        match seen.get_mut(i * width + j) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let (a, b) = (left.get(i), right.get(j));
        if a.is_none() && b.is_none() {
            return true;
        }
        if a.is_some_and(|token| token.may_be_missing) {
            open.push((i + 1, j));
        }
        if b.is_some_and(|token| token.may_be_missing) {
            open.push((i, j + 1));
        }
        if let (Some(a), Some(b)) = (a, b)
            && a.shares(b)
        {
            open.push((i + 1, j + 1));
            if a.may_repeat {
                open.push((i, j + 1));
            }
            if b.may_repeat {
                open.push((i + 1, j));
            }
        }
    }
    false
}

fn tokens(pattern: &str) -> Result<Vec<Token>, BuiltinError> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        let ranges = match next {
            '.' => vec![('\0', char::MAX)],
            '[' => class(&mut rest)?,
            ']' => return error(format!("`{pattern}` closes a class that it has not opened")),
            '*' | '+' => return error(format!("`{pattern}` repeats nothing")),
            '\\' => match rest.next() {
                Some(literal) => vec![(literal, literal)],
                None => return error(format!("`{pattern}` ends with a backslash")),
            },
            literal => vec![(literal, literal)],
        };
        let flag = rest.next_if(|c| matches!(c, '*' | '+'));
        tokens.push(Token {
            ranges,
            may_be_missing: flag == Some('*'),
            may_repeat: flag.is_some(),
        });
    }
    Ok(tokens)
}

fn class(rest: &mut Peekable<Chars<'_>>) -> Result<Vec<(char, char)>, BuiltinError> {
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next() {
            Some(']') => return Ok(ranges),
            Some('\\') => rest.next(),
            other => other,
        };
        let Some(low) = low else { return error("the pattern has a `[` that is not closed") };
        if rest.next_if_eq(&'-').is_none() {
            ranges.push((low, low));
            continue;
        }
        match rest.next() {
            Some(high) if high >= low && high != ']' => ranges.push((low, high)),
            _ => return error("the pattern has an invalid range"),
        }
    }
}
