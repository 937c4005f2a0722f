//! Where a key stands in a JSON or YAML file: the readers of values do not say.

use marked_yaml::Node;
use marked_yaml::types::MarkedScalarNode;

use super::cases::yaml;
use super::text::end_of;

/// Line and column, from 1, of the last key of a path in a text that is known to be JSON; of the
/// deepest that is there where not all are, and zeros where none is.
pub(super) fn in_json(text: &str, path: &[&str]) -> (u32, u32) {
    let mut found = None;
    let mut rest = path;
    // Of brackets that are open, and of keys of the path that were passed.
    let (mut depth, mut passed) = (0_usize, 0_usize);
    let mut at = 0;
    while let Some((byte, key)) =
        rest.first().and(text.as_bytes().get(at)).copied().zip(rest.first())
    {
        match byte {
            b'"' => {
                let end = end_of_string(text, at);
                if depth == passed + 1 && is_key(text, at, end, key) {
                    found = Some(at);
                    passed += 1;
                    rest = rest.get(1..).unwrap_or_default();
                }
                at = end;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            // The value of the key that was passed has ended.
            b',' if depth == passed && passed > 0 => break,
            _ => {}
        }
        at += 1;
    }
    found.map_or((0, 0), |at| end_of(text.get(..at).unwrap_or_default()))
}

/// Behind the closing quote of the string that begins here.
pub(super) fn end_of_string(text: &str, start: usize) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

fn is_key(text: &str, start: usize, end: usize, key: &str) -> bool {
    let is_before_colon = text.get(end..).is_some_and(|after| after.trim_start().starts_with(':'));
    is_before_colon
        && text
            .get(start..end)
            .and_then(|quoted| serde_json::from_str::<String>(quoted).ok())
            .is_some_and(|written| written == *key)
}

/// The same in YAML.
pub(super) fn in_yaml(text: &str, path: &[&str]) -> (u32, u32) {
    let Ok(root) = yaml::parse(text) else { return (0, 0) };
    let (mut node, mut found) = (&root, (0, 0));
    for key in path {
        let Node::Mapping(mapping) = node else { break };
        let Some((key, value)) = mapping.iter().find(|(name, _)| name.as_str() == *key) else {
            break;
        };
        found = place_of(key);
        node = value;
    }
    found
}

/// The first key of a YAML text that satisfies a condition, and its place.
pub(super) fn yaml_key(
    node: &Node,
    is_meant: fn(&MarkedScalarNode) -> bool,
) -> Option<(String, (u32, u32))> {
    match node {
        Node::Scalar(_) => None,
        Node::Sequence(items) => items.iter().find_map(|item| yaml_key(item, is_meant)),
        Node::Mapping(entries) => entries.iter().find_map(|(key, value)| {
            let own = is_meant(key).then(|| (key.as_str().to_owned(), place_of(key)));
            own.or_else(|| yaml_key(value, is_meant))
        }),
    }
}

fn place_of(key: &MarkedScalarNode) -> (u32, u32) {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    key.span().start().map_or((0, 0), |start| (number(start.line()), number(start.column())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &[&str], expected: (u32, u32)) {
        assert_eq!(in_json(text, path), expected, "{path:?}");
        assert_eq!(in_yaml(text, path), expected, "{path:?} as YAML");
    }

    #[test]
    fn a_key_is_found_by_its_path() {
        let text = "{\n  \"b\": {\"a\": 1, \"c\": [{\"a\": \"{\\\"\"}]},\n  \"a\": {\n    \"a\": 2, \"b\": {}}\n}";
        check(text, &["b"], (2, 3));
        check(text, &["b", "a"], (2, 9));
        check(text, &["a"], (3, 3));
        check(text, &["a", "a"], (4, 5));
        check(text, &["a", "b"], (4, 13));
        assert_eq!(in_json("{\"\\u0061\": 1}", &["a"]), (1, 2));
    }

    #[test]
    fn of_a_path_that_leads_nowhere_it_is_the_deepest_key() {
        check("{\"a\": {\"b\": 1}, \"c\": {\"d\": 2}}", &["a", "d"], (1, 2));
        check("{\"a\": 1, \"c\": {\"d\": 2}}", &["a", "d"], (1, 2));
        check("{\"a\": [\"d\"], \"c\": {\"d\": 2}}", &["a", "d"], (1, 2));
        check("{\"a\": 1}", &["b"], (0, 0));
        check("{\"a\": 1}", &[], (0, 0));
    }
}
