//! JSON files that hold an array: each element with the place where it begins.

use serde_json::Value;

use super::Findings;
use super::source::Source;
use crate::policy::{json, progress};

/// The elements of a file's array with their offsets; what is none is a finding.
pub(super) fn array(source: Source<'_>, findings: &mut Findings) -> Vec<(usize, Value)> {
    progress::at_file(source.file);
    let mut values = json::MAX_VALUES;
    if !json::check(source.file, source.text, &mut values, findings) {
        return Vec::new();
    }
    match serde_json::from_str(source.text) {
        Ok(Value::Array(values)) => starts(source.text).into_iter().zip(values).collect(),
        Ok(_) => {
            findings.error(source.file, 1, 1, "the file is not a JSON array");
            Vec::new()
        }
        Err(error) => {
            findings.error(source.file, 0, 0, error.to_string());
            Vec::new()
        }
    }
}

/// Where the elements of a well-formed array begin.
fn starts(text: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    let mut is_awaited = false;
    for (at, byte) in text.bytes().enumerate() {
        if is_string {
            (is_string, is_escaped) = match byte {
                _ if is_escaped => (true, false),
                b'\\' => (true, true),
                byte => (byte != b'"', false),
            };
            continue;
        }
        if is_awaited && !byte.is_ascii_whitespace() && byte != b']' {
            starts.push(at);
            is_awaited = false;
        }
        match byte {
            b'"' => is_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_awaited |= matches!((depth, byte), (1, b'[' | b','));
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[usize]) {
        let mut findings = Findings::default();
        let elements = array(Source { file: "a", text }, &mut findings);
        assert_eq!(elements.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected);
        assert_eq!(findings.has_errors(), !text.ends_with(']'));
    }

    #[test]
    fn elements_are_found_where_they_begin() {
        check("[]", &[]);
        check("[ \n ]", &[]);
        check("[1, 2]", &[1, 4]);
        check(r#"[{"a": [1, 2]}, [3, 4], "],\"[", {}]"#, &[1, 16, 24, 33]);
        check(r#"{"a": []}"#, &[]);
        check("[1, 2", &[]);
    }
}
