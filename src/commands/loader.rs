//! `portreeve loader`.

use std::io::{IsTerminal as _, stdin};

use super::{Exit, policy};
use crate::loader;

/// The child process that reads foreign bytes (internal).
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    role: Role,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Role {
    /// Starts a worker per request.
    Keeper,
    /// Looks at the source once.
    Fetch,
    /// Loads and tries one candidate.
    Check,
    /// Does one task of `portreeve policy`.
    Policy,
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { role } = args;
    if stdin().is_terminal() {
        anyhow::bail!(
            "`portreeve loader` is started by `portreeve run` and speaks frames over its standard \
             input: it is nothing to run by hand"
        );
    }
    match role {
        Role::Keeper => loader::keeper()?,
        Role::Fetch => loader::fetch()?,
        Role::Check => loader::check()?,
        Role::Policy => policy::work::serve()?,
    }
    Ok(Exit::Good)
}
