//! The scene of the benches: an upstream, a trust domain, and callers that ask as fast as they can.
//!
//! `benches/run` starts it; each subcommand stays in the foreground and prints JSON lines.

mod caller;
mod closed_loop;
mod idle;
mod reverify;
mod trust;
mod upstream;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Parser;

/// The trust domain of the scene.
const TRUST_DOMAIN: &str = "bench.test";
/// Who the sidecar and nginx are.
const SERVICE_ID: &str = "spiffe://bench.test/ns/shop/sa/orders";
/// The caller that the bundles of `benches/data` allow.
const CALLER_ID: &str = "spiffe://bench.test/ns/ns6/sa/svc40";

#[derive(Debug, clap::Parser)]
enum Command {
    /// Answers every request with 1 KiB, on a Unix socket (a path) or a TCP address.
    Upstream { listen: String },
    /// Serves the Workload API in a folder and writes PEM files for nginx beside it.
    Trust { folder: PathBuf },
    /// Asks in closed loops, or at a fixed rate, and prints what it saw.
    Run(closed_loop::Args),
    /// Opens connections, asks once on each, and holds them until standard input ends.
    Idle(idle::Args),
    /// Opens connections of many SVIDs, ends a federation, and prints when they were cut.
    Reverify(reverify::Args),
}

fn main() -> anyhow::Result<()> {
    // `cargo bench` runs every bench with this one argument.
    if std::env::args().skip(1).eq(["--bench".to_owned()]) {
        return Ok(writeln!(std::io::stdout(), "started by `benches/run`")?);
    }
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Upstream { listen } => upstream::serve(&listen).await,
            Command::Trust { folder } => trust::serve(&folder).await,
            Command::Run(args) => closed_loop::run(args).await,
            Command::Idle(args) => idle::hold(args).await,
            Command::Reverify(args) => reverify::measure(args).await,
        }
    })
}

/// One line on standard output.
fn say(line: &serde_json::Value) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}
