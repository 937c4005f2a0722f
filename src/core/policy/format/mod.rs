//! Formatting: the text of a policy file enters, and leaves as it should be written.
//!
//! Only lines, blanks, the order of imports and ways to write the same thing change; what a file says
//! and its comments never do. A file that cannot be read, or of which that cannot be shown, is
//! refused with its place. Foreign text may abort the parsers: call this in a guarded worker.

mod rego;
mod cedar;

use super::{Findings, progress, text};

/// Whether there is a form for a file, by its name.
#[must_use]
pub fn is_formatted(file: &str) -> bool {
    is_rego(file) || file.ends_with(".cedar")
}

/// The text of a `*.rego` or `*.cedar` file as it should be written; `file` names it in findings.
///
/// # Errors
/// The file does not parse, has no form, or its formatted text could not be shown to say the same.
pub fn format(file: &str, content: &[u8]) -> Result<String, Findings> {
    progress::at_file(file);
    let mut findings = Findings::default();
    let formatted =
        text::policy_text(file, content, &mut findings).and_then(|text| match is_rego(file) {
            true => rego::format(file, text, &mut findings),
            false => cedar::format(file, text, &mut findings),
        });
    formatted.ok_or(findings)
}

fn is_rego(file: &str) -> bool {
    file.ends_with(".rego")
}
#[cfg(test)]
mod tests;
