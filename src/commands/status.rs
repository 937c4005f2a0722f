//! `portreeve status`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use portreeve_core::Timestamp;
use portreeve_core::policy::Ways;

use super::policy::report::counted;
use super::{Exit, Format, callers};
use crate::admin::{self, PartState, SourceTrouble, Status};
use crate::config;

/// Say how a running sidecar is
///
/// Asks its admin socket: whether it is ready and what is missing, its identity and for how long,
/// the policy commit that decides and when its source was last read, the log, the listeners.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Args {
    #[command(flatten)]
    admin: AdminArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

const AFTER_HELP: &str = "\
The sidecar is found by --admin or PORTREEVE_ADMIN, then by --config, then in /var/lib/portreeve.
Exit code: 0 ready, 1 not ready, 2 no sidecar answers

Examples:
  portreeve status -c portreeve.yaml
  portreeve status --format json | jq .policy.commit";

/// How a command finds the running sidecar.
#[derive(Debug, clap::Args)]
pub(super) struct AdminArgs {
    /// The admin socket of the sidecar
    #[arg(long, value_name = "SOCKET", env = "PORTREEVE_ADMIN")]
    admin: Option<PathBuf>,
    /// The sidecar's configuration file, which names the socket
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl AdminArgs {
    /// `--admin`, `PORTREEVE_ADMIN`, then that of the configuration, then that of its defaults.
    pub(super) fn socket(&self) -> anyhow::Result<PathBuf> {
        match (&self.admin, &self.config) {
            (Some(socket), _) => Ok(socket.clone()),
            (None, Some(path)) => {
                let config = config::load(path, &|name| std::env::var(name).ok())?;
                Ok(config.admin.socket)
            }
            (None, None) => Ok(admin::default_socket(Path::new(config::DEFAULT_STATE_DIR))),
        }
    }
}

impl AdminArgs {
    fn names_one(&self) -> bool {
        self.admin.is_some() || self.config.is_some()
    }
}

pub(super) fn run(args: Args) -> anyhow::Result<Exit> {
    let socket = args.admin.socket()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(admin::client::get(&socket, "/status"));
    let answer = match args.admin.names_one() {
        true => answer?,
        false => answer.context(
            "no sidecar is named by -c FILE or --admin SOCKET, and none is in the default place",
        )?,
    };
    let status: Status = serde_json::from_value(answer.clone())
        .context("the sidecar is of another version: its status has another form")?;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => writeln!(out, "{answer}")?,
        Format::Pretty => write!(out, "{}", in_words(&status))?,
    }
    Ok(if status.readiness.is_ready() { Exit::Good } else { Exit::No })
}

