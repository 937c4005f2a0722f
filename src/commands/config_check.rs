//! `portreeve config …`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use portreeve_core::request::{Enforcement, Relaxed};
use serde_json::json;

use super::policy::report::counted;
use super::{Exit, Format, callers};
use crate::config::{self, Config, LoadError};
use crate::loader::Source;
use crate::{audit, forward, identity, store};

/// Work with the configuration file.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check a configuration file and report every error at once.
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(
        short,
        long,
        value_name = "FILE",
        env = "PORTREEVE_CONFIG",
        default_value = "portreeve.yaml"
    )]
    config: PathBuf,
    #[arg(long, value_enum, default_value = "pretty")]
    format: Format,
}

pub(super) fn run(command: Command) -> anyhow::Result<Exit> {
    let Command::Check(Check { config: path, format }) = command;
    let outcome = config::load(&path, &|name| std::env::var(name).ok());
    let names: Vec<String> =
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let unknown = config::unknown_variables(names.iter().map(String::as_str));
    let mut out = std::io::stdout().lock();
    match (outcome, format) {
        (Err(error @ LoadError::Read { .. }), _) => Err(error.into()),
        (Err(LoadError::Invalid { errors, .. }), Format::Pretty) => {
            writeln!(out, "{}", errors.in_file(&path))?;
            Ok(Exit::No)
        }
        (Err(LoadError::Invalid { errors, .. }), Format::Json) => {
            let answer = json!({ "file": path, "valid": false, "errors": errors.as_slice() });
            writeln!(out, "{answer}")?;
            Ok(Exit::No)
        }
        (Ok(config), Format::Pretty) => {
            write!(out, "{} is good\n\n{}", path.display(), summary(&config))?;
            for name in unknown {
                writeln!(out, "warning    the variable {name} means nothing")?;
            }
            Ok(Exit::Good)
        }
        (Ok(config), Format::Json) => {
            let overrides = config
                .overrides
                .iter()
                .map(|o| json!({ "variable": o.variable, "field": o.field, "value": o.value }));
            let answer = json!({
                "file": path,
                "valid": true,
                "errors": [],
                "warnings": config.warnings,
                "overrides": overrides.collect::<Vec<_>>(),
                "unknown_variables": unknown,
            });
            writeln!(out, "{answer}")?;
            Ok(Exit::Good)
        }
    }
}

/// What the sidecar would do with this configuration, in a few lines.
fn summary(config: &Config) -> String {
    let mut text = String::new();
    let source = match &config.identity.source {
        identity::Source::WorkloadApi { socket } => format!("Workload API at {}", socket.display()),
        identity::Source::Files(files) => {
            let (domains, certificate) = (files.bundles.len(), files.certificate.display());
            let bundles = counted(domains, "bundle");
            format!("{certificate} and {bundles} of trust domains")
        }
    };
    let mut line = |name: &str, value: String| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "{name:<10} {value}");
    };
    line("service", config.service.to_string());
    line("identity", source);
    for listener in &config.listeners {
        let mode = match listener.mode {
            Enforcement::Enforce => "enforced",
            Enforcement::Shadow | Enforcement::Probe => "NOT enforced",
        };
        let proof = &listener.callers;
        let callers = callers::in_words(callers::code(proof.proof), &proof.audience);
        line("listener", format!("{} on {}, {callers}, {mode}", listener.name, listener.address));
        for route in &listener.routes {
            line("  route", route_in_words(route));
        }
    }
    for upstream in &config.upstreams {
        let address = match &upstream.address {
            forward::UpstreamAddress::Unix(path) => format!("unix:{}", path.display()),
            forward::UpstreamAddress::Tcp(address) => address.to_string(),
        };
        let protocol = match upstream.protocol {
            forward::UpstreamProtocol::H1 => "HTTP/1.1",
            forward::UpstreamProtocol::H2 => "HTTP/2",
        };
        let mtls = upstream.mtls.as_ref();
        let mtls = mtls.map_or(String::new(), |expected| format!(", mTLS to {expected}"));
        line("upstream", format!("{} at {address}, {protocol}{mtls}", upstream.name));
    }
    line("policy", policy_in_words(&config.policy));
    line("log", log_in_words(&config.log));
    let health = config.health.address.map_or("off".to_owned(), |address| address.to_string());
    line("health", health);
    line("admin", config.admin.socket.display().to_string());
    for o in &config.overrides {
        line("override", format!("{} = {} (from {})", o.field, o.value, o.variable));
    }
    for warning in &config.warnings {
        line("warning", warning.clone());
    }
    text
}

