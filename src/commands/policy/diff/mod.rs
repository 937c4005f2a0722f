//! `portreeve policy diff`: what a change of policy changes.

mod flips;
mod print;

use std::collections::BTreeMap;
use std::io::{Write as _, stdout};
use std::path::Path;

use anyhow::{Context as _, bail};
use portreeve_core::policy::cases::bundles;
use portreeve_core::policy::compare::{Change, How, Outline, Samples, compare};
use portreeve_core::policy::{Files, Findings};

use super::matrix::{SampleArgs, guard, refuse};
use super::revision::Side;
use super::work::{Answer, Run, Task, in_worker};
use crate::commands::{Exit, Format};
use flips::Flips;

/// Tell what a change of policy changes.
///
/// A and B are each a folder, a bundle file (`.tar.gz`, as `opa build` writes it) or a revision of the
/// repository around this folder: `REV` (the same folder there), `REV:SUBDIR` (from the repository's
/// top) or `REV:./SUBDIR`. Where a folder and a revision have one name, write `./NAME` or `NAME:./`.
///
/// What counts is meaning: rules, defaults and entry points of Rego, policies, templates, links,
/// entities and schemas of Cedar, data, manifest and tests. Comments, layout and the order of files
/// do not count. A changed helper says which entry rules it reaches. With --matrix every sample peer
/// asks every sample request of both, and the decisions that differ are listed.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(in crate::commands) struct Args {
    /// What was: a folder, a bundle file or a revision
    #[arg(value_name = "A")]
    a: String,
    /// What is: a folder, a bundle file or a revision
    #[arg(value_name = "B", default_value = ".")]
    b: String,
    /// List the decisions that differ, too
    #[arg(long)]
    matrix: bool,
    #[command(flatten)]
    samples: SampleArgs,
    /// Exit with 1 where there is a difference
    #[arg(long)]
    exit_code: bool,
    /// How differences are printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

const AFTER_HELP: &str = "\
Exit code: 0 both were read (with --exit-code: and they say the same), 1 with --exit-code: they
           differ, 2 A or B cannot be read or does not load

Examples:
  portreeve policy diff main                          # the folder here against its last state in main
  portreeve policy diff HEAD~3:policies policies/ --matrix
  portreeve policy diff bundle-1.tar.gz bundle-2.tar.gz --exit-code
  portreeve policy diff main HEAD --matrix --peer spiffe://example.org/web --route 'GET /orders'";

/// Both sides, read.
pub(super) struct Sides {
    pub(super) a: Side,
    pub(super) b: Side,
}

/// One bundle of both sides; one that is on one side only has no files on the other.
pub(super) struct Pair {
    /// The bundle's folder with its slash; empty for the folder itself.
    prefix_a: String,
    prefix_b: String,
    a: Option<Files>,
    b: Option<Files>,
}

/// What became of a bundle.
pub(super) struct Compared {
    pub(super) pair: Pair,
    pub(super) changes: Vec<Change>,
    pub(super) notes: Vec<String>,
    pub(super) flips: Option<Flips>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (text, exit) = answer(args, Path::new("."), in_worker)?;
    stdout().lock().write_all(&text)?;
    Ok(exit)
}

/// What is printed, and how the command ends, asked from a folder.
fn answer(args: &Args, here: &Path, run: Run) -> anyhow::Result<(Vec<u8>, Exit)> {
    if args.samples.is_given() && !args.matrix {
        bail!("peers and requests are asked with --matrix only");
    }
    let given = args.samples.read()?;
    let sides = Sides { a: Side::read(&args.a, here)?, b: Side::read(&args.b, here)? };
    let mut all = Vec::new();
    for pair in pairs(&sides)? {
        match compared(pair, &sides, args.matrix.then_some(&given), run)? {
            Some(compared) => all.push(compared),
            None => return Ok((Vec::new(), Exit::CouldNotRun)),
        }
    }
    let mut text = Vec::new();
    match args.format {
        Format::Pretty => print::pretty(&mut text, &sides, &all)?,
        Format::Json => print::json(&mut text, &sides, &all)?,
    }
    let differs = all.iter().any(Compared::differs);
    Ok((text, if args.exit_code && differs { Exit::No } else { Exit::Good }))
}

