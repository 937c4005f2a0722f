//! Path templates of routes: `/orders/{id}`, `/static/{rest...}`.

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("a path template begins with `/`")]
    NoSlash,
    #[error("a path template has no empty, `.` or `..` segment")]
    Segment,
    #[error("`{{name...}}` stands only at the end of a path template")]
    Tail,
    #[error("a variable is a whole segment such as `{{id}}`")]
    Variable,
}

impl PathTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// The text does not begin with `/`, or a segment is neither a literal nor a variable.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let rest = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let mut template = Self { segments: Vec::new(), tail: false };
        if rest.is_empty() {
            return Ok(template);
        }
        for part in rest.split('/') {
            if template.tail {
                return Err(TemplateError::Tail);
            }
            let variable = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
            match variable.map(|name| name.strip_suffix("...").ok_or(name)) {
                Some(Ok(name) | Err(name)) if !is_name(name) => {
                    return Err(TemplateError::Variable);
                }
                Some(Ok(_)) => template.tail = true,
                Some(Err(_)) => template.segments.push(Segment::Any),
                None if part.contains(['{', '}']) => return Err(TemplateError::Variable),
                None if matches!(part, "" | "." | "..") => return Err(TemplateError::Segment),
                None => template.segments.push(Segment::Literal(part.into())),
            }
        }
        Ok(template)
    }

    /// Whether a canonical path matches. `/orders/` is a path of its own: its last segment is empty,
    /// which only `{rest...}` takes.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut parts = path.split('/').filter(|_| !path.is_empty());
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

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
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

    #[test]
    fn literals_variables_and_tails() {
        check("/", &["/"], &["/a"]);
        check("/orders", &["/orders"], &["/orders/", "/orders/1", "/Orders", "/"]);
        check("/orders/{id}", &["/orders/1"], &["/orders", "/orders/", "/orders/1/", "/x/1"]);
        check("/o/{rest...}", &["/o", "/o/", "/o/1", "/o/1/2"], &["/", "/ox"]);
        check("/{rest...}", &["/", "/a", "/a/b/"], &[]);
        check("/a/{b}/c", &["/a/x/c"], &["/a/x", "/a//c"]);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for (text, error) in [
            ("orders", TemplateError::NoSlash),
            ("/a//b", TemplateError::Segment),
            ("/a/../b", TemplateError::Segment),
            ("/{rest...}/b", TemplateError::Tail),
            ("/a{id}", TemplateError::Variable),
            ("/{}", TemplateError::Variable),
            ("/{a-b}", TemplateError::Variable),
        ] {
            assert_eq!(PathTemplate::parse(text), Err(error), "{text}");
        }
    }
}
