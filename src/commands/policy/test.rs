//! `portreeve policy test`: the runner of an author's tests and of the conformance suite `policy`.

use std::io::{stderr, stdout};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Filter};
use portreeve_core::policy::{Files, Finding, Findings};

use super::report::{self, ResultsFormat};
use super::work::{Answer, Rooted, Task, in_worker, rooted};
use super::{coverage, read, watch};
use crate::commands::Exit;
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
///       relax:                   # optional: what the request's route keeps, as configured
///         - empty_segments
///
/// A failure is told with the request, with what was expected and what came; that of a Rego test with
/// the expression that was not true, the values in it and what `print` said. Headers but for a few,
/// values of the query, bodies and claims are masked as in the decision log.
///
/// A Rego test `test_x[note] if …` is a table: each key that the body gives is a test of its own, and
/// is selected by its own name or by that of the rule. Two rules of one name are two tests. What `with input …` puts in place may be a part of the input
/// document but must fit it: an unknown field or a value of the wrong type is an error of the test.
/// This is seen where it is written down, also by `policy check`, and where a statement of the test
/// computes it, when it runs; a value that a helper rule computes is not checked. A comment
/// `# portreeve: any-input` above a rule, or above `package` for the file, allows any input.
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
    /// Run only tests whose name matches this regular expression, or contains it as it is
    #[arg(short, long, value_name = "PATTERN")]
    run: Option<String>,
    /// Run again whenever a file of DIR changes, until interrupted
    #[arg(short, long)]
    watch: bool,
    /// Stop after this many seconds for each bundle; a Rego test by itself has 5
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    time_limit: u64,
    #[command(flatten)]
    coverage: coverage::Flags,
    /// How results are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: ResultsFormat,
}

const AFTER_HELP: &str = "\
Closes with `N passed, N failed, N skipped`.

With --coverage it also says, whatever became of the tests, what they reach and what they do not:
  Rego    each line that holds something to evaluate: the head of a definition where it gave its
          value, a default where it was needed, a statement where it was evaluated
  Cedar   of each policy that it was satisfied, and of each operand that `&&` or `||` joins in a
          `when` or `unless` that it was true, and that it was false
A line and an outcome count the same. In JSON this stands under `coverage`, in the form of OPA.

Exit code: 0 all passed, 1 a test failed, none was found or coverage is below the threshold,
           2 DIR or PATTERN cannot be read;
           with --watch that of the last run

Examples:
  portreeve policy test policies/
  portreeve policy test policies/cedar -r 'may read'
  portreeve policy test --watch -r '^data\\.authz_test\\.test_admin'
  portreeve policy test --coverage --threshold 90 policies/
  portreeve policy test --format junit > results.xml
  portreeve policy test --format json | jq '.cases[] | select(.outcome != \"passed\")'";

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    // What is wrong with the pattern is said before anything is read.
    Filter::new(args.run.as_deref())?;
    if args.watch { watch::watch(&args.folder, || run_once(args)) } else { run_once(args) }
}

fn run_once(args: &Args) -> anyhow::Result<Exit> {
    let files = read::files_of(&args.folder)?;
    let guard = Guard { seconds: args.time_limit, ..Guard::default() };
    let results = results_in_worker(&files, &args.folder, args.run.as_deref(), guard)?;
    let measured =
        coverage::measured(args.coverage, &files, &args.folder, args.run.as_deref(), guard)?;
    let out = &mut stdout().lock();
    match measured {
        Some(measured) => {
            coverage::print(out, &mut stderr().lock(), &results, &measured, args.format)
        }
        None => Ok(report::print_as(out, "policy", &results, args.format)?),
    }
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

/// Names the files of a result as they can be opened from here.
fn rooted_at(root: &Path, mut result: CaseResult) -> CaseResult {
    let is_file = result.name == result.file;
    let rooted = |file: &str| root.join(file).display().to_string();
    if let CaseOutcome::Errored { message } = &mut result.outcome {
        // A Rego error begins with its place.
        let begins = format!("{}:", result.file);
        let line =
            |line: &str| if line.starts_with(&begins) { rooted(line) } else { line.to_owned() };
        *message = message.lines().map(line).collect::<Vec<_>>().join("\n");
    }
    if let CaseOutcome::Failed { actual, .. } = &mut result.outcome {
        for policy in &result.policies {
            let place = |file: &str| format!(" at {file}:{}", policy.line);
            *actual = actual.replace(&place(&policy.file), &place(&rooted(&policy.file)));
        }
    }
    for at in &mut result.evidence.failed_at {
        at.file = rooted(&at.file);
    }
    for print in &mut result.evidence.prints {
        *print = rooted(print);
    }
    result.file = rooted(&result.file);
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
    let rooted = |finding: &Finding| {
        let mut finding = finding.clone();
        if !finding.file.is_empty() {
            finding.file = root.join(&finding.file).display().to_string();
        }
        let hint = finding.hint.take().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        format!("{finding}{hint}")
    };
    let findings: Vec<String> = findings.0.iter().map(rooted).collect();
    let message = format!("the bundle does not load\n{}", findings.join("\n"));
    let root = root.display().to_string();
    CaseResult::new(&root, 0, "load the bundle", CaseOutcome::errored(message))
}
