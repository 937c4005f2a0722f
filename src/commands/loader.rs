//! `portreeve loader`.

use super::Exit;

/// The child process that reads foreign bytes (internal).
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args {} = args;
    anyhow::bail!("not built yet")
}
