//! `portreeve config …`.

use super::Exit;

/// Work with the configuration file.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a configuration file and report every error at once.
    Check,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check => anyhow::bail!("not built yet"),
    }
}
