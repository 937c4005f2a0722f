//! Errors in words: one line for a log, a record or a person, whatever the kind of error.

use std::error::Error;

/// An error and its causes on one line: many errors keep the telling part in the cause.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<Box<Self>>,
    }

    #[track_caller]
    fn check(texts: &[&'static str], expected: &str) {
        let caused = |source: Option<Box<Failed>>, text: &&'static str| {
            Some(Box::new(Failed { text, source }))
        };
        let error = texts.iter().rev().fold(None, caused).unwrap();
        assert_eq!(chain(&*error), expected);
    }

    #[test]
    fn an_error_is_told_with_its_causes_from_the_outermost_on() {
        check(&["failed to read `a`"], "failed to read `a`");
        check(
            &["failed to read `a`", "not understood", "a `}`"],
            "failed to read `a`: not understood: a `}`",
        );
    }
}
