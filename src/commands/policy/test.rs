//! `portreeve policy test`: the runner of an author's tests and of the conformance suite `policy`.

use std::io::stdout;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::policy::{Files, Findings};

use super::work::{Answer, Rooted, Task, in_worker, rooted};
use super::{read, report};
use crate::commands::{Exit, Format};
use crate::loader::{Failure, Guard};

/// Run the tests that stand beside the policies
///
/// DIR is a bundle, or a folder of bundles (each folder with a `.manifest` is one). Three kinds of
/// tests are run, whichever of them there are:
///
///   *_test.rego           rules named `test_…`; `todo_test_…` is skipped
///   *.cedar-tests.json    the format of `cedar run-tests`, as it is
///   *_test.yaml           a request and the decision expected of it, for either language
///
/// The third kind asks the very function that decides in the sidecar. A case names the request by
/// what matters (`request`) or as a whole input document (`input`):
///
///   cases:
///     - name: the shop may read an order
///       request: {source: spiffe://prod.example.org/shop, method: GET, path: /orders/1}
///       expect: allow            # or deny, or error
///       reason: allowed          # optional
///       policy: orders.cedar:3   # optional: one that decided, by id or file:line
///
/// A case that cannot be read or does not fit the input schema fails. So does a bundle that does not
/// load, and a folder without any test.
#[expect(clippy::doc_markdown, reason = "the text is a help page, and its example is YAML")]
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, verbatim_doc_comment)]
pub(in crate::commands) struct Args {
    /// The bundle, or a folder of bundles
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Run only tests whose name contains this text
    #[arg(short, long, value_name = "PATTERN")]
    run: Option<String>,
    /// Stop after this many seconds for each bundle; a Rego test by itself has 5
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    time_limit: u64,
    /// How results are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

const AFTER_HELP: &str = "\
Closes with `N passed, N failed, N skipped`.
Exit code: 0 all passed, 1 a test failed or none was found, 2 DIR cannot be read

Examples:
  portreeve policy test policies/
  portreeve policy test policies/cedar -r 'may read'
  portreeve policy test --format json | jq '.cases[] | select(.outcome != \"passed\")'";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let files = read::files_of(&args.folder)?;
    let guard = Guard { seconds: args.time_limit, ..Guard::default() };
    let results = results_in_worker(&files, &args.folder, args.run.as_deref(), guard)?;
    Ok(report::print(&mut stdout().lock(), "policy", &results, args.format)?)
}

/// Runs every test of every bundle of a folder, each bundle in a worker.
pub(crate) fn results_in_worker(
    files: &Files,
    folder: &Path,
    pattern: Option<&str>,
    guard: Guard,
) -> anyhow::Result<Vec<CaseResult>> {
    results(files, folder, pattern, |task, files| in_worker(&task, files, guard))
}

/// Runs every test of every bundle of a folder as `run` does it; paths in the results begin with
/// `folder`.
pub(crate) fn results(
    files: &Files,
    folder: &Path,
    pattern: Option<&str>,
    run: impl Fn(Task, &Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Vec<CaseResult>> {
    let bundles = match rooted(files, folder) {
        Ok(bundles) => bundles,
        Err(findings) => return Ok(vec![not_loaded(folder, &findings)]),
    };
    let mut all = Vec::new();
    for Rooted { root, files } in bundles {
        match run(Task::Test { pattern: pattern.map(str::to_owned) }, &files) {
            Ok(Answer::Tested(results)) => {
                all.extend(results.into_iter().map(|result| rooted_at(&root, result)));
            }
            Ok(Answer::DoesNotLoad { findings, .. }) => all.push(not_loaded(&root, &findings)),
            Ok(_) => bail!("the answer is to another task"),
            Err(failure) if failure.is_by_policy() => all.push(died(&root, &failure)),
            Err(failure) => return Err(failure).context("failed to test in a worker"),
        }
    }
    Ok(all)
}

fn rooted_at(root: &Path, mut result: CaseResult) -> CaseResult {
    let is_file = result.name == result.file;
    result.file = root.join(&result.file).display().to_string();
    if is_file {
        result.name.clone_from(&result.file);
    }
    result
}

/// The one test, or file, that ended the process fails for all.
fn died(root: &Path, failure: &Failure) -> CaseResult {
    let finding = failure.finding("the test run");
    let file = root.join(&finding.file).display().to_string();
    CaseResult::new(&file, finding.line, "run the tests", CaseOutcome::errored(finding.message))
}

/// Without its bundle no test can pass, so the bundle itself is the one that fails.
fn not_loaded(root: &Path, findings: &Findings) -> CaseResult {
    let message = format!("the bundle does not load\n{findings}");
    let root = root.display().to_string();
    CaseResult::new(&root, 0, "load the bundle", CaseOutcome::errored(message))
}
