//! Several small bundles in one text file.
//!
//! A line `=== NAME` starts a bundle, a line `--- FILE` a file of it; what stands before the first file
//! is `policy.rego`. Lines of the text before the first bundle are for people.

use super::super::{Files, FilesError};

/// The file that a case starts with.
const FIRST_FILE: &str = "policy.rego";

/// A bundle and what it is to show.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// From 1.
    pub line: u32,
    pub files: Files,
}

/// The bundles of a text.
///
/// # Errors
/// A file's name is none, or stands twice.
pub fn cases(text: &str) -> Result<Vec<Case>, FilesError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut open: Option<(String, String)> = None;
    for (line, number) in text.lines().zip(1_u32..) {
        if let Some(name) = line.strip_prefix("=== ") {
            close(&mut cases, open.replace((FIRST_FILE.to_owned(), String::new())))?;
            let (name, files) = (name.to_owned(), Files::default());
            cases.push(Case { name, line: number, files });
        } else if let Some(file) = line.strip_prefix("--- ") {
            close(&mut cases, open.replace((file.to_owned(), String::new())))?;
        } else if let Some((_, content)) = &mut open {
            content.extend([line, "\n"]);
        }
    }
    close(&mut cases, open)?;
    Ok(cases)
}

/// Adds a file to the last case; an empty first file is none.
fn close(cases: &mut [Case], file: Option<(String, String)>) -> Result<(), FilesError> {
    let (Some(case), Some((name, content))) = (cases.last_mut(), file) else { return Ok(()) };
    if name == FIRST_FILE && content.trim().is_empty() {
        return Ok(());
    }
    case.files.insert(&name, content.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_holds_bundles_of_files() {
        let text = "for people\n=== one\npackage a\n\n=== two\n--- a.rego\npackage a\n--- d/data.json\n{}\n";
        let cases = cases(text).unwrap();
        let shown: Vec<_> = cases
            .iter()
            .flat_map(|case| case.files.iter().map(|(name, _)| (&*case.name, case.line, name)))
            .collect();
        let expected = [("one", 2, "policy.rego"), ("two", 5, "a.rego"), ("two", 5, "d/data.json")];
        assert_eq!(shown, expected);
        assert_eq!(cases[0].files.get("policy.rego"), Some(&b"package a\n\n"[..]));
    }

    #[test]
    fn a_name_that_is_none_or_stands_twice_is_refused() {
        assert!(cases("=== a\n--- ../b\n").is_err());
        assert!(cases("=== a\n--- b\n--- b\n").is_err());
        assert!(cases("").unwrap().is_empty());
    }
}
