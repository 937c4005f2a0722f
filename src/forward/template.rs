//! Path templates of routes: `/orders/{id}`, `/static/{rest...}`.

use http::Request;
use portreeve_core::request::{Head, Refusal, Scheme};

/// A route with more segments than this is generated, not written.
const MAX_SEGMENTS: usize = 64;

/// A parsed template; segments are compared byte for byte with the canonical path's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathTemplate {
    segments: Vec<Segment>,
    /// `{rest...}` at the end: any number of further segments, also none.
    tail: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    /// `{name}`: exactly one segment that is not empty.
    Any,
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("`{0}` does not start with `/`")]
    NoSlash(String),
    #[error("holds a query or a fragment; only the path is matched")]
    Query,
    #[error("has more than {MAX_SEGMENTS} segments")]
    TooLong,
    #[error("the segment `{0}` must be a literal or one whole parameter `{{name}}`")]
    NotWhole(String),
    #[error("`{0}` may only be the last segment")]
    TailNotLast(String),
    #[error("the parameter `{0}` must be a name of a-z, 0-9 and `_`")]
    Name(String),
    #[error("the parameter `{0}` stands twice")]
    Twice(String),
    #[error("`{0}` is not a path")]
    NotAPath(String),
    #[error("no request has this path: {0}")]
    NeverRequested(Refusal),
    #[error("is not canonical; write `{0}`")]
    NotCanonical(String),
}

/// One segment of a template as it is written.
enum Part<'a> {
    Literal(&'a str),
    Parameter(&'a str),
    Tail(&'a str),
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// The text is no template, or one that no canonical path could match.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let rest = text.strip_prefix('/').ok_or_else(|| TemplateError::NoSlash(shown(text)))?;
        if text.contains(['?', '#']) {
            return Err(TemplateError::Query);
        }
        let mut template = Self { segments: Vec::new(), tail: false };
        let mut names: Vec<&str> = Vec::new();
        let mut literal = String::new();
        let mut parts = rest.split('/').take(MAX_SEGMENTS + 1).peekable();
        while let Some(part) = parts.next() {
            if template.segments.len() >= MAX_SEGMENTS {
                return Err(TemplateError::TooLong);
            }
            let (name, stand_in) = match Part::read(part)? {
                Part::Literal(text) => {
                    template.segments.push(Segment::Literal(text.into()));
                    (None, text)
                }
                Part::Parameter(name) => {
                    template.segments.push(Segment::Any);
                    (Some(name), "x")
                }
                Part::Tail(_) if parts.peek().is_some() => {
                    return Err(TemplateError::TailNotLast(shown(part)));
                }
                Part::Tail(name) => {
                    template.tail = true;
                    (Some(name), "x")
                }
            };
            literal.push('/');
            literal.push_str(stand_in);
            if let Some(name) = name {
                if names.contains(&name) {
                    return Err(TemplateError::Twice(shown(name)));
                }
                names.push(name);
            }
        }
        check_canonical(&literal)?;
        Ok(template)
    }

    /// Whether a canonical path matches. `/orders/` is a path of its own: its last segment is empty,
    /// which only a template that ends in `/` too, or `{rest...}`, takes.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let mut parts = path.strip_prefix('/').unwrap_or(path).split('/');
        for segment in &self.segments {
            let matches = match (segment, parts.next()) {
                (Segment::Literal(literal), Some(part)) => **literal == *part,
                (Segment::Any, Some(part)) => !part.is_empty(),
                (_, None) => false,
            };
            if !matches {
                return false;
            }
        }
        self.tail || parts.next().is_none()
    }
}

impl<'a> Part<'a> {
    fn read(segment: &'a str) -> Result<Self, TemplateError> {
        if !segment.contains(['{', '}', '*']) {
            return Ok(Self::Literal(segment));
        }
        let inner = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .ok_or_else(|| TemplateError::NotWhole(shown(segment)))?;
        let (name, is_tail) = match inner.strip_suffix("...") {
            Some(name) => (name, true),
            None => (inner, false),
        };
        let mut bytes = name.bytes();
        let starts_well = bytes.next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
        if !starts_well || !bytes.all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_')) {
            return Err(TemplateError::Name(shown(name)));
        }
        Ok(if is_tail { Self::Tail(name) } else { Self::Parameter(name) })
    }
}

/// Requests are matched in canonical form, so a literal in another form would never match.
fn check_canonical(path: &str) -> Result<(), TemplateError> {
    let request = Request::builder().uri(path).header("host", "localhost").body(());
    let request = request.map_err(|_| TemplateError::NotAPath(shown(path)))?;
    match Head::canonical(request.into_parts().0, Scheme::Https) {
        Ok(head) if head.target.as_str() == path => Ok(()),
        Ok(head) => Err(TemplateError::NotCanonical(shown(head.target.as_str()))),
        Err(refusal) => Err(TemplateError::NeverRequested(refusal)),
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, matching: &[&str], other: &[&str]) {
        let template = PathTemplate::parse(template).unwrap();
        for path in matching {
            assert!(template.matches(path), "{path} should match");
        }
        for path in other {
            assert!(!template.matches(path), "{path} should not match");
        }
    }

    #[track_caller]
    fn check_refused(template: &str, expected: &str) {
        let error = PathTemplate::parse(template).unwrap_err();
        assert_eq!(error.to_string(), expected, "{template}");
    }

    #[test]
    fn literals_parameters_and_tails() {
        check("/", &["/"], &["/a"]);
        check("/orders", &["/orders"], &["/orders/", "/orders/1", "/Orders", "/"]);
        check("/orders/", &["/orders/"], &["/orders", "/orders/1"]);
        check("/orders/{id}", &["/orders/1"], &["/orders", "/orders/", "/orders/1/", "/x/1"]);
        check("/o/{rest...}", &["/o", "/o/", "/o/1", "/o/1/2"], &["/", "/ox"]);
        check("/{rest...}", &["/", "/a", "/a/b/"], &[]);
        check("/a/{b}/c/{d_2}", &["/a/x/c/y"], &["/a/x", "/a//c/y"]);
    }

    #[test]
    fn what_could_never_match_is_refused() {
        check_refused("orders", "`orders` does not start with `/`");
        check_refused("/a//b", "no request has this path: the path has an empty segment (`//`)");
        check_refused("/a/../b", "no request has this path: the path has a dot segment");
        check_refused("/%61", "is not canonical; write `/a`");
        check_refused("/a?b=c", "holds a query or a fragment; only the path is matched");
        check_refused(&"/a".repeat(65), "has more than 64 segments");
        let encoded = "no request has this path: the path has an encoded slash or backslash";
        check_refused("/a%2Fb", encoded);
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
