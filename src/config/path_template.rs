//! The syntax of a route's path: `/orders/{id}`, `/files/{rest...}`, literal segments.

use std::collections::BTreeSet;

use http::{Method, Request};
use portreeve_core::request::{Head, Scheme};

use super::errors::quoted;

/// A route with more segments than this is generated, not written.
const MAX_SEGMENTS: usize = 64;

/// Checks a template; the error says what is wrong with it.
pub(super) fn check(template: &str) -> Result<(), String> {
    let Some(rest) = template.strip_prefix('/') else {
        return Err(format!("{} does not start with `/`", quoted(template)));
    };
    if template.contains(['?', '#']) {
        return Err("holds a query or a fragment; only the path is matched".to_owned());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.len() > MAX_SEGMENTS {
        return Err(format!("has more than {MAX_SEGMENTS} segments"));
    }
    let mut names = BTreeSet::new();
    let mut literal = String::new();
    for (position, segment) in segments.iter().enumerate() {
        let is_last = position + 1 == segments.len();
        let Some(name) = parameter(segment, is_last)? else {
            literal.push('/');
            literal.push_str(segment);
            continue;
        };
        if !names.insert(name) {
            return Err(format!("the parameter {} stands twice", quoted(name)));
        }
        literal.push_str("/x");
    }
    check_canonical(&literal)
}

/// The name of a parameter, or `None` for a literal segment.
fn parameter(segment: &str, is_last: bool) -> Result<Option<&str>, String> {
    if !segment.contains(['{', '}', '*']) {
        return Ok(None);
    }
    let Some(inner) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        let segment = quoted(segment);
        return Err(format!(
            "the segment {segment} must be a literal or one whole parameter `{{name}}`"
        ));
    };
    let (name, is_tail) = match inner.strip_suffix("...") {
        Some(name) => (name, true),
        None => (inner, false),
    };
    if is_tail && !is_last {
        return Err(format!("{} may only be the last segment", quoted(segment)));
    }
    let mut bytes = name.bytes();
    let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    if !starts_well || !bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
        let name = quoted(name);
        return Err(format!("the parameter {name} must be a name of a-z, 0-9 and `_`"));
    }
    Ok(Some(name))
}

/// Requests are matched in canonical form, so a literal in another form would never match.
fn check_canonical(path: &str) -> Result<(), String> {
    let request = Request::builder().method(Method::GET).uri(path).header("host", "localhost");
    let Ok(request) = request.body(()) else {
        return Err(format!("{} is not a path", quoted(path)));
    };
    match Head::canonical(request.into_parts().0, Scheme::Https) {
        Ok(head) if head.target.as_str() == path => Ok(()),
        Ok(head) => Err(format!("is not canonical; write {}", quoted(head.target.as_str()))),
        Err(refusal) => Err(format!("no request has this path: {refusal}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(template: &str, expected: &str) {
        assert_eq!(check(template).unwrap_err(), expected, "{template}");
    }

    #[test]
    fn templates_are_literals_parameters_and_one_tail() {
        for template in [
            "/",
            "/orders",
            "/orders/{id}",
            "/a/{b}/c/{d_2}",
            "/files/{rest...}",
            "/{rest...}",
            "/a/",
        ] {
            assert_eq!(check(template), Ok(()), "{template}");
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        check_refused("orders", "`orders` does not start with `/`");
        check_refused("/a//b", "no request has this path: the path has an empty segment (`//`)");
        check_refused("/a/../b", "no request has this path: the path has a dot segment");
        check_refused(
            "/a%2Fb",
            "no request has this path: the path has an encoded slash or backslash",
        );
        check_refused("/%61", "is not canonical; write `/a`");
        check_refused("/a?b=c", "holds a query or a fragment; only the path is matched");
    }

    #[test]
    fn a_parameter_is_a_whole_segment_with_a_name() {
        let whole = "must be a literal or one whole parameter `{name}`";
        check_refused("/v{n}", &format!("the segment `v{{n}}` {whole}"));
        check_refused("/*", &format!("the segment `*` {whole}"));
        check_refused("/{", &format!("the segment `{{` {whole}"));
        check_refused("/{}", "the parameter `` must be a name of a-z, 0-9 and `_`");
        check_refused("/{Id}", "the parameter `Id` must be a name of a-z, 0-9 and `_`");
        check_refused("/{rest...}/x", "`{rest...}` may only be the last segment");
        check_refused("/{a}/{a}", "the parameter `a` stands twice");
    }
}