fn in_words(status: &Status) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let age = |at: Timestamp| span(status.now.unix_seconds() - at.unix_seconds());
    let state = match status.readiness.state() {
        PartState::Ready => "ready",
        PartState::Degraded => "ready, degraded",
        PartState::NotReady => "NOT ready",
    };
    let Status { service, version, .. } = status;
    line("sidecar", format!("{service}: {state}; version {version}, up {}", age(status.started)));
    for part in status.readiness.parts.iter().filter(|part| part.state != PartState::Ready) {
        let (name, state) = (&part.name, part.state.as_str());
        line("  part", format!("{name} {state}: {} ({})", part.text, part.reason));
    }
    match &status.identity {
        None => line("identity", "none yet".to_owned()),
        Some(identity) => {
            let left = identity.not_after.unix_seconds() - status.now.unix_seconds();
            let left = if left > 0 { format!("{} left", span(left)) } else { "EXPIRED".to_owned() };
            line("identity", format!("{}, {left}", identity.spiffe_id));
            line("  trusts", identity.trust_domains.join(", "));
        }
    }
    let source = &status.identity_source;
    let heard = source.last_answer.map_or("never".to_owned(), |at| format!("{} ago", age(at)));
    line("  source", format!("{}, last heard {heard}", source.source));
    if let Some(SourceTrouble { reason, text, since }) = &source.trouble {
        // Where it is why a part is not ready, it has been said above.
        let is_told = status.readiness.parts.iter().any(|part| part.text == *text);
        let text = if is_told { String::new() } else { format!(": {text}") };
        line("  trouble", format!("for {}{text} ({reason})", age(*since)));
    }
    for (name, text) in &source.unusable_bundles {
        line("  unusable", format!("{name}: {text}"));
    }
    if let Some(jwt) = &status.jwt_bundles {
        let keys = jwt.keys.iter().map(|(name, keys)| format!("{name} ({keys})"));
        let keys = keys.collect::<Vec<_>>().join(", ");
        line("jwt keys", format!("{keys}; updated {} ago", age(jwt.updated)));
    }
    if status.blocked > 0 {
        line("  blocked", format!("{}; `portreeve block --list` shows them", status.blocked));
    }
    policy(status, &mut line);
    let log = &status.log;
    let (next, queued, lost) = (log.sequence, log.queue_length, log.lost);
    let numbers = format!("next record {next}, {queued} queued, {lost} lost");
    line("log", format!("{}, {}; {numbers}", log.target, log.durability));
    if let Some(error) = &log.last_error {
        line("  error", error.clone());
    }
    for listener in &status.listeners {
        let admin::ListenerStatus { name, address, mode, callers, audience, connections } =
            listener;
        let callers = callers::in_words(callers, audience);
        let connections = counted(*connections, "connection");
        line("listener", format!("{name} on {address}, {callers}, {mode}, {connections}"));
    }
    if let Some(address) = &status.health {
        line("health", format!("probes and metrics on http://{address}"));
    }
    text
}

fn policy(status: &Status, line: &mut impl FnMut(&str, String)) {
    let Some(policy) = &status.policy else {
        return line("policy", "none yet".to_owned());
    };
    let age = |at: Timestamp| span(status.now.unix_seconds() - at.unix_seconds());
    let commit: String = policy.commit.chars().take(12).collect();
    let (active, read) = (age(policy.activated), age(policy.last_success));
    let source = &policy.source;
    line("policy", format!("{commit} of {source}, active for {active}, read {read} ago"));
    let Ways { native, interpreter, always, .. } = &*policy.ways;
    line("  ways", format!("{native} native, {interpreter} interpreter, {always} always"));
    if let Some(error) = &policy.last_error {
        line("  refused", error.clone());
    }
}

