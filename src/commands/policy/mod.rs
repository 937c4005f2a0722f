//! `portreeve policy …`.

use super::Exit;

/// Check, test and evaluate policies.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a bundle.
    Check,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check => anyhow::bail!("not built yet"),
    }
}
