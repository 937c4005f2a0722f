//! `portreeve dev …`.

use super::Exit;

/// Tools for development; never for production.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Serve the SPIFFE Workload API from an embedded trust domain.
    WorkloadApi,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::WorkloadApi => anyhow::bail!("not built yet"),
    }
}