/// The two largest units: `3d 4h`, `47m 2s`.
fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let (minutes, rest) = (seconds / 60 % 60, seconds % 60);
    match () {
        () if days > 0 => format!("{days}d {hours}h"),
        () if hours > 0 => format!("{hours}h {minutes}m"),
        () if minutes > 0 => format!("{minutes}m {rest}s"),
        () => format!("{rest}s"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::admin::{
        IdentitySourceStatus, IdentityStatus, JwtStatus, LogStatus, Part, PolicyStatus, Readiness,
    };

    fn sample() -> Status {
        let at = Timestamp::from_unix_seconds;
        Status {
            version: "0.1.0".to_owned(),
            service: "orders".to_owned(),
            started: at(0),
            now: at(100_000),
            readiness: Readiness { parts: vec![Part::ready("identity")] },
            identity: Some(IdentityStatus {
                spiffe_id: "spiffe://td/orders".to_owned(),
                not_before: at(99_222),
                not_after: at(102_822),
                updated: at(99_000),
                trust_domains: vec!["td".to_owned()],
            }),
            identity_source: IdentitySourceStatus {
                source: "Workload API at `/api.sock`".to_owned(),
                last_answer: Some(at(99_000)),
                ..IdentitySourceStatus::default()
            },
            jwt_bundles: Some(JwtStatus {
                updated: at(99_000),
                keys: BTreeMap::from([("td".to_owned(), 2)]),
            }),
            blocked: 0,
            policy: Some(PolicyStatus {
                source: "/srv/policy".to_owned(),
                commit: "4f1c2d3e4f1c2d3e".to_owned(),
                digest: "sha256:0".to_owned(),
                activated: at(90_000),
                last_success: at(99_990),
                last_error: None,
                ways: Arc::new(Ways { native: 3, interpreter: 1, always: 0, policies: vec![] }),
            }),
            log: LogStatus {
                target: "/log".to_owned(),
                durability: "written".to_owned(),
                sequence: 7,
                queue_length: 0,
                lost: 0,
                last_error: None,
            },
            listeners: vec![],
            health: Some("127.0.0.1:9090".to_owned()),
        }
    }

    #[track_caller]
    fn check(status: &Status, expected: Expect) {
        expected.assert_eq(&in_words(status));
    }

    #[test]
    fn a_ready_sidecar_is_told_in_a_few_lines() {
        check(
            &sample(),
            expect![[r#"
                sidecar    orders: ready; version 0.1.0, up 1d 3h
                identity   spiffe://td/orders, 47m 2s left
                  trusts   td
                  source   Workload API at `/api.sock`, last heard 16m 40s ago
                jwt keys   td (2); updated 16m 40s ago
                policy     4f1c2d3e4f1c of /srv/policy, active for 2h 46m, read 10s ago
                  ways     3 native, 1 interpreter, 0 always
                log        /log, written; next record 7, 0 queued, 0 lost
                health     probes and metrics on http://127.0.0.1:9090
            "#]],
        );
    }

    #[test]
    fn what_keeps_it_from_being_ready_is_told_first() {
        let mut status = sample();
        status.identity = None;
        status.policy = None;
        let part = Part::not_ready("identity", "identity.unavailable", "no SVID yet");
        status.readiness.parts.insert(0, part);
        check(
            &status,
            expect![[r#"
                sidecar    orders: NOT ready; version 0.1.0, up 1d 3h
                  part     identity not_ready: no SVID yet (identity.unavailable)
                identity   none yet
                  source   Workload API at `/api.sock`, last heard 16m 40s ago
                jwt keys   td (2); updated 16m 40s ago
                policy     none yet
                log        /log, written; next record 7, 0 queued, 0 lost
                health     probes and metrics on http://127.0.0.1:9090
            "#]],
        );
    }

    #[test]
    fn a_trouble_that_a_part_tells_is_told_once_and_a_listener_says_who_may_call() {
        let mut status = sample();
        let text = "the files cannot be used: no key".to_owned();
        let part = Part::degraded("identity", "identity.update_rejected", text.clone());
        status.readiness.parts = vec![part];
        let (reason, since) = ("identity.update_rejected".to_owned(), status.now);
        status.identity_source.trouble = Some(SourceTrouble { reason, text: text.clone(), since });
        status.listeners = vec![admin::ListenerStatus {
            name: "public".to_owned(),
            address: "[::]:8443".to_owned(),
            mode: "enforce".to_owned(),
            callers: "jwt".to_owned(),
            audience: vec!["orders".to_owned()],
            connections: 1,
        }];
        let words = in_words(&status);
        assert_eq!(words.matches(&text).count(), 1, "{words}");
        assert!(words.contains("  trouble  for 0s (identity.update_rejected)\n"), "{words}");
        let listener =
            "public on [::]:8443, callers by JWT-SVID for `orders`, enforce, 1 connection\n";
        assert!(words.contains(listener), "{words}");
        status.readiness.parts.clear();
        assert!(
            in_words(&status).contains("  trouble  for 0s: the files cannot be used: no key (")
        );
    }

    #[test]
    fn a_status_survives_its_json() {
        let status = sample();
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!(json["now"], "1970-01-02T03:46:40.000000Z");
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status);
    }

    #[test]
    fn nobody_on_the_socket_is_an_error_and_not_a_no() {
        let dir = tempfile::tempdir().unwrap();
        let socket = Some(dir.path().join("admin.sock"));
        let admin = AdminArgs { admin: socket, config: None };
        let error = run(Args { admin, format: Format::Json }).unwrap_err();
        assert!(error.to_string().starts_with("no sidecar answers on `"), "{error}");
    }
}
