//! `portreeve conformance`: suites of data cases through the product's own code.
//!
//! Cases come from the binary or from `--cases`; each suite has one function that turns them into
//! [`CaseResult`]s. The list of expected failures is held against the results in one place.

mod canonical_request;
mod cedar;
mod cedar_files;
mod embedded;
mod evaluation;
mod expected;
mod json_cases;
mod rego;
mod rego_summary;
mod spiffe_id;
mod spiffe_x509;
mod spiffe_jwt;
mod wire;

use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use anyhow::ensure;
use portreeve_core::policy::Files;
use portreeve_core::policy::cases::{CaseResult, Summary};

use super::policy::{read, report, test, work};
use super::{Exit, Format, shipped};
use crate::loader::Guard;

/// Run suites of conformance cases through the product's own code
///
/// The cases are data and come with the program; the suites are
///
///   policy              every test of the policies that come with the program
///   canonical-request   request heads as bytes, and the one form of each or its refusal
///   spiffe-id           texts that are SPIFFE IDs or break a rule of SPIFFE-ID §2
///   spiffe-x509         certificate chains that are X.509-SVIDs or break a rule of theirs
///   spiffe-jwt          tokens that are JWT-SVIDs or break a rule of JWT-SVID
///   cedar               requests with the decision, reasons and errors of Cedar
///   rego                queries and their results, in the format of OPA's compliance cases
///   evaluation          bundles that decide many inputs in each way, held against their meaning
///
/// Without SUITE all of them run. --cases replaces a suite's cases by those of a file or folder:
/// for `policy` and `evaluation` a bundle or a folder of bundles, for `rego` JSON or YAML files, for `cedar` test
/// files with their policies, schemas and entities in a folder or a `.tar.gz` (or a folder with
/// some of those), otherwise JSON files, which `schemas/` describes. `spiffe-x509` also reads the cases of
/// x509-limbo, and `spiffe-jwt` the JWS vectors of Project Wycheproof.
///
/// A case that is known to fail is listed with its reason and is skipped; one that is listed and passes
/// fails the run.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, verbatim_doc_comment)]
pub(super) struct Args {
    /// The suite to run; all of them when not given
    #[arg(value_enum)]
    suite: Option<Suite>,
    /// Take the cases from here
    #[arg(long, value_name = "PATH", requires = "suite")]
    cases: Option<PathBuf>,
    /// Take the list of expected failures from here
    #[arg(long, value_name = "FILE", requires = "cases")]
    expected: Option<PathBuf>,
    /// How results are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
    #[command(flatten)]
    evaluation: evaluation::Options,
}

const AFTER_HELP: &str = "\
Prints each failure and closes with `N passed, N failed, N skipped`.
Exit code: 0 all as expected, 1 a case failed or none was found, 2 the cases cannot be read

Examples:
  portreeve conformance
  portreeve conformance canonical-request
  portreeve conformance policy --cases ./policies --format json
  portreeve conformance evaluation --cases ./policies --inputs 100000";

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    Policy,
    CanonicalRequest,
    SpiffeId,
    SpiffeX509,
    SpiffeJwt,
    Cedar,
    Rego,
    Evaluation,
}

impl Suite {
    const ALL: [Self; 8] = [
        Self::Policy,
        Self::CanonicalRequest,
        Self::SpiffeId,
        Self::SpiffeX509,
        Self::SpiffeJwt,
        Self::Cedar,
        Self::Rego,
        Self::Evaluation,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::CanonicalRequest => "canonical-request",
            Self::SpiffeId => "spiffe-id",
            Self::SpiffeX509 => "spiffe-x509",
            Self::SpiffeJwt => "spiffe-jwt",
            Self::Cedar => "cedar",
            Self::Rego => "rego",
            Self::Evaluation => "evaluation",
        }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let out = &mut stdout().lock();
    let is_evaluation = args.suite == Some(Suite::Evaluation);
    ensure!(
        is_evaluation || !args.evaluation.is_some(),
        "`--inputs` and `--seed` are for the suite `evaluation`"
    );
    let (name, results) = match args.suite {
        Some(suite @ Suite::Evaluation) => {
            let tried = evaluation::run(args.cases.as_deref(), args.evaluation)?;
            if args.format == Format::Pretty {
                evaluation::print(out, &tried)?;
            }
            let results = evaluation::results(tried);
            (suite.as_str(), judged(suite, results, args.expected.as_deref())?)
        }
        Some(suite) => {
            let results = results(suite, args.cases.as_deref(), args.expected.as_deref())?;
            if suite == Suite::Rego && args.format == Format::Pretty {
                rego_summary::print(out, &results)?;
            }
            (suite.as_str(), results)
        }
        None => {
            let mut all = Vec::new();
            for suite in Suite::ALL {
                let results = results(suite, None, None)?;
                if args.format == Format::Pretty {
                    writeln!(out, "{}: {}", suite.as_str(), Summary::of(&results))?;
                }
                all.extend(results);
            }
            ("all", all)
        }
    };
    Ok(report::print(out, name, &results, args.format)?)
}

/// The results of one suite, judged.
fn results(
    suite: Suite,
    cases: Option<&Path>,
    expected: Option<&Path>,
) -> anyhow::Result<Vec<CaseResult>> {
    let results = match suite {
        Suite::Policy => policy_results(cases)?,
        Suite::CanonicalRequest => {
            canonical_request::run(&json_cases::of(cases, embedded::CANONICAL_REQUEST)?)?
        }
        Suite::SpiffeId => spiffe_id::run(&json_cases::of(cases, embedded::SPIFFE_ID)?),
        Suite::SpiffeX509 => spiffe_x509::run(json_cases::of(cases, embedded::SPIFFE_X509)?),
        Suite::SpiffeJwt => spiffe_jwt::run(json_cases::of(cases, embedded::SPIFFE_JWT)?),
        Suite::Cedar => cedar::run(cases)?,
        Suite::Rego => rego::run(&rego::files(cases, embedded::REGO)?),
        Suite::Evaluation => {
            evaluation::results(evaluation::run(cases, evaluation::Options::default())?)
        }
    };
    judged(suite, results, expected)
}

/// Results held against a suite's list of expected failures.
fn judged(
    suite: Suite,
    results: Vec<CaseResult>,
    expected: Option<&Path>,
) -> anyhow::Result<Vec<CaseResult>> {
    let expected = match expected {
        Some(file) => expected::failures(&expected::read(file)?)?,
        None => expected::failures(embedded::expected_failures(suite))?,
    };
    let judge = |result: CaseResult| {
        let reason = expected.get(&result.name).cloned();
        result.with_expected_failure(reason.as_deref())
    };
    Ok(results.into_iter().map(judge).collect())
}

fn policy_results(cases: Option<&Path>) -> anyhow::Result<Vec<CaseResult>> {
    match cases {
        Some(folder) => {
            let files = read::files_of(folder)?;
            test::results_in_worker(&files, folder, None, Guard::default())
        }
        // What comes with the program is not foreign.
        None => {
            let here = |task, files: &Files| Ok(work::here(task, files));
            test::results(&shipped::policies()?, Path::new("policies"), None, here)
        }
    }
}

#[cfg(test)]
mod tests;
