//! `portreeve policy …`: begin, check, test, evaluate, format and compare policies from a folder.
//!
//! Policy from a folder is foreign text: it is loaded and run in a confined process of its own, and
//! whatever it says is printed with its control characters escaped.

pub(super) mod read;
pub(super) mod report;
pub(super) mod test;
mod check;
mod diff;
mod coverage;
mod eval;
mod decided;
mod explain;
pub(in crate::commands) mod fmt;
mod init;
mod github;
mod matrix;
mod revision;
mod watch;
pub(super) mod work;
#[cfg(test)]
mod tests;

use super::Exit;

/// Begin, check, test, evaluate, format and compare policies.
///
/// A bundle is a folder of Rego, Cedar or both, with its data and its tests. These commands read it
/// as the sidecar will and decide with the very same code.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    Check(check::Args),
    Test(test::Args),
    Eval(Box<eval::Args>),
    Fmt(fmt::Args),
    Init(init::Args),
    Diff(diff::Args),
    Matrix(matrix::Args),
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Eval(args) => eval::run(*args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Matrix(args) => matrix::run(&args),
    }
}
