//! The decisions that differ between two bundles: what a reviewer wants to know.

use portreeve_core::policy::compare::{Matrix, Samples};
use portreeve_core::policy::{Files, Outcome};

use super::{Pair, Sides};
use crate::commands::policy::matrix::{completed, decide, derive};
use crate::commands::policy::work::Run;

/// Both tables of decisions and where they differ.
pub(in crate::commands::policy) struct Flips {
    pub(super) samples: Samples,
    pub(super) a: Matrix,
    pub(super) b: Matrix,
    /// Of both tables: what is allowed now stands first, then what fails, then what is denied.
    pub(super) flipped: Vec<Flip>,
    pub(super) note: Option<String>,
}

pub(super) struct Flip {
    /// The place in the tables.
    pub(super) at: usize,
    pub(super) was: Outcome,
    pub(super) is: Outcome,
}

/// Decides the samples of both bundles under each; `None` after findings were printed, or where one of
/// them is missing there is nothing to compare.
pub(super) fn of(
    pair: &Pair,
    sides: &Sides,
    given: &Samples,
    run: Run,
) -> anyhow::Result<Option<Flips>> {
    let mut derived = Samples::default();
    for files in [&pair.b, &pair.a].into_iter().flatten() {
        derived.add(derive(files, run)?);
    }
    let (samples, note) = completed(given, derived);
    let side_a = |file: &str| sides.a.place(&pair.at_a(file));
    let Some(a) = decided(pair.a.as_ref(), &samples, run, side_a)? else { return Ok(None) };
    let side_b = |file: &str| sides.b.place(&pair.at_b(file));
    let Some(b) = decided(pair.b.as_ref(), &samples, run, side_b)? else { return Ok(None) };
    let cells = a.cells.iter().zip(&b.cells).enumerate();
    let mut flipped: Vec<Flip> = cells
        .filter(|(_, (a, b))| a.outcome != b.outcome)
        .map(|(at, (a, b))| Flip { at, was: a.outcome, is: b.outcome })
        .collect();
    flipped.sort_by_key(|flip| (rank(flip.is), flip.at));
    Ok(Some(Flips { samples, a, b, flipped, note }))
}

/// A bundle that is not there decides nothing.
fn decided(
    files: Option<&Files>,
    samples: &Samples,
    run: Run,
    place: impl Fn(&str) -> String,
) -> anyhow::Result<Option<Matrix>> {
    files.map_or_else(|| Ok(Some(Matrix::default())), |files| decide(files, samples, run, place))
}

const fn rank(word: Outcome) -> u8 {
    match word {
        Outcome::Allow => 0,
        Outcome::Error => 1,
        Outcome::Deny => 2,
    }
}
