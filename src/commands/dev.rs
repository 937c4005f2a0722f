//! `portreeve dev …`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use portreeve_core::spiffe::{SpiffeId, TrustDomain};
use tokio::signal::unix::{SignalKind, signal};

use super::Exit;
use crate::dev::{Access, DEFAULT_TTL, Entry, Settings, WorkloadApi};
use crate::identity::endpoint_path;

const REFUSAL: &str = "\
this Workload API is for development: it gives an identity to whoever runs as a Unix user, and its \
keys protect nothing; say `--insecure-dev` if that is what you want";

/// Tools for development; never for production.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    WorkloadApi(WorkloadApiArgs),
}

/// Serve the SPIFFE Workload API from an embedded trust domain
///
/// It makes a CA in memory, issues SVIDs by Unix user and prints the line that points other
/// processes to it. It runs until SIGINT or SIGTERM.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct WorkloadApiArgs {
    /// Needed: this is not for production
    #[arg(long)]
    insecure_dev: bool,
    /// The name of the trust domain; it must end in `.dev`, `.test` or `.localhost`
    #[arg(long, value_name = "NAME", value_parser = TrustDomain::parse)]
    trust_domain: TrustDomain,
    /// Where to listen: an absolute path or `unix:///path`
    #[arg(long, value_name = "PATH", value_parser = endpoint_path)]
    socket: PathBuf,
    /// How long an SVID holds, such as `30s` or `1h`; it is replaced at half of it
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
    /// Give a Unix user an identity: `spiffe://demo.test/web=uid:1000[,hint:NAME]`; may be repeated
    #[arg(long = "entry", value_name = "ENTRY")]
    entries: Vec<Entry>,
    /// Give everybody who can open the socket an identity; may be repeated
    #[arg(long = "any", value_name = "SPIFFE-ID", value_parser = SpiffeId::parse)]
    any: Vec<SpiffeId>,
    /// Let every user of this machine open the socket (0666), not only this one (0600)
    #[arg(long)]
    all_users: bool,
}

const AFTER_HELP: &str = "\
Exit code: 0 ended by a signal, 2 it cannot serve

Examples:
  portreeve dev workload-api --insecure-dev --trust-domain demo.test \\
    --socket /tmp/api.sock --any spiffe://demo.test/ns/shop/sa/web
  portreeve dev workload-api --insecure-dev --trust-domain demo.test \\
    --socket /tmp/api.sock --entry spiffe://demo.test/web=uid:1000,hint:web --ttl 5m";

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::WorkloadApi(args) => workload_api(args),
    }
}

fn workload_api(args: WorkloadApiArgs) -> anyhow::Result<Exit> {
    if !args.insecure_dev {
        anyhow::bail!(REFUSAL);
    }
    let mut entries = args.entries;
    entries.extend(args.any.into_iter().map(Entry::any));
    if entries.is_empty() {
        anyhow::bail!(
            "nobody would get an identity: add `--any spiffe://{0}/NAME` or \
             `--entry spiffe://{0}/NAME=uid:N`",
            args.trust_domain
        );
    }
    let mut settings = Settings::new(args.trust_domain, args.socket);
    settings.entries = entries;
    settings.ttl = args.ttl.unwrap_or(DEFAULT_TTL);
    settings.access = if args.all_users { Access::Everyone } else { Access::Owner };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(serve(settings))
}

async fn serve(settings: Settings) -> anyhow::Result<Exit> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let trust_domain = settings.trust_domain.clone();
    let api = WorkloadApi::start(settings)?;
    writeln!(io::stderr(), "embedded trust domain `{trust_domain}`, for development only")?;
    writeln!(io::stdout().lock(), "export SPIFFE_ENDPOINT_SOCKET={}", api.endpoint())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    api.shutdown().await;
    Ok(Exit::Good)
}

/// Reads `30s`, `5m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("`{text}` is no duration such as `30s`, `5m` or `1h`");
    let unit = text.chars().next_back().ok_or_else(error)?;
    let count: u64 = text.strip_suffix(unit).unwrap_or_default().parse().map_err(|_| error())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 60 * 60,
        _ => return Err(error()),
    };
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3600)));
        for wrong in ["", "h", "5", "5d", "-1s", "1.5h", "é", "99999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