fn route_in_words(route: &forward::RouteSettings) -> String {
    let forward::RouteSettings { name, hosts, path, methods, upstream, relaxed } = route;
    let any = |list: String| if list.is_empty() { "*".to_owned() } else { list };
    let methods: Vec<&str> = methods.iter().map(http::Method::as_str).collect();
    let path = path.as_deref().unwrap_or("/*");
    let kept = match kept_in_words(*relaxed) {
        kept if kept.is_empty() => kept,
        kept => format!(", keeps {kept}"),
    };
    let (methods, hosts) = (any(methods.join("|")), any(hosts.join("|")));
    format!("{name}: {methods} {hosts}{path} -> {upstream}{kept}")
}

fn kept_in_words(relaxed: Relaxed) -> String {
    let Relaxed { encoded_slashes, empty_segments, underscore_headers, forwarded_headers } =
        relaxed;
    let kept = [
        (encoded_slashes, "encoded slashes"),
        (empty_segments, "empty segments"),
        (underscore_headers, "underscore headers"),
        (forwarded_headers, "forwarded headers"),
    ];
    let kept = kept.into_iter().filter(|(is_kept, _)| *is_kept).map(|(_, what)| what);
    kept.collect::<Vec<_>>().join(", ")
}

fn policy_in_words(policy: &store::Settings) -> String {
    let every = policy.interval.as_millis();
    match &policy.source {
        Source::Git { url, reference, subdir, .. } => {
            let root = if subdir.is_empty() { "" } else { "/" };
            format!("{url} at {reference}{root}{subdir}, every {every} ms, commits not verified")
        }
        Source::Dir(path) => format!("{}, every {every} ms", path.display()),
    }
}

fn log_in_words(log: &audit::Settings) -> String {
    let target = match &log.target {
        audit::Target::Dir(path) => path.display().to_string(),
        audit::Target::Stdout => "standard output".to_owned(),
    };
    let durability = match log.durability {
        audit::Durability::Queued => "queued",
        audit::Durability::Written => "written",
        audit::Durability::Synced => "synced",
    };
    let on_failure = match log.on_failure {
        audit::OnFailure::Deny => "denied",
        audit::OnFailure::Drop => "NOT denied",
    };
    format!("{target}, {durability} before forwarding, {on_failure} when it fails")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::expect;

    use super::*;

    #[test]
    fn the_summary_says_what_the_file_would_do() {
        let text = include_str!("../config/testdata/whole.yaml");
        let env = |name: &str| (name == "PORTREEVE_POLICY_REF").then(|| "canary".to_owned());
        let config = config::parse(text, Path::new("/etc/portreeve"), &env).unwrap();
        expect![[r#"
            service    orders
            identity   Workload API at /run/spire/agent.sock
            listener   public on [::]:8443, callers by either X.509-SVID (mTLS) or JWT-SVID for `spiffe://prod.example.org/ns/shop/sa/orders` or `orders`, NOT enforced
              route    order: GET|PUT shop.example.org|*.shop.example.org|shop.example.org:8443/orders/{id} -> grpc
              route    files: * */files/{rest...} -> app
              route    default: * */* -> app
            upstream   app at unix:/run/app.sock, HTTP/1.1
            upstream   grpc at 127.0.0.1:9000, HTTP/2
            upstream   billing at 10.0.0.7:8443, HTTP/2, mTLS to `spiffe://prod.example.org/ns/shop/sa/billing`
            policy     ssh://git@git.example.org/policy.git at canary/policies/shop, every 60000 ms, commits not verified
            log        /log, synced before forwarding, NOT denied when it fails
            health     0.0.0.0:9090
            admin      /run/portreeve/admin.sock
            override   policy.ref = canary (from PORTREEVE_POLICY_REF)
            warning    listener `public` only shadows: what policy denies is forwarded
            warning    nobody verifies policy commits: whoever can push decides
            warning    requests go on when their record is lost (`log.on_failure`)
        "#]].assert_eq(&summary(&config));
    }

    #[test]
    fn a_finding_and_an_unreadable_file_exit_differently() {
        let dir = tempfile::tempdir().unwrap();
        let check = |file: &str, format| {
            run(Command::Check(Check { config: dir.path().join(file), format }))
        };
        std::fs::write(dir.path().join("bad.yaml"), "version: 2\n").unwrap();
        std::fs::write(dir.path().join("good.yaml"), include_str!("../config/testdata/whole.yaml"))
            .unwrap();
        for format in [Format::Pretty, Format::Json] {
            assert_eq!(check("bad.yaml", format).unwrap(), Exit::No);
            assert_eq!(check("good.yaml", format).unwrap(), Exit::Good);
            assert!(check("none.yaml", format).is_err());
        }
    }
}
