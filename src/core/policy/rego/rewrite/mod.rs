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

/// What regorus counts a tab as.
const TAB_BYTES: u32 = 4;

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

/// The files of a bundle that the parser sees, each as it stands and as it was rewritten.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<String, (String, Option<Rewritten>)>);

impl Sources {
    /// What the parser shall see of a file that the scan has passed; `None` after a finding.
    pub(super) fn parsed(
        &mut self,
        file: &str,
        text: &str,
        findings: &mut Findings,
    ) -> Option<String> {
        let rewritten = rewrite(text);
        let parsed = rewritten.as_ref().map_or(text, |rewritten| &rewritten.text).to_owned();
        let before = findings.0.len();
        if rewritten.is_some() {
            scan::scan(file, &parsed, findings);
        }
        let is_clean = findings.0.len() == before;
        self.0.insert(file.to_owned(), (text.to_owned(), rewritten));
        is_clean.then_some(parsed)
    }

    /// A file as the parser saw it.
    pub(super) fn text(&self, file: &str) -> Option<&str> {
        let (text, rewritten) = self.0.get(file)?;
        Some(rewritten.as_ref().map_or(text, |rewritten| &rewritten.text))
    }

    /// Leads what the parser and the checks behind it found back to what stands in the files.
    pub(super) fn lead_back<'a>(&self, findings: impl Iterator<Item = &'a mut Finding>) {
        for finding in findings {
            let Some((text, rewritten)) = self.0.get(&finding.file) else { continue };
            let parsed = rewritten.as_ref().map_or(text, |rewritten| &rewritten.text);
            if let Some(line) = line_of(parsed, finding.line) {
                finding.column = in_characters(line, finding.column);
            }
            if let Some(rewritten) = rewritten {
                finding.column = rewritten.column(finding.line, finding.column);
            }
            let line = line_of(text, finding.line);
            finding.source = finding.source.take().and(line).map(|line| line.trim().to_owned());
        }
    }
}

fn line_of(text: &str, line: u32) -> Option<&str> {
    text.lines().nth(usize::try_from(line).ok()?.checked_sub(1)?)
}

/// regorus counts bytes, and a tab as four of them; people and editors count characters.
fn in_characters(line: &str, column: u32) -> u32 {
    let mut bytes = 1;
    let mut characters = 1;
    for character in line.chars() {
        if bytes >= column {
            break;
        }
        bytes += if character == '\t' { TAB_BYTES } else { bytes_of(character) };
        characters += 1;
    }
    if column == 0 { 0 } else { characters }
}

fn bytes_of(character: char) -> u32 {
    u32::try_from(character.len_utf8()).unwrap_or(1)
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
