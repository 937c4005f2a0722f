//! From the file to each stage's `Settings`; every check that needs more than one field is here or in
//! the module of its section.

use std::path::Path;
use std::time::Duration;

use portreeve_core::request::Enforcement;

use super::check::Check;
use super::place::At;
use super::quote::quoted;
use super::{Config, identity_source, listeners, policy, raw, upstreams};
use crate::{admin, audit, telemetry};

const DEFAULT_ROTATE_BYTES: u64 = 64 << 20;

/// The configuration, or `None` where something that it cannot do without was refused.
pub(super) fn config(
    check: &mut Check<'_>,
    file: &raw::File,
    env: &dyn Fn(&str) -> Option<String>,
) -> Option<Config> {
    let root = At::root();
    let state_dir = check.path(&root.key("state_dir"), &file.state_dir);
    let upstreams = upstreams::upstreams(check, &file.upstreams);
    let listeners = listeners::listeners(check, file);
    let identity = identity_source::identity(check, &file.identity, env);
    let identity_timeout = identity_source::timeout(check, &file.identity);
    let takes_tokens = listeners.iter().any(|listener| listener.callers.proof.takes_tokens());
    if let Some(identity) = identity.as_ref().filter(|_| takes_tokens) {
        identity_source::check_keys(check, &identity.source);
    }
    let policy = policy::policy(check, &file.policy, &state_dir);
    let log = log(check, &file.log, &state_dir);
    let health = health(check, &file.health, &file.listeners);
    let admin = admin_socket(check, &file.admin, &state_dir);
    let telemetry = telemetry(check, &file.telemetry);
    let drain = Duration::ZERO..=Duration::from_secs(3_600);
    let at = root.key("limits").key("drain_timeout");
    let drain_timeout = check.duration(&at, &file.limits.drain_timeout, drain);
    let mut config = Config {
        service: file.service.as_str().into(),
        state_dir,
        identity: identity?,
        identity_timeout,
        listeners,
        upstreams,
        policy: policy?,
        log,
        health,
        admin,
        telemetry,
        drain_timeout,
        digest: String::new(),
        overrides: Vec::new(),
        warnings: Vec::new(),
    };
    config.warnings = warnings(&config);
    Some(config)
}

fn log(check: &mut Check<'_>, raw: &raw::Log, state_dir: &Path) -> audit::Settings {
    let at = At::root().key("log");
    let target = match (&raw.dir, raw.stdout) {
        (Some(_), true) => {
            check.refuse(&at.key("stdout"), "`dir` and `stdout` exclude each other");
            audit::Target::Stdout
        }
        (None, true) => audit::Target::Stdout,
        (Some(dir), false) => audit::Target::Dir(check.path(&at.key("dir"), dir)),
        (None, false) => audit::Target::Dir(state_dir.join("log")),
    };
    if raw.stdout {
        let files_only = [
            ("rotate_bytes", raw.rotate_bytes.is_some()),
            ("keep_files", raw.keep_files.is_some()),
        ];
        for (key, _) in files_only.into_iter().filter(|(_, is_given)| *is_given) {
            check.refuse(&at.key(key), "is only for `log.dir`");
        }
        if raw.durability == raw::Durability::Synced {
            check.refuse(&at.key("durability"), "standard output cannot be `synced`");
        }
    }
    let rotate_bytes = raw.rotate_bytes.as_ref().map_or(DEFAULT_ROTATE_BYTES, |size| {
        check.size(&at.key("rotate_bytes"), size, 64 << 10..=64 << 30)
    });
    audit::Settings {
        target,
        durability: match raw.durability {
            raw::Durability::Queued => audit::Durability::Queued,
            raw::Durability::Written => audit::Durability::Written,
            raw::Durability::Synced => audit::Durability::Synced,
        },
        on_failure: match raw.on_failure {
            raw::OnFailure::Deny => audit::OnFailure::Deny,
            raw::OnFailure::Drop => audit::OnFailure::Drop,
        },
        end_records: raw.end_records,
        rotate_bytes,
        keep_files: raw.keep_files.map(|files| files as usize),
    }
}

fn health(
    check: &mut Check<'_>,
    raw: &raw::Health,
    listeners: &[raw::Listener],
) -> admin::HealthSettings {
    let at = At::root().key("health").key("address");
    let address = raw.address.as_ref().and_then(|address| check.address(&at, address));
    let is_taken = |address: &std::net::SocketAddr| {
        address.port() != 0
            && listeners.iter().any(|l| l.address.as_str().parse().as_ref() == Ok(address))
    };
    if let Some(address) = address.filter(is_taken) {
        check.refuse(&at, format!("`{address}` is a listener's address"));
    }
    admin::HealthSettings { address }
}

fn admin_socket(check: &mut Check<'_>, raw: &raw::Admin, state_dir: &Path) -> admin::Settings {
    let at = At::root().key("admin").key("socket");
    let socket = match &raw.socket {
        Some(socket) => check.socket(&at, socket.as_str()),
        None => {
            let socket = admin::default_socket(state_dir);
            check.socket_length(&at, &socket);
            socket
        }
    };
    admin::Settings { socket }
}

fn telemetry(check: &mut Check<'_>, raw: &raw::Telemetry) -> telemetry::Settings {
    let settings = telemetry::Settings {
        level: raw.level.clone(),
        format: match raw.format {
            raw::TelemetryFormat::Text => telemetry::Format::Text,
            raw::TelemetryFormat::Json => telemetry::Format::Json,
        },
    };
    if let Err(error) = telemetry::check_level(&settings.level) {
        let at = At::root().key("telemetry").key("level");
        let message = format!("{} is not a log level: {error}", quoted(&raw.level));
        check.refuse_with(&at, message, "write `info` or `info,portreeve::store=debug`");
    }
    settings
}

/// What is allowed and still worth saying at every start.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    for listener in &config.listeners {
        if listener.mode != Enforcement::Enforce {
            let name = &listener.name;
            warnings
                .push(format!("listener `{name}` only shadows: what policy denies is forwarded"));
        }
    }
    if let crate::loader::Source::Git { url, .. } = &config.policy.source
        && ["https://", "ssh://"].iter().any(|remote| url.starts_with(remote))
    {
        warnings.push("nobody verifies policy commits: whoever can push decides".to_owned());
    }
    if config.log.on_failure == audit::OnFailure::Drop {
        warnings.push("requests go on when their record is lost (`log.on_failure`)".to_owned());
    }
    if config.log.durability == audit::Durability::Queued {
        warnings
            .push("records in the queue are lost if the process dies (`log.durability`)".into());
    }
    warnings
}
