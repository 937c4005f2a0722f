//! `portreeve run`: reads the configuration, builds the sidecar, and keeps it until it is told to end.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;

use super::Exit;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::loader::{SERVING_STACK_BYTES, THIS_PROGRAM};
use crate::telemetry;

pub(in crate::commands) mod faults;
mod feed;
mod identity_steps;
mod listeners;
mod report;
mod trust;
mod control;
mod sidecar;
mod signals;

pub use sidecar::{Drained, Sidecar};

/// Run the sidecar
///
/// It serves once it has an SVID from its identity source and a first policy bundle; until then its
/// listeners accept nothing and /readyz says what is missing.
///
/// SIGTERM or SIGINT drains: readiness off, nothing new is accepted, what is in flight may finish until
/// `drain_timeout`, the log is flushed, exit 0. A second one ends at once. SIGHUP reads the file again,
/// all or nothing, and looks at the policy source.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "portreeve.yaml")]
    config: PathBuf,
    /// End with exit code 2 if there is no SVID after so many seconds; otherwise wait for ever
    #[arg(long, value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86_400))]
    identity_timeout: Option<u64>,
}

const AFTER_HELP: &str = "\
Exit code: 0 ended by a signal, 2 the configuration is wrong, something cannot be started, or
           there is no SVID after the identity's timeout

Examples:
  portreeve run -c portreeve.yaml
  portreeve run -c portreeve.yaml --identity-timeout 60
  portreeve config check -c portreeve.yaml && portreeve run -c portreeve.yaml";

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { config: path, identity_timeout } = args;
    let mut config = match read(&path) {
        Ok(config) => config,
        Err(text) => {
            write!(std::io::stderr().lock(), "{text}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    if let Some(seconds) = identity_timeout {
        config.identity_timeout = Some(Duration::from_secs(seconds));
    }
    telemetry::init(&config.telemetry)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    runtime()?.block_on(signals::keep(path, config))
}

/// The runtime of the serving threads: a policy is checked and evaluated on stacks of one size.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("serve")
        .thread_stack_size(SERVING_STACK_BYTES)
        .build()
        .context("failed to start the serving threads")
}

/// Reads the file; the error is what a person should see, every finding on its line.
fn read(path: &Path) -> Result<Config, String> {
    config::load(path, &|name| std::env::var(name).ok()).map_err(|error| match error {
        config::LoadError::Invalid { path, errors } => errors.in_file(&path).to_string(),
        other @ config::LoadError::Read { .. } => {
            format!("error: {:#}\n", anyhow::Error::new(other))
        }
    })
}

/// Starts a sidecar as `run` does, with this very program as its loader.
pub(super) async fn start(config: Config) -> anyhow::Result<Sidecar> {
    Sidecar::start(config, Clock::system(), Path::new(THIS_PROGRAM)).await
}
