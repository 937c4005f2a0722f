//! The rewriting before the parser: what Rego has and regorus' parser lacks.
//!
//! The text of a file enters, a text that means the same leaves: template strings become calls of
//! `internal.template_string`, and `f(a, out)` becomes `out = f(a)` where `f` is a builtin that only
//! we have. Lines stay what they were; [`Rewritten::column`] leads columns back. What fits no rule is
//! left as it is, for the parser to refuse. It must never see less nesting than it writes: the scan
//! runs on what leaves, too.

mod cursor;
mod templates;
mod outputs;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::super::{Finding, Findings};
use super::scan;
use cursor::Placed;

/// A file as the parser shall see it.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) text: String,
    /// Per changed line, for each character the column that it came from.
    columns: BTreeMap<u32, Vec<u32>>,
}

impl Rewritten {
    /// The column of the file behind a column of the text, both in characters from 1.
    pub(super) fn column(&self, line: u32, column: u32) -> u32 {
        let Some(columns) = self.columns.get(&line) else { return column };
        let index = usize::try_from(column.saturating_sub(1)).unwrap_or(usize::MAX);
        columns.get(index).or(columns.last()).copied().unwrap_or(column)
    }
}

/// The files of a bundle that the parser sees rewritten.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<String, (String, Rewritten)>);

impl Sources {
    /// What the parser shall see of a file that the scan has passed; `None` after a finding.
    pub(super) fn parsed(
        &mut self,
        file: &str,
        text: &str,
        findings: &mut Findings,
    ) -> Option<String> {
        let Some(rewritten) = rewrite(text) else { return Some(text.to_owned()) };
        let parsed = rewritten.text.clone();
        let before = findings.0.len();
        scan::scan(file, &parsed, findings);
        let is_clean = findings.0.len() == before;
        self.0.insert(file.to_owned(), (text.to_owned(), rewritten));
        is_clean.then_some(parsed)
    }

    /// Leads findings of rewritten files back to what stands in them.
    pub(super) fn lead_back<'a>(&self, findings: impl Iterator<Item = &'a mut Finding>) {
        for finding in findings {
            let Some((text, rewritten)) = self.0.get(&finding.file) else { continue };
            finding.column = rewritten.column(finding.line, finding.column);
            let index = usize::try_from(finding.line).unwrap_or_default().checked_sub(1);
            let line = index.and_then(|index| text.lines().nth(index));
            finding.source = finding.source.take().and(line).map(|line| line.trim().to_owned());
        }
    }
}

/// Rewrites one file; `None` where there is nothing to rewrite.
pub(super) fn rewrite(text: &str) -> Option<Rewritten> {
    let has_templates = text.contains("$\"") || text.contains("$`");
    let may_have_outputs = outputs::may_be_in(text);
    if !has_templates && !may_have_outputs {
        return None;
    }
    let before = cursor::placed(text);
    let mut after = if has_templates { templates::rewrite(&before) } else { before.clone() };
    if may_have_outputs {
        after = outputs::rewrite(&after);
    }
    (after != before).then(|| finish(&after))
}

fn finish(characters: &[Placed]) -> Rewritten {
    let mut columns = BTreeMap::new();
    let lines = characters.split(|placed| placed.character == '\n');
    for (number, line) in (1..).zip(lines) {
        let of_line: Vec<u32> = line.iter().map(|placed| placed.column).collect();
        if !of_line.iter().copied().eq(1..=u32::try_from(of_line.len()).unwrap_or(u32::MAX)) {
            columns.insert(number, of_line);
        }
    }
    Rewritten { text: characters.iter().map(|placed| placed.character).collect(), columns }
}
