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
mod json_lines;
mod mask;
mod rego_tests;
mod request_cases;
mod result;
mod subjects;
pub(super) mod yaml;

pub use bundles::{BundleFiles, bundles};
pub use compliance::{ComplianceCase, compliance_cases};
pub use json_lines::element_lines;
pub use mask::without_credentials;
pub use result::{CaseOutcome, CaseResult, Summary};
pub(super) use subjects::{Subject, subjects};

use super::{Bundle, Files};

/// Our own cases: described requests or input documents and what is expected of them.
pub const REQUEST_CASES_SUFFIX: &str = "_test.yaml";
/// The format of `cedar run-tests`.
pub const CEDAR_TESTS_SUFFIX: &str = ".cedar-tests.json";

/// A test file is written by people; this is far above any seen.
const MAX_TEST_FILE_BYTES: usize = 4 << 20;
/// Per file; a run prints a line for each.
const MAX_CASES: usize = 20_000;

/// Runs every test of a bundle whose name contains `pattern`.
#[must_use]
pub fn run(files: &Files, bundle: &Bundle, pattern: Option<&str>) -> Vec<CaseResult> {
    let mut results = rego_tests::run(files);
    for (path, content) in files.iter() {
        if path.ends_with(REQUEST_CASES_SUFFIX) {
            results.extend(text_of(path, content, |text| request_cases::run(path, text, bundle)));
        } else if path.ends_with(CEDAR_TESTS_SUFFIX) {
            results
                .extend(text_of(path, content, |text| cedar_tests::run(path, text, files, bundle)));
        }
    }
    results.retain(|result| result.is_named(pattern));
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
