//! The tests of a bundle, in three formats, run against the bundle itself.
//!
//! [`Files`] and the [`Bundle`] that was loaded from them enter; one [`CaseResult`] per test leaves,
//! in the order of files and lines. What cannot be read is an error of the case, never a pass and
//! never left out: Rego rules named `test_…`, Cedar's run-tests JSON (`*.cedar-tests.json`) and our
//! own cases (`*_test.yaml`), which ask the same `decide` as the sidecar.

mod bundles;
mod cedar_tests;
mod compliance;
mod expectation;
mod filter;
mod json_lines;
mod mask;
mod rego_tests;
mod relaxations;
mod request_cases;
mod result;
mod subjects;
pub(super) mod yaml;

pub use bundles::{BundleFiles, bundles};
pub use compliance::{ComplianceCase, compliance_cases};
pub use filter::{Filter, FilterError};
pub use json_lines::element_lines;
pub use mask::without_credentials;
pub use result::{CaseOutcome, CaseResult, Evidence, Summary};
pub(super) use subjects::{Subject, subjects};

use std::time::Duration;

use super::{Bundle, Files};

/// Our own cases: described requests or input documents and what is expected of them.
pub const REQUEST_CASES_SUFFIX: &str = "_test.yaml";
/// The format of `cedar run-tests`.
pub const CEDAR_TESTS_SUFFIX: &str = ".cedar-tests.json";

/// A test file is written by people; this is far above any seen.
const MAX_TEST_FILE_BYTES: usize = 4 << 20;
/// Per file; a run prints a line for each.
const MAX_CASES: usize = 20_000;

/// How the tests of a bundle are run.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// A test that it does not select is not run.
    pub filter: &'a Filter,
    /// How much time has passed since some moment: the core has no clock of its own.
    pub clock: Option<fn() -> Duration>,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self { filter: Filter::all(), clock: None }
    }
}

impl Run<'_> {
    /// Measures what it takes to get a result.
    fn timed(&self, run: impl FnOnce() -> CaseResult) -> CaseResult {
        let before = self.clock.map(|clock| clock());
        let result = run();
        let duration = self.clock.zip(before).map(|(clock, before)| clock().saturating_sub(before));
        CaseResult { duration, ..result }
    }
}

/// Runs the selected tests of a bundle.
#[must_use]
pub fn run(files: &Files, bundle: &Bundle, run: &Run<'_>) -> Vec<CaseResult> {
    let mut results = rego_tests::run(files, run);
    for (path, content) in files.iter() {
        if path.ends_with(REQUEST_CASES_SUFFIX) {
            let cases = |text: &str| request_cases::run(path, text, bundle, run);
            results.extend(text_of(path, content, cases));
        } else if path.ends_with(CEDAR_TESTS_SUFFIX) {
            let tests = |text: &str| cedar_tests::run(path, text, files, bundle, run);
            results.extend(text_of(path, content, tests));
        }
    }
    results.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    results
}

/// Gives a test file's text to its reader, or says why there is none.
fn text_of(
    path: &str,
    content: &[u8],
    run: impl FnOnce(&str) -> Vec<CaseResult>,
) -> Vec<CaseResult> {
    if content.len() > MAX_TEST_FILE_BYTES {
        let message = format!("the file is larger than {MAX_TEST_FILE_BYTES} bytes");
        return vec![CaseResult::unreadable(path, 0, message)];
    }
    match std::str::from_utf8(content) {
        Ok(text) => run(text),
        Err(_) => vec![CaseResult::unreadable(path, 0, "the file is not UTF-8")],
    }
}
