mod file;
mod identity_section;
mod meaning;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use expect_test::{Expect, expect, expect_file};

use super::*;

/// The smallest file that is good.
const GOOD: &str = "\
version: 1
service: orders
identity:
  socket: unix:///run/spire/agent.sock
listeners:
  - name: public
    address: 0.0.0.0:8443
upstreams:
  - name: app
    address: unix:/run/app.sock
policy:
  source:
    dir: policies
";

fn no_env(_: &str) -> Option<String> {
    None
}

fn read(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, Path::new("/etc/portreeve"), &no_env)
}

#[track_caller]
fn check_refused(text: &str, expected: Expect) {
    match read(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(errors) => expected.assert_eq(&errors.to_string()),
    }
}

/// The good file with one part replaced.
#[track_caller]
fn check_change(from: &str, to: &str, expected: Expect) {
    assert!(GOOD.contains(from), "the good file has no {from:?}");
    check_refused(&GOOD.replacen(from, to, 1), expected);
}

#[track_caller]
fn check_addition(addition: &str, expected: Expect) {
    check_refused(&format!("{GOOD}{addition}\n"), expected);
}

#[test]
fn the_smallest_file_is_whole_by_its_defaults() {
    let config = read(GOOD).unwrap();
    assert_eq!(&*config.service, "orders");
    assert_eq!(config.state_dir, Path::new("/var/lib/portreeve"));
    assert_eq!(config.admin.socket, Path::new("/var/lib/portreeve/admin.sock"));
    let identity::Source::WorkloadApi { socket } = &config.identity.source else {
        panic!("{:?}", config.identity)
    };
    assert_eq!(socket, Path::new("/run/spire/agent.sock"));
    let [listener] = &config.listeners[..] else { panic!("one listener") };
    assert_eq!(listener.mode, portreeve_core::request::Enforcement::Enforce);
    let [route] = &listener.routes[..] else { panic!("the default route") };
    assert_eq!((&*route.name, &*route.upstream), ("default", "app"));
    assert_eq!(listener.limits.handshake_timeout, listen::Limits::default().handshake_timeout);
    assert_eq!(listener.limits.header_bytes, listen::Limits::default().header_bytes);
    assert_eq!(config.policy.source, crate::loader::Source::Dir("/etc/portreeve/policies".into()));
    assert_eq!(config.policy.interval, Duration::from_secs(30));
    assert_eq!(config.policy.directory, Path::new("/var/lib/portreeve/store"));
    assert_eq!(config.log.target, audit::Target::Dir("/var/lib/portreeve/log".into()));
    assert_eq!(config.log.durability, audit::Durability::Written);
    assert_eq!(config.log.on_failure, audit::OnFailure::Deny);
    assert_eq!(config.health.address, None);
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn every_field_reaches_its_stage() {
    let config = read(include_str!("../testdata/whole.yaml")).unwrap();
    expect_file!["../testdata/whole.txt"].assert_debug_eq(&config);
}

#[test]
fn the_environment_replaces_a_short_list_of_fields() {
    let variables = BTreeMap::from([
        ("PORTREEVE_STATE_DIR", "/s"),
        ("PORTREEVE_HEALTH_ADDRESS", "127.0.0.1:9"),
        ("PORTREEVE_TELEMETRY_LEVEL", ""),
    ]);
    let env = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let config = parse(GOOD, Path::new("/"), &env).unwrap();
    assert_eq!(config.admin.socket, Path::new("/s/admin.sock"));
    assert_eq!(config.health.address, Some("127.0.0.1:9".parse().unwrap()));
    let fields: Vec<_> = config.overrides.iter().map(|o| (o.variable, o.field.as_str())).collect();
    let expected =
        [("PORTREEVE_STATE_DIR", "state_dir"), ("PORTREEVE_HEALTH_ADDRESS", "health.address")];
    assert_eq!(fields, expected);
}

#[test]
fn an_error_of_the_environment_names_the_variable() {
    let env = |name: &str| (name == "PORTREEVE_HEALTH_ADDRESS").then(|| "nine".to_owned());
    let errors = parse(GOOD, Path::new("/"), &env).unwrap_err();
    expect!["PORTREEVE_HEALTH_ADDRESS: health.address: `nine` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"].assert_eq(&errors.to_string());
}

#[test]
fn the_workload_socket_may_come_from_the_standard_variable() {
    let without = GOOD.replace("identity:\n  socket: unix:///run/spire/agent.sock\n", "");
    check_refused(
        &without,
        expect![
            "portreeve.yaml:1:1: identity.socket: missing; write the Workload API's socket, or set `SPIFFE_ENDPOINT_SOCKET`"
        ],
    );
    let env = |name: &str| (name == "SPIFFE_ENDPOINT_SOCKET").then(|| "unix:///a.sock".to_owned());
    let config = parse(&without, Path::new("/"), &env).unwrap();
    let identity::Source::WorkloadApi { socket } = &config.identity.source else {
        panic!("{:?}", config.identity)
    };
    assert_eq!(socket, Path::new("/a.sock"));
}

#[test]
fn a_misspelt_variable_is_told() {
    let names = ["PORTREEVE_STATEDIR", "PORTREEVE_STATE_DIR", "PORTREEVE_ADMIN", "HOME"];
    assert_eq!(unknown_variables(names), ["PORTREEVE_STATEDIR"]);
}

#[test]
fn what_weakens_the_sidecar_is_warned_about() {
    let text = GOOD.replace("name: public", "name: public\n    mode: shadow");
    let config = read(&format!("{text}log: {{ on_failure: drop, durability: queued }}\n")).unwrap();
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
}

#[test]
fn a_file_that_is_not_there_is_another_error_than_a_bad_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("portreeve.yaml");
    assert!(matches!(load(&path, &no_env), Err(LoadError::Read { .. })));
    std::fs::write(&path, "version: 1\n").unwrap();
    assert!(matches!(load(&path, &no_env), Err(LoadError::Invalid { .. })));
    std::fs::write(&path, GOOD).unwrap();
    let config = load(&path, &no_env).unwrap();
    assert_eq!(config.policy.source, crate::loader::Source::Dir(dir.path().join("policies")));
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let schema = serde_json::to_string_pretty(&schema()).unwrap();
    expect_file!["../../../schemas/config.json"].assert_eq(&format!("{schema}\n"));
}

#[test]
fn the_published_reference_is_that_of_the_types() {
    expect_file!["../../../docs/configuration.md"].assert_eq(&reference());
}

#[test]
fn the_example_of_the_reference_is_good() {
    let page = reference();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(read(example).is_ok(), "{:?}", read(example));
}
