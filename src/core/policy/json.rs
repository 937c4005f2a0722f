//! The pass over a JSON file before anything is built from it: a key that stands twice is two ways to
//! read the file, and its depth and the number of its values are what reading it costs.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Findings;
use super::text::end_of;

/// Of all data files of a bundle: each value takes about a hundred bytes of memory.
pub(super) const MAX_VALUES: usize = 1_000_000;

/// Whether a text is JSON that may be read; `values` is what is left of [`MAX_VALUES`], and of it is
/// taken what the text holds. The reader itself ends at a depth of 128.
pub(super) fn check(file: &str, text: &str, values: &mut usize, findings: &mut Findings) -> bool {
    match count(text, *values) {
        Ok(count) => *values = values.saturating_sub(count),
        Err(at) => {
            let (line, column) = end_of(text.get(..at).unwrap_or_default());
            let message = format!("the data files hold more than {MAX_VALUES} values");
            findings.error(file, line, column, message);
            return false;
        }
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Strict.deserialize(&mut reader).and_then(|()| reader.end());
    let Err(error) = read else { return true };
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    let message = match message {
        "recursion limit exceeded" => "the file is nested deeper than 128 levels",
        other => other,
    };
    findings.error(file, number(error.line()), number(error.column()).max(1), message);
    false
}

/// Where the text holds more values than are left, and how many it holds otherwise. Counted before
/// anything is built: a comma or an opening bracket stands before each value but the first.
fn count(text: &str, most: usize) -> Result<usize, usize> {
    let mut count = 1_usize;
    let (mut is_string, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_string,
            b'"' => is_string = !is_string,
            b',' | b'[' | b'{' if !is_string => count += 1,
            _ => {}
        }
        if count > most {
            return Err(at);
        }
    }
    Ok(count)
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                let key = key.escape_debug();
                return Err(A::Error::custom(format_args!("the key `{key}` stands twice")));
            }
            keys.insert(key);
            entries.next_value_seed(Self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_with(values: usize, text: &str, expected: &str) {
        let (mut left, mut findings) = (values, Findings::default());
        let is_good = check("a.json", text, &mut left, &mut findings);
        assert_eq!(is_good, expected.is_empty());
        assert_eq!(findings.to_string(), expected);
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_its_place() {
        check_with(9, r#"{"a": {"b": 1}, "b": [{"a": null}, {"a": 1.5}]}"#, "");
        check_with(9, "{\"a\": 1,\n \"a\": 2}", "a.json:2:4: error: the key `a` stands twice");
        check_with(9, r#"[{"\u0061": 1, "a": 2}]"#, "a.json:1:18: error: the key `a` stands twice");
    }

    #[test]
    fn depth_and_count_are_bounded_and_broken_json_is_refused() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        check_with(999, &nested(127), "");
        check_with(
            999,
            &nested(128),
            "a.json:1:128: error: the file is nested deeper than 128 levels",
        );
        check_with(3, "[1, \"a,b\"]", "");
        check_with(2, "[1, 2]", "a.json:1:3: error: the data files hold more than 1000000 values");
        check_with(9, "{} {}", "a.json:1:4: error: trailing characters");
        check_with(9, "", "a.json:1:1: error: EOF while parsing a value");
        check_with(9, "1e999", "a.json:1:5: error: number out of range");
    }
}
