//! `portreeve demo`.

use super::Exit;

/// Run everything on one machine: trust domain, service, policy repository, sidecar.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
