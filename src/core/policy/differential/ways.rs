//! Every input by the meaning and by each way.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::decide::Verdict;
use super::super::{Outcome, Reason};
use super::evidence::{Difference, Evidence};
use super::inputs::{Generator, Input};

/// How often a difference must come back.
const AGAIN: usize = 3;

/// A way of deciding; `None` where an input is not its kind.
pub(super) struct Way<'a> {
    pub(super) name: &'static str,
    pub(super) decide: &'a dyn Fn(&Input) -> Option<Verdict>,
}

/// Decides the inputs of these numbers; the meaning decides all of them.
pub(super) fn run(
    generator: &Generator<'_>,
    meaning: &dyn Fn(&Input) -> Option<Verdict>,
    ways: &[Way<'_>],
    seed: u64,
    inputs: Range<usize>,
) -> Evidence {
    let mut evidence = Evidence::new(seed);
    for number in inputs {
        let Some(input) = generator.input(number) else { continue };
        let Some(expected) = caught(meaning, &input) else { continue };
        evidence.count(&input, expected.outcome);
        for way in ways {
            let Some(seen) = caught(way.decide, &input) else { continue };
            evidence.compared += 1;
            if seen != expected && differs_again(meaning, way, &input) {
                evidence.add(|| Difference::new(number, way.name, &input, &expected, &seen));
            }
        }
    }
    evidence
}

/// Time limits go by the clock on the wall: what a starved thread said once is no difference.
fn differs_again(
    meaning: &dyn Fn(&Input) -> Option<Verdict>,
    way: &Way<'_>,
    input: &Input,
) -> bool {
    (0..AGAIN).all(|_| caught(meaning, input) != caught(way.decide, input))
}

/// A panic is a verdict, as it is in `decide`.
fn caught(decide: &dyn Fn(&Input) -> Option<Verdict>, input: &Input) -> Option<Verdict> {
    catch_unwind(AssertUnwindSafe(|| decide(input)))
        .unwrap_or_else(|_| Some(Verdict::of(Outcome::Error, Reason::EnginePanic)))
}
