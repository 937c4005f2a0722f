//! What a person can run: the only place that wires stages together.
//!
//! Each command is a file: its arguments, one call, what it prints. Results go to standard output,
//! talk goes to standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use policy::report::printable;

mod block;
mod call;
mod callers;
mod config_check;
mod conformance;
mod demo;
mod dev;
mod doctor;
mod explain;
mod loader;
mod log_dir;
mod policy;
pub mod run;
mod shipped;
mod status;
mod tail;
mod version;
mod whoami;

/// How a command ended; the exit codes of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: good.
    Good,
    /// 1: it ran, and the answer is no.
    No,
    /// 2: it could not run (usage, configuration, unreachable).
    CouldNotRun,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
pub enum Format {
    /// For people; may change.
    Pretty,
    /// For machines; does not change.
    Json,
}

/// A policy-as-code zero-trust enforcement sidecar.
///
/// It terminates mTLS beside one service, takes the caller's SPIFFE identity from its X.509-SVID,
/// decides every request by Rego or Cedar policy from a git repository, forwards only what is
/// allowed and records every decision.
#[derive(Debug, Parser)]
#[command(name = "portreeve", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Try it:    portreeve demo
Run it:    portreeve run -c portreeve.yaml
Exit code: 0 good, 1 the answer is no, 2 could not run";

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Run(run::Args),
    #[command(subcommand)]
    Config(config_check::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    Explain(explain::Args),
    Tail(tail::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Block(block::Args),
    Unblock(block::UnblockArgs),
    Whoami(whoami::Args),
    Call(call::Args),
    Conformance(conformance::Args),
    #[command(subcommand)]
    Dev(dev::Command),
    Version(version::Args),
    #[command(hide = true)]
    Loader(loader::Args),
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let exit = dispatch(Cli::parse().command).unwrap_or_else(|error| {
        let _ = complain(&mut io::stderr(), &error);
        Exit::CouldNotRun
    });
    match exit {
        Exit::Good => ExitCode::SUCCESS,
        Exit::No => ExitCode::from(1),
        Exit::CouldNotRun => ExitCode::from(2),
    }
}

/// Prints an error with what caused it. Names of foreign files are in it: each of its lines is escaped.
fn complain(out: &mut impl Write, error: &anyhow::Error) -> io::Result<()> {
    let text = format!("error: {error:#}");
    text.split('\n').try_for_each(|line| writeln!(out, "{}", printable(line)))
}

/// `--socket`, or the variable that clap reads for it.
fn workload_api_address(given: Option<&str>) -> anyhow::Result<&str> {
    given.context("no Workload API is named: set SPIFFE_ENDPOINT_SOCKET or give --socket")
}

fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Run(args) => run::run(args),
        Command::Config(command) => config_check::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Explain(args) => explain::run(args),
        Command::Tail(args) => tail::run(args),
        Command::Status(args) => status::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Block(args) => block::run(args),
        Command::Unblock(args) => block::unblock(args),
        Command::Whoami(args) => whoami::run(args),
        Command::Call(args) => call::run(args),
        Command::Conformance(args) => conformance::run(args),
        Command::Dev(command) => dev::run(command),
        Command::Version(args) => version::run(args),
        Command::Loader(args) => loader::run(args),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[track_caller]
    fn check(error: &anyhow::Error, expected: &str) {
        let mut out = Vec::new();
        complain(&mut out, error).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn an_error_is_printed_escaped_and_keeps_its_own_lines() {
        check(&anyhow!("plain"), "error: plain\n");
        let error = anyhow!("`\u{1b}[2J` is no policy\n  at \u{202e}a\r\tb");
        let expected = "error: failed: `\\u{1b}[2J` is no policy\n  at \\u{202e}a\\u{d}\tb\n";
        check(&error.context("failed"), expected);
    }
}
