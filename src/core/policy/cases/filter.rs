//! Which tests of a bundle are run.

use regex::{Regex, RegexBuilder};

/// A compiled pattern of an author's is a few kilobytes; counted repetitions can ask for gigabytes.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Selects tests by their names: a regular expression, or a plain text that stands in the name.
#[derive(Clone, Debug, Default)]
pub struct Filter(Option<Pattern>);

#[derive(Clone, Debug)]
struct Pattern {
    text: String,
    regex: Regex,
}

/// A pattern that is no regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` is no regular expression: {reason}")]
pub struct FilterError {
    pattern: String,
    reason: String,
}

impl Filter {
    /// Selects every test.
    #[must_use]
    pub const fn all() -> &'static Self {
        const ALL: &Filter = &Filter(None);
        ALL
    }

    /// Without a pattern every test is selected.
    ///
    /// # Errors
    /// The pattern does not compile.
    pub fn new(pattern: Option<&str>) -> Result<Self, FilterError> {
        let Some(text) = pattern else { return Ok(Self(None)) };
        let regex = RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).build();
        let regex = regex.map_err(|error| {
            // Its own text draws the pattern on several lines; the last one says what is wrong.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            FilterError { pattern: text.to_owned(), reason: reason.to_owned() }
        })?;
        Ok(Self(Some(Pattern { text: text.to_owned(), regex })))
    }

    /// Whether the test of this name is run.
    #[must_use]
    pub fn selects(&self, name: &str) -> bool {
        let Self(Some(pattern)) = self else { return true };
        name.contains(&pattern.text) || pattern.regex.is_match(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        assert_eq!(Filter::new(Some(pattern)).unwrap().selects(name), expected, "{pattern}");
    }

    #[test]
    fn a_pattern_is_a_plain_text_or_a_regular_expression() {
        check("may read", "the shop may read an order", true);
        check("may write", "the shop may read an order", false);
        check("(a+b)", "adds (a+b) up", true);
        check("^data\\.p_test\\.", "data.p_test.test_a", true);
        check("test_[ab]$", "data.p_test.test_c", false);
        assert!(Filter::new(None).unwrap().selects("anything"));
    }

    #[test]
    fn what_is_no_regular_expression_is_refused_with_what_is_wrong() {
        for pattern in ["test_[", "(", "a{4294967295}{4294967295}"] {
            let error = Filter::new(Some(pattern)).unwrap_err().to_string();
            assert!(error.contains(&format!("`{pattern}`")), "{error}");
        }
        let error = Filter::new(Some("(")).unwrap_err().to_string();
        assert!(error.ends_with("unclosed group"), "{error}");
    }
}
