//! `glob.match` as OPA's own matcher reads globs: `*` and `?` stop at a delimiter, `**` does not, a
//! class and a list of alternatives do not look at delimiters. It becomes a regular expression,
//! which takes linear time.

use std::iter::Peekable;
use std::str::Chars;

use regorus::Value;

use super::arguments::{at, check_text, error, string};
use super::{Builtin, BuiltinError, re2};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "glob.match", arity: 3, run: glob_match },
    Builtin { name: "glob.quote_meta", arity: 1, run: quote_meta },
];

/// A glob is written by hand.
pub(super) const MAX_GLOB_BYTES: usize = 4 * 1024;
/// What is matched: paths, hosts and names.
pub(super) const MAX_MATCHED_BYTES: usize = 64 * 1024;
/// Where no delimiter is named.
const DEFAULT_DELIMITER: char = '.';

fn glob_match(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (glob, text) = (string(arguments, 0)?, string(arguments, 2)?);
    if glob.len() > MAX_GLOB_BYTES || text.len() > MAX_MATCHED_BYTES {
        return error(format!(
            "the glob is longer than {MAX_GLOB_BYTES} bytes, or the text than {MAX_MATCHED_BYTES}"
        ));
    }
    let delimiters = delimiters(arguments)?;
    // No pattern of `regex.*` begins with `*`, so that the keys differ.
    let key = format!("*{delimiters}*{glob}");
    let regex = re2::cached(&key, || translate(glob, &delimiters))?;
    Ok(Value::from(regex.is_match(text)))
}

/// None for null, a dot for an empty list.
fn delimiters(arguments: &[Value]) -> Result<String, BuiltinError> {
    if at(arguments, 1)? == &Value::Null {
        return Ok(String::new());
    }
    let mut delimiters = String::new();
    let Value::Array(written) = at(arguments, 1)? else {
        return error("argument 2 must be an array or null");
    };
    for value in written.iter() {
        let text = value.as_string().map(AsRef::as_ref).unwrap_or_default();
        let mut characters = text.chars();
        let (Some(delimiter), None) = (characters.next(), characters.next()) else {
            return error("a delimiter must be a string of one character");
        };
        delimiters.push(delimiter);
    }
    if delimiters.is_empty() {
        delimiters.push(DEFAULT_DELIMITER);
    }
    Ok(delimiters)
}

fn translate(glob: &str, delimiters: &str) -> Result<String, BuiltinError> {
    let any_but = match delimiters {
        "" => ".".to_owned(),
        _ => format!("[^{}]", escaped(delimiters)),
    };
    let mut regex = String::from("(?s)^");
    let mut rest = glob.chars().peekable();
    let mut depth = 0_usize;
    while let Some(next) = rest.next() {
        match next {
            '*' if rest.next_if_eq(&'*').is_some() => regex.push_str(".*"),
            '*' => regex.push_str(&format!("{any_but}*")),
            '?' => regex.push_str(&any_but),
            '[' => regex.push_str(&class(&mut rest)?),
            '{' => {
                depth += 1;
                regex.push_str("(?:");
            }
            ',' if depth > 0 => regex.push('|'),
            '}' if depth > 0 => {
                depth -= 1;
                regex.push(')');
            }
            '\\' => match rest.next() {
                Some(literal) => regex.push_str(&escaped(literal.encode_utf8(&mut [0; 4]))),
                None => return error("the glob ends with a backslash"),
            },
            literal => regex.push_str(&escaped(literal.encode_utf8(&mut [0; 4]))),
        }
    }
    if depth > 0 {
        return error("the glob has a `{` that is not closed");
    }
    regex.push('$');
    Ok(regex)
}

/// Behind `[`: one range `a-z`, or characters to the next `]`, either behind a `!`.
fn class(rest: &mut Peekable<Chars<'_>>) -> Result<String, BuiltinError> {
    let negation = if rest.next_if_eq(&'!').is_some() { "^" } else { "" };
    let mut ahead = rest.clone();
    if let (Some(low), Some('-')) = (ahead.next(), ahead.next()) {
        let (high, end) = (ahead.next(), ahead.next());
        *rest = ahead;
        return match (high, end) {
            (Some(high), Some(']')) if low <= high => {
                let (mut low_bytes, mut high_bytes) = ([0; 4], [0; 4]);
                let low = escaped(low.encode_utf8(&mut low_bytes));
                Ok(format!("[{negation}{low}-{}]", escaped(high.encode_utf8(&mut high_bytes))))
            }
            _ => error("the glob has an invalid range"),
        };
    }
    let mut characters = String::new();
    loop {
        match rest.next() {
            Some(']') if characters.is_empty() => return error("the glob has an empty `[]`"),
            Some(']') => return Ok(format!("[{negation}{}]", escaped(&characters))),
            Some('\\') => characters.extend(rest.next()),
            Some(character) => characters.push(character),
            None => return error("the glob has a `[` that is not closed"),
        }
    }
}

/// For inside and outside of a class.
fn escaped(text: &str) -> String {
    regex::escape(text)
}

fn quote_meta(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let text = string(arguments, 0)?;
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if "*?\\[]{}".contains(character) {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    check_text(quoted.len())?;
    Ok(Value::from(quoted))
}
