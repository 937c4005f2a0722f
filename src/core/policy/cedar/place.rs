//! From a Cedar diagnostic to a finding at its line.

use miette::Diagnostic;

use super::source::Source;
use crate::policy::{Finding, Findings, Severity};

/// The line and column, both from 1 and the column in characters, of a place in a text.
pub(super) fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Where the lines of a text begin: for texts of which many places are asked.
#[derive(Debug)]
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(starts).collect() }
    }

    /// As [`line_and_column`].
    pub(super) fn place(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied();
        let (before, rest) = self.text.split_at_checked(start.unwrap_or(0)).unwrap_or_default();
        let (_, column) = line_and_column(rest, offset.saturating_sub(before.len()));
        (u32::try_from(line).unwrap_or(u32::MAX), column)
    }
}

/// A finding at a byte offset of a file.
pub(super) fn error_at(
    findings: &mut Findings,
    file: &str,
    text: &str,
    offset: usize,
    message: String,
) {
    let (line, column) = line_and_column(text, offset);
    findings.error(file, line, column, message);
}

/// A warning at a byte offset of a file, with what to do about it.
pub(super) fn warn_at(
    findings: &mut Findings,
    source: Source<'_>,
    offset: usize,
    message: String,
    hint: &str,
) {
    let (line, column) = line_and_column(source.text, offset);
    let mut finding = Finding::new(Severity::Warning, source.file, line, column, message);
    finding.hint = Some(hint.to_owned());
    findings.0.push(finding);
}

/// Turns Cedar's diagnostic into a finding: at its first label, else at `fallback`.
pub(super) fn report(
    findings: &mut Findings,
    severity: Severity,
    file: &str,
    text: &str,
    diagnostic: &dyn Diagnostic,
    fallback: Option<usize>,
) {
    let label = diagnostic.labels().and_then(|mut labels| labels.next());
    let offset = label.as_ref().map(miette::LabeledSpan::offset).or(fallback);
    let (line, column) = offset.map_or((0, 0), |offset| line_and_column(text, offset));
    let mut finding = Finding::new(severity, file, line, column, sentence(diagnostic));
    // The label of a syntax error says what was expected there.
    finding.hint = diagnostic
        .help()
        .map(|help| help.to_string())
        .or_else(|| label.and_then(|label| label.label().map(str::to_owned)));
    findings.0.push(finding);
}

/// The error and its causes as one sentence in our form: lower case, no final period, and without the
/// policy's name, which the place says already.
pub(super) fn sentence(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    let text = match text.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => text,
    };
    text.trim_end_matches('.').replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_many_are_those_of_one() {
        for text in ["", "a", "\n", "aß\n\nbc\n", "a\r\nb"] {
            let lines = Lines::of(text);
            for offset in (0..=text.len()).filter(|offset| text.is_char_boundary(*offset)) {
                let place = line_and_column(text, offset);
                assert_eq!(lines.place(offset), place, "{text:?} {offset}");
            }
        }
    }
}
