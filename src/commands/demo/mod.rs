//! `portreeve demo`: everything on one machine, on loopback, with nothing else to install.
//!
//! `folder` makes a directory (policy repository, configuration), `world` starts what runs in it,
//! `calls` are the shell commands that a person copies, `page` prints them, `script` makes them
//! itself and `judge` compares. It is `portreeve run` with the embedded trust domain and a sample service:
//! nothing in here decides anything.

use std::future::Future;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use self::folder::Folder;
use self::language::Language;
use self::world::World;
use super::{Exit, run as run_command};

mod language;
mod shell;
mod folder;
mod world;
mod calls;
mod page;
mod script;
mod judge;

/// Nobody waits longer for the end of a demo; its own calls take milliseconds.
const DRAIN: Duration = Duration::from_secs(2);

/// Run everything on this machine: trust domain, service, policy repository, sidecar
///
/// It needs no SPIRE and no network, only git. In a directory of its own it makes a git repository
/// of the example policies and a portreeve.yaml, starts an embedded SPIFFE trust domain, a small
/// orders service on a Unix socket and the sidecar in front of it, all on loopback; then it prints
/// what is running and five calls to copy into another terminal. It runs until Ctrl-C and removes
/// its directory.
///
/// With --script it makes the same five calls itself, shows them with their real output, and
/// compares what came back with what should.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// Make the five calls, check what comes back, and end
    #[arg(long)]
    script: bool,
    /// The language of the policies
    #[arg(long, value_enum, default_value_t = Language::Cedar)]
    language: Language,
    /// Work in this directory, new or empty, and leave everything there: log, store, configuration
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

const AFTER_HELP: &str = "\
Exit code: 0 ended by Ctrl-C, or every check passed; 1 a check failed; 2 it could not run

Examples:
  portreeve demo
  portreeve demo --language rego
  portreeve demo --script
  portreeve demo --script --keep /tmp/portreeve-demo";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let program = shell::program()?;
    let folder = Folder::make(args.keep.as_deref())?;
    run_command::runtime()?.block_on(async {
        let mut signals = Signals::listen()?;
        let Some(world) = signals.unless_ended(World::start(folder, args.language)).await else {
            return Ok(interrupted());
        };
        let world = world?;
        let exit = if args.script {
            match signals.unless_ended(script::run(&world, &program)).await {
                Some(exit) => exit,
                None => Ok(interrupted()),
            }
        } else {
            stay(&world, &program, &mut signals).await
        };
        let folder = world.end(DRAIN).await;
        let talk = folder.finish()?;
        writeln!(io::stderr(), "{talk}")?;
        exit
    })
}

/// Prints the page and stays until a person ends it.
async fn stay(world: &World, program: &str, signals: &mut Signals) -> anyhow::Result<Exit> {
    let calls = world.calls(program);
    page::print(&mut io::stdout().lock(), &world.facts(), &calls, program)?;
    signals.unless_ended(std::future::pending::<()>()).await;
    writeln!(io::stderr())?; // behind the terminal's `^C`
    Ok(Exit::Good)
}

fn interrupted() -> Exit {
    let _ = writeln!(io::stderr(), "\ninterrupted");
    Exit::CouldNotRun
}

/// SIGINT and SIGTERM, from the start on: whenever one comes, the directory is still removed.
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("failed to listen to signals");
        let interrupt = listen(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: listen(SignalKind::terminate())? })
    }

    /// What the work gives, or `None` where a signal came first.
    async fn unless_ended<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = self.interrupt.recv() => None,
            _ = self.terminate.recv() => None,
        }
    }
}
