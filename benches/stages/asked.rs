//! Decisions as often as they are asked for, so that who asks can count or time a part of them.

use std::hint::black_box;
use std::io::BufRead as _;
use std::path::Path;

use portreeve_core::policy::{Outcome, decide as decided};
use portreeve_core::request::AccessRequest;

use super::{bundle, say};

/// Under valgrind the first decisions can take longer than the engine allows.
const FIRST_TRIES: usize = 20;

/// Says `ready` once a decision is the expected one; then decides as often as each line of standard
/// input says, and says `done` after each.
pub(crate) fn decide(
    folder: &Path,
    request: &AccessRequest,
    expected: Outcome,
) -> anyhow::Result<()> {
    let bundle = bundle::load(folder)?;
    let mut decision = decided(&bundle, request);
    for _ in 0..FIRST_TRIES {
        if decision.outcome != expected {
            decision = decided(&bundle, request);
        }
    }
    anyhow::ensure!(decision.outcome == expected, "{decision:?}");
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let mut is_expected = true;
        for _ in 0..line?.trim().parse::<u32>()? {
            decision = decided(&bundle, black_box(request));
            is_expected &= decision.outcome == expected;
        }
        anyhow::ensure!(is_expected, "{decision:?}");
        say("done")?;
    }
    Ok(())
}
