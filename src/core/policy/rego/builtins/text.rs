//! String functions that regorus lacks, gets wrong or lets grow without bound.

use regorus::Value;

use super::arguments::{
    at, check_elements, check_steps, check_text, error, integer, kind, string, strings,
};
use super::{Builtin, BuiltinError};

pub(super) const BUILTINS: &[Builtin] = &[
    Builtin { name: "concat", arity: 2, run: concat },
    Builtin { name: "replace", arity: 3, run: replace },
    Builtin { name: "split", arity: 2, run: split },
    Builtin { name: "strings.split_n", arity: 3, run: split_n },
    Builtin { name: "strings.replace_n", arity: 2, run: replace_n },
    Builtin { name: "strings.count", arity: 2, run: count },
    Builtin { name: "indexof", arity: 2, run: indexof },
    Builtin { name: "indexof_n", arity: 2, run: indexof_n },
    Builtin { name: "upper", arity: 1, run: upper },
    Builtin { name: "lower", arity: 1, run: lower },
    Builtin { name: "semver.is_valid", arity: 1, run: semver_is_valid },
    Builtin { name: "semver.compare", arity: 2, run: semver_compare },
];

fn concat(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (delimiter, parts) = (string(arguments, 0)?, strings(arguments, 1)?);
    let length = parts.iter().map(|part| part.len() + delimiter.len()).sum();
    check_text(length)?;
    Ok(Value::from(parts.join(delimiter)))
}

fn replace(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (text, old, new) = (string(arguments, 0)?, string(arguments, 1)?, string(arguments, 2)?);
    let found = text.matches(old).count();
    check_text(text.len().saturating_add(found.saturating_mul(new.len())))?;
    Ok(Value::from(text.replace(old, new)))
}

fn split(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let parts = parts(string(arguments, 0)?, string(arguments, 1)?)?;
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

/// An empty delimiter cuts between all characters.
fn parts<'a>(text: &'a str, delimiter: &str) -> Result<Vec<&'a str>, BuiltinError> {
    let parts: Vec<&str> = if delimiter.is_empty() {
        // Splitting gives an empty part on each side.
        let inner = text.split("").skip(1);
        inner.take(text.chars().count()).collect()
    } else {
        text.split(delimiter).collect()
    };
    check_text(parts.len())?;
    Ok(parts)
}

/// The first parts, or with a negative number the last.
fn split_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let parts = parts(string(arguments, 0)?, string(arguments, 1)?)?;
    let count = integer(arguments, 2)?;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX).min(parts.len());
    let skipped = if count < 0 { parts.len() - wanted } else { 0 };
    let parts = parts.into_iter().skip(skipped).take(wanted).map(Value::from);
    Ok(Value::from(parts.collect::<Vec<_>>()))
}

/// One pass over the text: at each place the first pattern, in the order of the keys, that fits.
fn replace_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let Value::Object(object) = at(arguments, 0)? else {
        return error("argument 1 must be an object");
    };
    let text = string(arguments, 1)?;
    let mut patterns = Vec::new();
    for (old, new) in object.iter_sorted() {
        let (Value::String(old), Value::String(new)) = (old, new) else {
            return error(format!("a pattern maps {} to {}", kind(old), kind(new)));
        };
        patterns.push((old.as_ref(), new.as_ref()));
    }
    check_steps(text.len(), patterns.len())?;
    let mut replaced = String::new();
    let mut rest = text;
    // At one place an empty pattern fits once.
    let mut after_empty = false;
    loop {
        let fits =
            |(old, _): &&(&str, &str)| rest.starts_with(old) && !(old.is_empty() && after_empty);
        if let Some((old, new)) = patterns.iter().find(fits) {
            replaced.push_str(new);
            rest = rest.get(old.len()..).unwrap_or_default();
            after_empty = old.is_empty();
        } else {
            let mut characters = rest.chars();
            let Some(next) = characters.next() else { break };
            replaced.push(next);
            rest = characters.as_str();
            after_empty = false;
        }
        check_text(replaced.len())?;
    }
    Ok(Value::from(replaced))
}

/// Without overlaps; an empty text stands around every character.
fn count(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (text, searched) = (string(arguments, 0)?, string(arguments, 1)?);
    Ok(Value::from(text.matches(searched).count()))
}

fn indexof(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (text, searched) = (string(arguments, 0)?, string(arguments, 1)?);
    if searched.is_empty() {
        return error("the text to search for is empty");
    }
    let before = text.split_once(searched).map(|(before, _)| before.chars().count());
    Ok(before.map_or_else(|| Value::from(-1_i64), Value::from))
}

/// With overlaps.
fn indexof_n(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let (text, searched) = (string(arguments, 0)?, string(arguments, 1)?);
    if searched.is_empty() {
        return error("the text to search for is empty");
    }
    check_steps(text.len(), searched.len())?;
    let mut found = Vec::new();
    let mut rest = text.chars();
    let mut index = 0_usize;
    loop {
        if rest.as_str().starts_with(searched) {
            found.push(Value::from(index));
            check_elements(found.len())?;
        }
        if rest.next().is_none() {
            return Ok(Value::from(found));
        }
        index += 1;
    }
}

/// Character by character, as Go maps case: `ß` stays.
fn upper(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let single = |character: char| {
        let mut mapped = character.to_uppercase();
        match (mapped.next(), mapped.next()) {
            (Some(upper), None) => upper,
            _ => character,
        }
    };
    Ok(Value::from(string(arguments, 0)?.chars().map(single).collect::<String>()))
}

fn lower(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let single = |character: char| character.to_lowercase().next().unwrap_or(character);
    Ok(Value::from(string(arguments, 0)?.chars().map(single).collect::<String>()))
}

fn semver_is_valid(arguments: &[Value]) -> Result<Value, BuiltinError> {
    // OPA takes anything here.
    let Ok(text) = string(arguments, 0) else { return Ok(Value::from(false)) };
    let version = text.strip_prefix('v').unwrap_or(text);
    super::arguments::regorus("semver.is_valid", &[Value::from(version)])
}

fn semver_compare(arguments: &[Value]) -> Result<Value, BuiltinError> {
    let bare = |index| -> Result<Value, BuiltinError> {
        let text = string(arguments, index)?;
        Ok(Value::from(text.strip_prefix('v').unwrap_or(text)))
    };
    super::arguments::regorus("semver.compare", &[bare(0)?, bare(1)?])
}
