//! `portreeve conformance`.

use super::Exit;

/// Run a suite of conformance cases through the product's own code.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
