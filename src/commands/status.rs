//! `portreeve status`.

use super::Exit;

/// Say how a running sidecar is.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
