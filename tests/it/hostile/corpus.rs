//! The hostile bundles: each is a few files, made here, and the place and words that its refusal names.

use super::{cedar, data, rego};

/// What `policy check` must make of a bundle.
pub(crate) enum Verdict {
    /// Refused: a finding has this text in `file:line:column: severity: message`.
    Refused(&'static str),
    /// Odd, and in fact harmless: it loads, perhaps with a warning.
    Loads,
    /// A value that grows as it is evaluated: refused, or loaded where a builtin's own limit makes it
    /// an error of the decision.
    Bounded,
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) verdict: Verdict,
}

/// A case of one file.
pub(super) fn refused(
    name: &'static str,
    file: &str,
    content: impl Into<Vec<u8>>,
    text: &'static str,
) -> Case {
    let files = vec![(file.to_owned(), content.into())];
    Case { name, files, verdict: Verdict::Refused(text) }
}

pub(super) fn loads(name: &'static str, file: &str, content: impl Into<Vec<u8>>) -> Case {
    Case { verdict: Verdict::Loads, ..refused(name, file, content, "") }
}

pub(super) fn bounded(name: &'static str, file: &str, content: impl Into<Vec<u8>>) -> Case {
    Case { verdict: Verdict::Bounded, ..refused(name, file, content, "") }
}

impl Case {
    /// With one more file.
    pub(super) fn and(mut self, file: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((file.to_owned(), content.into()));
        self
    }
}

pub(crate) fn all() -> Vec<Case> {
    [rego::nested(), rego::costly(), rego::text(), data::cases(), cedar::policies(), cedar::data()]
        .into_iter()
        .flatten()
        .collect()
}
