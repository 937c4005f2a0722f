//! `portreeve whoami`.

use super::Exit;

/// Print the identity that the Workload API gives us.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