/// Compares one bundle; `None` after findings were printed.
fn compared(
    pair: Pair,
    sides: &Sides,
    given: Option<&Samples>,
    run: Run,
) -> anyhow::Result<Option<Compared>> {
    let a = outlined(pair.a.as_ref(), run, |file| sides.a.place(&pair.at_a(file)))?;
    let b = outlined(pair.b.as_ref(), run, |file| sides.b.place(&pair.at_b(file)))?;
    let (Some(a), Some(b)) = (a, b) else { return Ok(None) };
    let flips = match given.map(|given| flips::of(&pair, sides, given, run)).transpose()? {
        Some(None) => return Ok(None),
        flips => flips.flatten(),
    };
    let note = |side: &Side, note: String| format!("{}: {note}", side.label);
    let notes_a = a.notes.into_iter().map(|text| note(&sides.a, text));
    let notes = notes_a.chain(b.notes.into_iter().map(|text| note(&sides.b, text))).collect();
    Ok(Some(Compared { changes: compare(&a.items, &b.items), pair, notes, flips }))
}

/// The bundles of both sides by their folders; where each side is one bundle, they are compared
/// wherever they stand.
fn pairs(sides: &Sides) -> anyhow::Result<Vec<Pair>> {
    let of = |side: &Side| {
        let found = bundles(&side.files)
            .with_context(|| format!("failed to read the bundles of `{}`", side.label))?;
        let found = found.into_iter().map(|bundle| (bundle.prefix, bundle.files));
        anyhow::Ok(found.collect::<BTreeMap<String, Files>>())
    };
    let (mut of_a, mut of_b) = (of(&sides.a)?, of(&sides.b)?);
    if of_a.len() == 1
        && of_b.len() == 1
        && let (Some((prefix_a, a)), Some((prefix_b, b))) = (of_a.pop_first(), of_b.pop_first())
    {
        return Ok(vec![Pair { prefix_a, prefix_b, a: Some(a), b: Some(b) }]);
    }
    let mut pairs = Vec::new();
    for (prefix, a) in of_a {
        let b = of_b.remove(&prefix);
        pairs.push(Pair { prefix_a: prefix.clone(), prefix_b: prefix, a: Some(a), b });
    }
    pairs.extend(of_b.into_iter().map(|(prefix, b)| Pair {
        prefix_a: prefix.clone(),
        prefix_b: prefix,
        a: None,
        b: Some(b),
    }));
    pairs.sort_by(|x, y| x.prefix_b.cmp(&y.prefix_b));
    Ok(pairs)
}

/// What a bundle says, listed by a worker; `None` after its findings were printed.
fn outlined(
    files: Option<&Files>,
    run: Run,
    place: impl Fn(&str) -> String,
) -> anyhow::Result<Option<Outline>> {
    let Some(files) = files else { return Ok(Some(Outline::default())) };
    match run(&Task::Outline, files, guard()) {
        Ok(Answer::Outlined(outline)) => Ok(Some(*outline)),
        Ok(Answer::DoesNotLoad { findings, .. }) => refuse(findings, place).map(|()| None),
        Ok(_) => bail!("the answer is to another task"),
        Err(failure) if failure.is_by_policy() => {
            refuse(Findings(vec![failure.finding("the comparison")]), place).map(|()| None)
        }
        Err(failure) => Err(failure).context("failed to read the policy in a worker"),
    }
}

impl Pair {
    fn at_a(&self, file: &str) -> String {
        format!("{}{file}", self.prefix_a)
    }

    fn at_b(&self, file: &str) -> String {
        format!("{}{file}", self.prefix_b)
    }
}

impl Compared {
    /// What stands in another file and says what it said is no difference.
    fn differs(&self) -> bool {
        self.changes.iter().any(|change| change.how != How::Moved)
            || self.flips.as_ref().is_some_and(|flips| !flips.flipped.is_empty())
    }
}

#[cfg(test)]
mod tests;
