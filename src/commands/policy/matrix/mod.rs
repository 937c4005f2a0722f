//! `portreeve policy matrix`: who may do what, as a table.

mod samples;
mod table;

use std::io::{Write as _, stdout};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use portreeve_core::policy::compare::{Matrix, Samples};
use portreeve_core::policy::{Files, Findings};

use super::check::print_finding;
use super::read;
use super::work::{Answer, Rooted, Run, Task, in_worker, rooted};
use crate::commands::Exit;
use crate::loader::Guard;

pub(super) use samples::{SampleArgs, completed};
pub(super) use table::cell_to_json;

/// As `policy test` has it: a hundred thousand decisions of slow policies take as long.
const SECONDS: u64 = 120;

/// Show every sample peer against every sample request: allow, deny or error.
///
/// Reads the bundle of DIR, or each bundle of a folder, and decides as the sidecar does. The peers are
/// the SPIFFE IDs that the policies, the data and the tests mention, a stranger of each trust domain
/// and a caller without identity; the requests are those of the `*_test.yaml` cases. Options name
/// others. Prints a table with a row for each peer and a column for each request.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// The bundle, or a folder of bundles
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    samples: SampleArgs,
    /// How the decisions are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: TableFormat,
}

const AFTER_HELP: &str = "\
Exit code: 0 the table was made, 2 the bundle or the samples cannot be read

Examples:
  portreeve policy matrix policies/cedar
  portreeve policy matrix policies/rego --peer anonymous --route 'GET /healthz route=health'
  portreeve policy matrix --peers samples.yaml --routes samples.yaml --format csv";

/// How a table of decisions is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum TableFormat {
    /// For people; may change.
    Pretty,
    /// For machines, with reasons and deciding policies; does not change.
    Json,
    /// A line for each decision.
    Csv,
    /// A Markdown table, for a review or a report.
    Md,
}

/// One bundle's decisions, on samples that may be printed.
struct Decided {
    root: String,
    samples: Samples,
    matrix: Matrix,
    note: Option<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (text, exit) = answer(args, in_worker)?;
    stdout().lock().write_all(&text)?;
    Ok(exit)
}

/// What is printed, and how the command ends.
fn answer(args: &Args, run: Run) -> anyhow::Result<(Vec<u8>, Exit)> {
    let given = args.samples.read()?;
    let files = read::files_of(&args.folder)?;
    let bundles = rooted(&files, &args.folder)
        .with_context(|| format!("failed to read the bundles of `{}`", args.folder.display()))?;
    let mut all = Vec::new();
    for Rooted { root, files } in bundles {
        let (samples, note) = completed(&given, derive(&files, run)?);
        let root = root.display().to_string();
        let Some(matrix) = decide(&files, &samples, run, |file| in_root(&root, file))? else {
            return Ok((Vec::new(), Exit::CouldNotRun));
        };
        all.push(Decided { root, samples: samples.shown(), matrix, note });
    }
    let mut text = Vec::new();
    match args.format {
        TableFormat::Pretty => table::pretty(&mut text, &all)?,
        TableFormat::Json => table::json(&mut text, &all)?,
        TableFormat::Csv => table::csv(&mut text, &all)?,
        TableFormat::Md => table::markdown(&mut text, &all)?,
    }
    Ok((text, Exit::Good))
}

fn in_root(root: &str, file: &str) -> String {
    PathBuf::from(root).join(file).display().to_string()
}

/// What a bundle's files give as samples.
pub(super) fn derive(files: &Files, run: Run) -> anyhow::Result<Samples> {
    match run(&Task::Derive, files, guard()).context("failed to look for samples")? {
        Answer::Derived(samples) => Ok(samples),
        _ => bail!("the answer is to another task"),
    }
}

/// Decides the samples in a worker; `None` after findings were printed, because the bundle does not
/// load or ended the worker.
pub(super) fn decide(
    files: &Files,
    samples: &Samples,
    run: Run,
    place: impl Fn(&str) -> String,
) -> anyhow::Result<Option<Matrix>> {
    match run(&Task::Matrix(samples.clone()), files, guard()) {
        Ok(Answer::Matrix(matrix)) => Ok(Some(*matrix)),
        Ok(Answer::DoesNotLoad { findings, .. }) => refuse(findings, place).map(|()| None),
        Ok(_) => bail!("the answer is to another task"),
        Err(failure) if failure.is_by_policy() => {
            refuse(Findings(vec![failure.finding("the decisions")]), place).map(|()| None)
        }
        Err(failure) => Err(failure).context("failed to decide in a worker"),
    }
}

/// Says why a bundle gives no answer.
pub(super) fn refuse(findings: Findings, place: impl Fn(&str) -> String) -> anyhow::Result<()> {
    let out = &mut std::io::stderr().lock();
    for mut finding in findings.0 {
        finding.file = place(&finding.file);
        print_finding(out, &finding)?;
    }
    writeln!(out, "error: `{}` does not load", super::report::printable(&place("")))?;
    Ok(())
}

/// A list of all that a bundle says takes as much again as the bundle.
pub(super) fn guard() -> Guard {
    let default = Guard::default();
    Guard { seconds: SECONDS, memory_bytes: default.memory_bytes.saturating_mul(2) }
}

#[cfg(test)]
mod tests;
