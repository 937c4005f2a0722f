//! What `policy test --coverage` adds: how much of a bundle its tests reach, and what they do not.
//!
//! The files of a folder enter; each bundle's tests are run once more in a worker of their own, beside
//! the run that judges them, so that coverage is there whatever became of the tests. A percentage
//! below the threshold is a no of the whole command.

mod annotations;
mod gaps;
mod json;
mod pretty;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, bail};
use portreeve_core::policy::cases::{CaseResult, Summary};
use portreeve_core::policy::{Count, Coverage, Files};
use serde_json::Value;

use super::report::{self, ResultsFormat, printable};
use super::work::{Answer, Rooted, Task, in_worker, rooted};
use crate::commands::Exit;
use crate::loader::{Failure, Guard};

/// The options of `policy test` that are about coverage.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(in crate::commands) struct Flags {
    /// Say what the tests reach: lines of Rego, policies and conditions of Cedar
    #[arg(long)]
    coverage: bool,
    /// Exit with 1 if they reach less than this many percent; implies --coverage
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    threshold: Option<f64>,
}

/// What the tests of a folder reached, paths beginning with the folder.
#[derive(Debug, Default)]
pub(super) struct Measured {
    coverage: Coverage,
    /// Bundles that could not be measured, each with the reason: what they hold is not in the numbers.
    missing: Vec<(String, String)>,
    threshold: Option<f64>,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "a percentage is a number from 0 to 100".to_owned())
}

/// Measures the coverage of every bundle of a folder; `None` where nobody asks for it.
pub(super) fn measured(
    flags: Flags,
    files: &Files,
    folder: &Path,
    pattern: Option<&str>,
    guard: Guard,
) -> anyhow::Result<Option<Measured>> {
    if !flags.coverage && flags.threshold.is_none() {
        return Ok(None);
    }
    let run = |task: &Task, files: &Files| in_worker(task, files, guard);
    measure(files, folder, pattern, flags.threshold, run).map(Some)
}

fn measure(
    files: &Files,
    folder: &Path,
    pattern: Option<&str>,
    threshold: Option<f64>,
    run: impl Fn(&Task, &Files) -> Result<Answer, Failure>,
) -> anyhow::Result<Measured> {
    let mut measured = Measured { threshold, ..Measured::default() };
    let Ok(bundles) = rooted(files, folder) else {
        measured.miss(folder, "the folder cannot be split into bundles".to_owned());
        return Ok(measured);
    };
    for Rooted { root, files } in bundles {
        match run(&Task::Coverage { pattern: pattern.map(str::to_owned) }, &files) {
            Ok(Answer::Covered(Err(why))) => measured.miss(&root, why),
            Ok(Answer::Covered(Ok(mut coverage))) => {
                for file in coverage.files_mut() {
                    *file = root.join(&*file).display().to_string();
                }
                measured.coverage.append(coverage);
            }
            Ok(Answer::DoesNotLoad { .. }) => {
                measured.miss(&root, "the bundle does not load".to_owned());
            }
            Ok(_) => bail!("the answer is to another task"),
            Err(failure) if failure.is_by_policy() => {
                measured.miss(&root, failure.finding("the measurement").message);
            }
            Err(failure) => return Err(failure).context("failed to measure in a worker"),
        }
    }
    Ok(measured)
}

/// Prints the results with what they reached, and says how the command ends.
pub(super) fn print(
    out: &mut impl Write,
    err: &mut impl Write,
    results: &[CaseResult],
    measured: &Measured,
    format: ResultsFormat,
) -> anyhow::Result<Exit> {
    let exit = match format {
        ResultsFormat::Pretty => {
            let exit = report::print_as(out, "policy", results, format)?;
            measured.print_pretty(out)?;
            exit
        }
        ResultsFormat::Github => {
            let exit = report::print_as(out, "policy", results, format)?;
            measured.print_annotations(out)?;
            exit
        }
        // The format has no place for it: what the threshold says is still said.
        ResultsFormat::Junit => {
            let exit = report::print_as(out, "policy", results, format)?;
            measured.print_shortfall(err)?;
            exit
        }
        ResultsFormat::Json => {
            let summary = Summary::of(results);
            let mut document = report::document("policy", results, summary);
            if let Value::Object(document) = &mut document {
                document.insert("coverage".to_owned(), measured.to_json());
            }
            serde_json::to_writer_pretty(&mut *out, &document)?;
            writeln!(out)?;
            measured.print_shortfall(err)?;
            report::exit_of(summary)
        }
    };
    Ok(measured.exit(exit))
}

impl Measured {
    fn miss(&mut self, root: &Path, why: String) {
        self.missing.push((root.display().to_string(), why));
    }

    /// How the command ends, where its tests end with `exit`.
    pub(super) fn exit(&self, exit: Exit) -> Exit {
        match exit {
            Exit::Good if self.shortfall().is_some() => Exit::No,
            exit => exit,
        }
    }

    /// Why the threshold is not met, in one line.
    pub(super) fn shortfall(&self) -> Option<String> {
        let threshold = self.threshold?;
        if let Some((root, why)) = self.missing.first() {
            let root = printable(root);
            return Some(format!(
                "coverage of `{root}` is unknown ({}), which is below the threshold of {threshold} %",
                printable(why)
            ));
        }
        let total = self.coverage.total();
        (!total.reaches(threshold)).then(|| {
            format!("coverage {} % is below the threshold of {threshold} %", total.percent())
        })
    }

    fn print_shortfall(&self, out: &mut impl Write) -> io::Result<()> {
        self.shortfall().map_or(Ok(()), |shortfall| writeln!(out, "{shortfall}"))
    }

    /// The table of files and what no test reaches in them.
    pub(super) fn print_pretty(&self, out: &mut impl Write) -> io::Result<()> {
        pretty::print(out, self)
    }

    /// What stands under `coverage` of the JSON output.
    pub(super) fn to_json(&self) -> Value {
        json::document(self)
    }

    /// What no test reaches, as annotations of a pull request.
    pub(super) fn print_annotations(&self, out: &mut impl Write) -> io::Result<()> {
        annotations::print(out, self)
    }

    /// Each language with something to count, and its count.
    fn by_language(&self) -> impl Iterator<Item = (&'static str, &'static str, Count)> {
        let (lines, outcomes) = (self.coverage.lines(), self.coverage.outcomes());
        [("Rego", "lines", lines), ("Cedar", "outcomes", outcomes)]
            .into_iter()
            .filter(|(_, _, count)| count.total > 0)
    }
}
