//! Case files of the suites whose cases are JSON: arrays of objects, each with an `id`.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::commands::policy::read;

/// A case file's name and text.
#[derive(Debug)]
pub(super) struct CaseFile {
    pub(super) name: String,
    pub(super) text: String,
}

/// The files under `cases`, or those that come with the program.
///
/// # Errors
/// The file or folder cannot be read.
pub(super) fn of(cases: Option<&Path>, embedded: &[(&str, &str)]) -> anyhow::Result<Vec<CaseFile>> {
    let Some(path) = cases else {
        let file = |(name, text): &(&str, &str)| CaseFile {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
        };
        return Ok(embedded.iter().map(file).collect());
    };
    if path.is_file() {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read cases `{}`", path.display()))?;
        return Ok(vec![CaseFile { name: path.display().to_string(), text }]);
    }
    let mut files = Vec::new();
    for (name, content) in read::files_of(path)?.iter().filter(|(name, _)| name.ends_with(".json"))
    {
        let name = path.join(name).display().to_string();
        let text = std::str::from_utf8(content);
        let text = text.with_context(|| format!("case file `{name}` is not UTF-8"))?.to_owned();
        files.push(CaseFile { name, text });
    }
    ensure!(!files.is_empty(), "there is no `.json` file in `{}`", path.display());
    Ok(files)
}

/// Runs each case of the files; what is no case, or has an id a second time, is a failure.
pub(super) fn run<C: DeserializeOwned>(
    files: &[CaseFile],
    mut run: impl FnMut(&C) -> CaseOutcome,
) -> Vec<CaseResult> {
    let mut results = Vec::new();
    let mut ids = BTreeSet::new();
    for file in files {
        let cases = match serde_json::from_str::<Vec<Value>>(&file.text) {
            Ok(cases) => cases,
            Err(error) => {
                let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
                let message = format!("the file is not a JSON array of cases: {error}");
                results.push(CaseResult::unreadable(&file.name, line, message));
                continue;
            }
        };
        let lines = portreeve_core::policy::cases::element_lines(&file.text);
        for (index, case) in cases.into_iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(0);
            let (id, outcome) = run_one(case, &mut ids, &mut run);
            let id = id.unwrap_or_else(|| format!("case {}", index.saturating_add(1)));
            results.push(CaseResult::new(&file.name, line, id, outcome));
        }
    }
    results
}

fn run_one<C: DeserializeOwned>(
    mut case: Value,
    ids: &mut BTreeSet<String>,
    run: &mut impl FnMut(&C) -> CaseOutcome,
) -> (Option<String>, CaseOutcome) {
    let id = case.as_object_mut().and_then(|case| case.shift_remove("id"));
    let Some(Value::String(id)) = id else {
        return (None, CaseOutcome::errored("this is no case: it has no `id`"));
    };
    let outcome = if !ids.insert(id.clone()) {
        // The list of expected failures goes by id.
        CaseOutcome::errored("another case has this id")
    } else {
        match serde_json::from_value(case) {
            Ok(case) => run(&case),
            Err(error) => CaseOutcome::errored(format!("this is no case: {error}")),
        }
    };
    (Some(id), outcome)
}
