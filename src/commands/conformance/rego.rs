//! Suite `rego`: OPA's compliance cases through the engine set-up that serves, one thread a case with
//! the stack of serving threads. A case that does not come to an end is left behind as failed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult, ComplianceCase, compliance_cases};

use super::json_cases::CaseFile;
use crate::commands::policy::read;
use crate::loader::SERVING_STACK_BYTES;

/// Above the engine's own limit for one query; what the engine cannot stop is no longer waited for.
const CASE_TIME_LIMIT: Duration = Duration::from_secs(20);
/// Threads that did not end; with more of them the machine measures nothing else.
const MAX_ABANDONED: usize = 4;

/// The case files under `cases`, or those that come with the program.
///
/// # Errors
/// The file or folder cannot be read.
pub(super) fn files(
    cases: Option<&Path>,
    embedded: &[(&str, &str)],
) -> anyhow::Result<Vec<CaseFile>> {
    let Some(path) = cases.filter(|path| path.is_dir()) else {
        return super::json_cases::of(cases, embedded);
    };
    let mut files = Vec::new();
    let is_cases = |name: &str| [".json", ".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    for (name, content) in read::files_of(path)?.iter().filter(|(name, _)| is_cases(name)) {
        let name = path.join(name).display().to_string();
        let text = std::str::from_utf8(content);
        let text = text.with_context(|| format!("case file `{name}` is not UTF-8"))?.to_owned();
        files.push(CaseFile { name, text });
    }
    ensure!(!files.is_empty(), "there is no case file in `{}`", path.display());
    Ok(files)
}

/// Runs every case; a file that is none is a failure.
pub(super) fn run(files: &[CaseFile]) -> Vec<CaseResult> {
    let mut results = Vec::new();
    let mut names = BTreeMap::new();
    let mut abandoned = 0;
    for file in files {
        let cases = match compliance_cases(&file.name, &file.text, &mut names) {
            Ok(cases) => cases,
            Err(message) => {
                results.push(CaseResult::unreadable(&file.name, 0, message));
                continue;
            }
        };
        for case in cases {
            let (name, line) = (case.name.clone(), case.line);
            let outcome = if abandoned < MAX_ABANDONED {
                run_case(case).unwrap_or_else(|| {
                    abandoned += 1;
                    CaseOutcome::errored(format!("it took longer than {CASE_TIME_LIMIT:?}"))
                })
            } else {
                CaseOutcome::errored("it was not run: too many cases before it did not end")
            };
            results.push(CaseResult::new(&file.name, line, name, outcome));
        }
    }
    results
}

/// `None` where the case takes too long.
fn run_case(case: ComplianceCase) -> Option<CaseOutcome> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().stack_size(SERVING_STACK_BYTES).spawn(move || {
        // The receiver is gone where nobody waits any more.
        let _ = sender.send(case.run());
    });
    if let Err(error) = thread {
        return Some(CaseOutcome::errored(format!("no thread could be started: {error}")));
    }
    match receiver.recv_timeout(CASE_TIME_LIMIT) {
        Ok(outcome) => Some(outcome),
        Err(mpsc::RecvTimeoutError::Disconnected) => Some(CaseOutcome::errored("it panicked")),
        Err(mpsc::RecvTimeoutError::Timeout) => None,
    }
}
