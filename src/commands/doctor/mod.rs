//! `portreeve doctor`: looks at everything that a sidecar needs and says what to do about the rest.
//!
//! A configuration enters; one finding per check leaves. Each check looks by the code that the sidecar
//! itself uses, leaves everything as it was, and says nothing secret.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use super::policy::report::{counted, printable};
use super::{Exit, Format};
use crate::clock::Clock;
use crate::config::{self, Config, LoadError};
use crate::loader::THIS_PROGRAM;

mod identity;
mod places;
mod policy;
mod upstreams;
#[cfg(test)]
mod tests;

/// Look at everything that a sidecar needs, and say what to do
///
/// Checks the configuration, the identity source and the SVID that it gives, the trust bundles, the
/// clock, the policy source, the log's directory (where it makes a file and removes it), a running
/// sidecar's readiness, and whether the service can be reached past the sidecar. Where a listener
/// takes JWT-SVIDs, their keys too. Each finding is one line, with what to do below it where there is
/// something to do. Nothing else is changed, and no key is printed.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = "portreeve.yaml")]
    #[arg(env = "PORTREEVE_CONFIG")]
    config: PathBuf,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Pretty)]
    format: Format,
}

const AFTER_HELP: &str = "\
Run it as the sidecar's user: what another user may do says nothing.
FAIL: the sidecar does not serve like this, or its service is reached past it. warn: it serves, and
somebody should look, or something could not be looked at. skip: another check failed first.
Exit code: 0 nothing failed, 1 a check failed, 2 it could not run

Examples:
  portreeve doctor -c portreeve.yaml
  portreeve doctor --format json | jq -r '.checks[] | select(.state == \"fail\").to_do'";

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// It works, and somebody should look.
    Warn,
    /// The sidecar does not serve like this, or is walked past.
    Fail,
    /// Not looked at, because another check has failed: that one says what to do.
    Skip,
}

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    state: State,
    found: String,
    /// `null` where there is nothing to do.
    to_do: Option<String>,
}

impl Check {
    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state: State::Ok, found: found.into(), to_do: None }
    }

    fn warn(name: &str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { state: State::Warn, to_do: Some(to_do.into()), ..Self::ok(name, found) }
    }

    fn fail(name: &str, found: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { state: State::Fail, to_do: Some(to_do.into()), ..Self::ok(name, found) }
    }

    fn skip(name: &str, found: impl Into<String>) -> Self {
        Self { state: State::Skip, ..Self::ok(name, found) }
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { config: path, format } = args;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let checks = match config::load(&path, &|name| std::env::var(name).ok()) {
        Ok(config) => runtime.block_on(all(&config, &Clock::system(), THIS_PROGRAM)),
        Err(error @ LoadError::Read { .. }) => return Err(error.into()),
        Err(LoadError::Invalid { path, errors }) => {
            let count = errors.as_slice().len();
            let text = errors.in_file(&path).to_string();
            vec![Check::fail("configuration", counted(count, "error"), text.trim_end())]
        }
    };
    print(&checks, format, &mut io::stdout().lock())?;
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { Exit::No } else { Exit::Good })
}

/// Every check of a good configuration.
async fn all(config: &Config, clock: &Clock, program: &str) -> Vec<Check> {
    let mut checks = vec![configuration(config)];
    let takes_tokens = config.listeners.iter().any(|l| l.callers.proof.takes_tokens());
    let (identity, log) = (&config.identity, &config.log.target);
    checks.extend(identity::checks(identity, takes_tokens, log, clock).await);
    checks.extend(policy::checks(&config.policy, program.as_ref()).await);
    checks.push(places::log(&config.log));
    checks.push(places::sidecar(&config.admin.socket).await);
    let listeners: Vec<_> = config.listeners.iter().map(|listener| listener.address).collect();
    for upstream in &config.upstreams {
        checks.extend(upstreams::checks(upstream, &listeners).await);
    }
    checks
}

fn configuration(config: &Config) -> Check {
    let found = format!("good, for the service `{}`", config.service);
    if config.warnings.is_empty() {
        return Check::ok("configuration", found);
    }
    let to_do = config.warnings.join("\n");
    Check::warn("configuration", format!("{found}, with warnings"), to_do)
}

fn print(checks: &[Check], format: Format, out: &mut impl Write) -> anyhow::Result<()> {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let (warned, failed) = (count(State::Warn), count(State::Fail));
    if format == Format::Json {
        let answer = serde_json::json!({ "ok": failed == 0, "checks": checks });
        writeln!(out, "{answer}")?;
        return Ok(());
    }
    for Check { name, state, found, to_do } in checks {
        let state = match state {
            State::Ok => "ok  ",
            State::Warn => "warn",
            State::Fail => "FAIL",
            State::Skip => "skip",
        };
        writeln!(out, "{state} {}: {}", printable(name), printable(found))?;
        for line in to_do.iter().flat_map(|text| text.lines()) {
            writeln!(out, "       {}", printable(line))?;
        }
    }
    let (all, skipped) = (checks.len(), count(State::Skip));
    let (all, warnings) = (counted(all, "check"), counted(warned, "warning"));
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    writeln!(out, "\n{all}: {failed} failed, {warnings}{skipped}")?;
    Ok(())
}
