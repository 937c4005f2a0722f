//! `expected_failures.toml`: cases that are known to fail, each with its reason.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, ensure};

/// The reasons by the name of the case.
///
/// # Errors
/// The text is not a table of `case = "reason"`, or a reason is empty.
pub(super) fn failures(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let list: BTreeMap<String, String> =
        toml::from_str(text).context("expected_failures.toml is not `case = \"reason\"` lines")?;
    for (case, reason) in &list {
        ensure!(!reason.trim().is_empty(), "the expected failure `{case}` has no reason");
    }
    Ok(list)
}

/// A list from elsewhere.
///
/// # Errors
/// The file cannot be read.
pub(super) fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("failed to read `{}`", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_a_reason_for_every_case() {
        let list = failures("# why\na = \"one\"\n\"b c\" = \"two\"\n").unwrap();
        assert_eq!(list["b c"], "two");
        assert!(failures("a = \" \"").is_err());
        assert!(failures("a = 1").is_err());
        assert!(failures("[a]\nb = \"c\"").is_err());
        assert!(failures("").unwrap().is_empty());
    }
}
