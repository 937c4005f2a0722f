//! YAML as JSON with the line of every key, for test files that strangers write.
//!
//! Anchors, tags, duplicate keys and non-text keys are refused: each is a second way to read a file.

use marked_yaml::{LoadError, LoaderOptions, Marker, Node, Span};
use serde_json::{Map, Number, Value};

/// The YAML parser recurses once per level; a level of block nesting needs a column, a level of flow
/// nesting is counted by the parser itself (255).
const MAX_INDENT: usize = 128;

/// What is wrong with a test file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Wrong {
    /// From 1; 0 when the whole file is meant.
    pub(in crate::policy) line: u32,
    /// From 1; 0 where it is not known.
    pub(in crate::policy) column: u32,
    pub(in crate::policy) message: String,
}

impl Wrong {
    pub(in crate::policy) fn new(line: u32, message: impl Into<String>) -> Self {
        Self { line, column: 0, message: message.into() }
    }

    fn at(marker: &Marker, message: impl Into<String>) -> Self {
        let column = u32::try_from(marker.column()).unwrap_or(u32::MAX);
        Self { column, ..Self::new(line_of(marker), message) }
    }
}

/// Parses one document whose top level is a mapping.
pub(in crate::policy) fn parse(text: &str) -> Result<Node, Wrong> {
    check_indent(text)?;
    let options = LoaderOptions::default().error_on_duplicate_keys(true).prevent_coercion(true);
    marked_yaml::parse_yaml_with_options(0, text, options).map_err(|error| match error {
        LoadError::TopLevelMustBeMapping(at) | LoadError::TopLevelMustBeSequence(at) => {
            Wrong::at(&at, "the top of the file must be a mapping")
        }
        LoadError::UnexpectedAnchor(at) => Wrong::at(&at, "anchors are not supported"),
        LoadError::UnexpectedTag(at) => Wrong::at(&at, "tags are not supported"),
        LoadError::MappingKeyMustBeScalar(at) => Wrong::at(&at, "a key must be a text"),
        LoadError::DuplicateKey(keys) => {
            let message = format!("the key `{}` stands twice", keys.key.as_str());
            match keys.key.span().start() {
                Some(at) => Wrong::at(at, message),
                None => Wrong::new(0, message),
            }
        }
        LoadError::ScanError(at, error) => {
            Wrong::at(&at, format!("this is not YAML: {}", error.info()))
        }
    })
}

fn check_indent(text: &str) -> Result<(), Wrong> {
    let deep = |line: &str| {
        let opens = |b: &u8| matches!(b, b' ' | b'\t' | b'-' | b'?' | b':');
        line.bytes().take_while(opens).count() > MAX_INDENT
    };
    match text.split(['\n', '\r']).position(deep) {
        None => Ok(()),
        Some(_) => {
            let line = text.lines().position(deep).map_or(0, |index| index.saturating_add(1));
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            Err(Wrong::new(line, format!("the line is indented by more than {MAX_INDENT} columns")))
        }
    }
}

/// How many values a node holds, itself counted.
pub(in crate::policy) fn count(node: &Node) -> usize {
    let inner: usize = match node {
        Node::Scalar(_) => 0,
        Node::Sequence(items) => items.iter().map(count).sum(),
        Node::Mapping(entries) => entries.values().map(count).sum(),
    };
    inner.saturating_add(1)
}

/// The line on which a node begins, from 1.
pub(in crate::policy) fn line(node: &Node) -> u32 {
    start_line(node.span())
}

pub(in crate::policy) fn start_line(span: &Span) -> u32 {
    span.start().map_or(0, line_of)
}

fn line_of(marker: &Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

/// The JSON value that a node means; a plain scalar is null, a boolean or a number where JSON would
/// write it so, and a text otherwise.
pub(in crate::policy) fn to_json(node: &Node) -> Value {
    match node {
        Node::Scalar(scalar) if scalar.may_coerce() => plain_scalar(scalar.as_str()),
        Node::Scalar(scalar) => Value::String(scalar.as_str().to_owned()),
        Node::Sequence(items) => Value::Array(items.iter().map(to_json).collect()),
        Node::Mapping(entries) => {
            let entries =
                entries.iter().map(|(key, value)| (key.as_str().to_owned(), to_json(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn plain_scalar(text: &str) -> Value {
    match text {
        "" | "~" | "null" => return Value::Null,
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    // `007` and `+1` are texts in JSON's eyes; so they stay what was written.
    let is_number = serde_json::from_str::<Number>(text);
    is_number.map_or_else(|_| Value::String(text.to_owned()), Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, (u32, &str)>) {
        let seen = parse(text).map(|node| to_json(&node).to_string());
        match (seen, expected) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected),
            (Err(wrong), Err((line, part))) => {
                assert_eq!(wrong.line, line, "{wrong:?}");
                assert!(wrong.message.contains(part), "{wrong:?}");
            }
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn scalars_become_what_json_calls_them() {
        check(
            "a: 1\nb: '1'\nc: 1.5\nd: true\ne: 'true'\nf:\ng: ~\nh: x y",
            Ok(r#"{"a":1,"b":"1","c":1.5,"d":true,"e":"true","f":null,"g":null,"h":"x y"}"#),
        );
        check("a: 007\nb: [1, {c: -2}]", Ok(r#"{"a":"007","b":[1,{"c":-2}]}"#));
        check("a: |\n  two\n  lines\nb: yes", Ok(r#"{"a":"two\nlines\n","b":"yes"}"#));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_at_its_line() {
        check("a: 1\na: 2", Err((2, "`a` stands twice")));
        check("a: &x 1\nb: *x", Err((1, "anchors")));
        check("a: !!str 1", Err((1, "tags")));
        check("- a", Err((1, "must be a mapping")));
        check("a: [1\nb: 2", Err((2, "not YAML")));
        check("? {a: 1}\n: b", Err((1, "a key must be a text")));
    }

    #[test]
    fn nesting_that_would_eat_the_stack_is_refused() {
        check(&format!("a:\n  {}1", "- ".repeat(100_000)), Err((2, "indented")));
        check(&format!("a: {}", "[".repeat(100_000)), Err((1, "not YAML")));
        let deep: String = (0..120).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
        assert!(parse(&deep).is_ok());
    }
}
