//! `portreeve policy test`: the runner of an author's tests and of the conformance suite `policy`.

use std::io::stdout;
use std::path::{Path, PathBuf};

use portreeve_core::policy::cases::{self, CaseOutcome, CaseResult};
use portreeve_core::policy::{Files, Findings};

use super::folder::{Loaded, load_all, on_large_stack};
use super::{read, report};
use crate::commands::{Exit, Format};

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
    let results = results(&files, &args.folder, args.run.as_deref())?;
    Ok(report::print(&mut stdout().lock(), "policy", &results, args.format)?)
}

/// Runs every test of every bundle of a folder; paths in the results begin with `folder`.
pub(crate) fn results(
    files: &Files,
    folder: &Path,
    pattern: Option<&str>,
) -> anyhow::Result<Vec<CaseResult>> {
    on_large_stack(|| match load_all(files, folder) {
        Ok(bundles) => bundles.iter().flat_map(|bundle| results_of(bundle, pattern)).collect(),
        Err(findings) => vec![not_loaded(folder, &findings)],
    })
}

fn results_of(loaded: &Loaded, pattern: Option<&str>) -> Vec<CaseResult> {
    let Some(bundle) = &loaded.bundle else {
        return vec![not_loaded(&loaded.root, &loaded.findings)];
    };
    let mut results = cases::run(&loaded.files, bundle, pattern);
    for result in &mut results {
        let is_file = result.name == result.file;
        result.file = loaded.root.join(&result.file).display().to_string();
        if is_file {
            result.name.clone_from(&result.file);
        }
    }
    results
}

/// Without its bundle no test can pass, so the bundle itself is the one that fails.
fn not_loaded(root: &Path, findings: &Findings) -> CaseResult {
    let message = format!("the bundle does not load\n{findings}");
    let root = root.display().to_string();
    CaseResult::new(&root, 0, "load the bundle", CaseOutcome::errored(message))
}
