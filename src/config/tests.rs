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
    let identity::Source::WorkloadApi { socket } = &config.identity.source;
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
    let config = read(include_str!("testdata/whole.yaml")).unwrap();
    expect_file!["testdata/whole.txt"].assert_debug_eq(&config);
}

#[test]
fn several_errors_of_shape_are_found_at_once() {
    check_refused(
        "\
version: 2
service: [orders]
listeners:
  - name: public
    adress: 0.0.0.0:8443
    mode: enforced
    protocol: tcp
    limits: { streams: 0, idle_timeout: 300 }
upstreams: []
policy:
  source: { git: https://git.example.org/p }
  interval: 30 s
  verify: signers
extra: 1
",
        expect![[r#"
            portreeve.yaml:1:10: version: `2` is not supported; it must be `1`
            portreeve.yaml:2:10: service: expected a name such as `orders`, found a list
            portreeve.yaml:4:5: listeners[0].address: missing; an IP address with a port; port 0 asks the system for one
            portreeve.yaml:5:5: listeners[0].adress: unknown key; did you mean `address`?
            portreeve.yaml:6:11: listeners[0].mode: `enforced` is not one of `enforce`, `shadow`; did you mean `enforce`?
            portreeve.yaml:7:15: listeners[0].protocol: `tcp` is not supported yet; use `http`
            portreeve.yaml:8:24: listeners[0].limits.streams: must be at least 1
            portreeve.yaml:8:41: listeners[0].limits.idle_timeout: expected a duration such as `500ms`, found a number
            portreeve.yaml:9:12: upstreams: needs at least 1 entry
            portreeve.yaml:12:13: policy.interval: `30 s` is not a duration such as `500ms`
            portreeve.yaml:13:11: policy.verify: `signers` is not supported yet; only `none` is, and it must be written out
            portreeve.yaml:14:1: extra: unknown key; known here: version, service, state_dir, identity, listeners, upstreams, policy, log, health, admin, limits, telemetry"#]],
    );
}

#[test]
fn several_errors_of_meaning_are_found_at_once() {
    check_refused(
        "\
version: 1
service: orders
listeners:
  - name: public
    address: :8443
    upstream: ap
    routes:
      - { name: default, path: orders }
      - { name: a, hosts: [Shop.example.org, 'shop.example.org:443', '*'], methods: [get, TRACE] }
      - { name: a, path: '/a/{rest...}/b', upstream: none }
  - name: public
    address: localhost:1
upstreams:
  - { name: app, address: 10.0.0.1:80 }
  - { name: app, address: 'unix:', connect_timeout: 1ms }
policy:
  source: { git: ssh://git@git.example.org/p, dir: x }
  ref: -x
health:
  address: 0.0.0.0
",
        expect![[r#"
            portreeve.yaml:1:1: identity.socket: missing; write the Workload API's socket, or set `SPIFFE_ENDPOINT_SOCKET`
            portreeve.yaml:5:14: listeners[0].address: `:8443` is not an IP address with a port; `0.0.0.0:PORT` is every IPv4 interface, `[::]:PORT` every one
            portreeve.yaml:6:15: listeners[0].upstream: there is no upstream `ap`; did you mean `app`?
            portreeve.yaml:8:17: listeners[0].routes[0].name: the name `default` is reserved; it exists by itself and matches what no other route does
            portreeve.yaml:8:32: listeners[0].routes[0].path: `orders` does not start with `/`
            portreeve.yaml:9:28: listeners[0].routes[1].hosts[0]: `Shop.example.org` is not a canonical host; write `shop.example.org`
            portreeve.yaml:9:46: listeners[0].routes[1].hosts[1]: `shop.example.org:443` is not a canonical host; write `shop.example.org`
            portreeve.yaml:9:70: listeners[0].routes[1].hosts[2]: `*` is not a host; write `shop.example.org` or `*.example.org`
            portreeve.yaml:9:86: listeners[0].routes[1].methods[0]: `get` is in lower case; methods are case-sensitive; write `GET`
            portreeve.yaml:9:91: listeners[0].routes[1].methods[1]: `TRACE` is always refused, so no route can match it
            portreeve.yaml:10:17: listeners[0].routes[2].name: the name `a` stands twice
            portreeve.yaml:10:26: listeners[0].routes[2].path: `{rest...}` may only be the last segment
            portreeve.yaml:10:54: listeners[0].routes[2].upstream: there is no upstream `none`
            portreeve.yaml:11:5: listeners[1].upstream: missing; there are several upstreams; name that of the route `default`
            portreeve.yaml:11:11: listeners[1].name: the name `public` stands twice
            portreeve.yaml:12:14: listeners[1].address: `localhost:1` is not an IP address with a port; write `127.0.0.1:PORT` or `[::1]:PORT`
            portreeve.yaml:14:27: upstreams[0].address: `10.0.0.1:80` is not a loopback address; a sidecar forwards to the service beside it only: `unix:/…`, 127.0.0.1 or [::1]
            portreeve.yaml:15:13: upstreams[1].name: the name `app` stands twice
            portreeve.yaml:15:27: upstreams[1].address: names no socket
            portreeve.yaml:15:53: upstreams[1].connect_timeout: `1ms` is not within 10ms to 1m
            portreeve.yaml:17:11: policy.source: `git` and `dir` exclude each other
            portreeve.yaml:20:12: health.address: `0.0.0.0` is not an IP address with a port; add the port"#]],
    );
}

#[test]
fn yaml_that_hides_something_is_refused() {
    check_change(
        "orders",
        "&a orders",
        expect!["portreeve.yaml:2:13: service: YAML anchors are not allowed"],
    );
    check_refused(
        "version: 1\nservice: &x a\nhealth: *x\n",
        expect![[r#"
        portreeve.yaml:2:13: service: YAML anchors are not allowed
        portreeve.yaml:3:9: health: YAML aliases are not allowed"#]],
    );
    check_change(
        "orders",
        "!!str orders",
        expect!["portreeve.yaml:2:16: service: YAML tags are not allowed"],
    );
    check_addition(
        "service: other",
        expect!["portreeve.yaml:14:1: service: duplicate key; it stands on line 2 already"],
    );
    check_addition(
        "---\nversion: 1",
        expect!["portreeve.yaml:14:1: the file must hold one YAML document only"],
    );
    check_refused(
        "version: 1\n  service: [",
        expect!["portreeve.yaml:2:10: not YAML: mapping values are not allowed in this context"],
    );
    check_refused("- version\n", expect!["portreeve.yaml:1:1: expected a mapping, found a list"]);
    check_refused("orders", expect!["portreeve.yaml:1:1: expected a mapping, found a text"]);
    check_refused(
        "",
        expect![[r#"
            portreeve.yaml:1:1: listeners: missing; where callers connect with mTLS
            portreeve.yaml:1:1: policy: missing; where policy comes from and how often it is looked for
            portreeve.yaml:1:1: service: missing; the name of the service beside the sidecar; policy reads it as `destination.service`
            portreeve.yaml:1:1: upstreams: missing; where permitted requests are forwarded to
            portreeve.yaml:1:1: version: missing; the version of this format"#]],
    );
    check_refused(
        "version: 1\nservice: *x\n",
        expect!["portreeve.yaml:2:10: service: not YAML: while parsing node, found unknown anchor"],
    );
}

#[test]
fn a_bomb_is_refused_before_it_grows() {
    check_refused(
        &format!("version: {}", "[".repeat(100_000)),
        expect!["portreeve.yaml:1:265: version[0]: not YAML: recursion limit exceeded"],
    );
    check_refused(
        &"- ".repeat(100_000),
        expect![
            "portreeve.yaml:1:35: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 16 levels"
        ],
    );
    check_refused(
        &"a: {".repeat(10_000),
        expect![
            "portreeve.yaml:1:68: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: nested deeper than 16 levels"
        ],
    );
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n";
    assert!(read(laughs).is_err());
    let long = vec![b' '; yaml::MAX_FILE_BYTES + 1];
    let errors = yaml::check_text(&long).unwrap_err();
    assert_eq!(errors.as_slice()[0].message, "the file is longer than 1048576 bytes");
    let errors = yaml::check_text(b"a: 1\nb: \xff\n").unwrap_err();
    assert_eq!(errors.as_slice()[0].line, 2);
}

#[test]
fn a_flood_of_errors_is_cut() {
    let keys: String = (0..5_000).map(|n| format!("key{n}: 1\n")).collect();
    let errors = read(&keys).unwrap_err();
    assert_eq!(errors.as_slice().len(), 100);
    assert!(errors.to_string().ends_with(" more"), "{errors}");
}

#[test]
fn a_text_of_the_file_cannot_act_on_a_terminal() {
    let text = "\"\\e[31m\\u202e\": 1\n";
    let errors = read(text).unwrap_err().to_string();
    assert!(!errors.contains(['\u{1b}', '\u{202e}']), "{errors:?}");
}

#[test]
fn what_is_planned_is_refused_by_name() {
    check_addition("pdp: {}", expect!["portreeve.yaml:14:1: pdp: not supported yet"]);
    check_change(
        "dir: policies",
        "bundle: https://x/y.tar.gz",
        expect!["portreeve.yaml:13:5: policy.source.bundle: not supported yet; use `git` or `dir`"],
    );
    check_change(
        "name: public",
        "name: public\n    plaintext: refuse",
        expect![
            "portreeve.yaml:7:5: listeners[0].plaintext: not supported yet; callers without mTLS are always refused"
        ],
    );
    check_change(
        "dir: policies\n",
        "dir: policies\n  max_staleness: {}\n",
        expect!["portreeve.yaml:14:3: policy.max_staleness: not supported yet"],
    );
    check_change(
        "identity:\n",
        "identity:\n  source: files\n",
        expect![
            "portreeve.yaml:4:11: identity.source: `files` is not supported yet; use `workload_api`"
        ],
    );
}

#[test]
fn a_wrong_type_says_what_is_wanted() {
    check_change(
        "service: orders",
        "service: 7",
        expect!["portreeve.yaml:2:10: service: expected a name such as `orders`, found a number"],
    );
    check_change(
        "service: orders",
        "service:",
        expect!["portreeve.yaml:2:1: service: expected a name such as `orders`, found nothing"],
    );
    check_change(
        "service: orders",
        "service: 'two words'",
        expect!["portreeve.yaml:2:10: service: `two words` is not a name such as `orders`"],
    );
    check_addition(
        "log: { stdout: yes }",
        expect!["portreeve.yaml:14:16: log.stdout: expected true or false, found a text"],
    );
    check_addition(
        "log: { keep_files: 1.5 }",
        expect![
            "portreeve.yaml:14:20: log.keep_files: expected a whole number, found a number with a fraction"
        ],
    );
    check_addition(
        "log: files",
        expect!["portreeve.yaml:14:6: log: expected a mapping, found a text"],
    );
    check_addition(
        "limits: { drain_timeout: 30 }",
        expect![
            "portreeve.yaml:14:26: limits.drain_timeout: expected a duration such as `500ms`, found a number"
        ],
    );
    check_addition(
        "log: { rotate_bytes: 64MB }",
        expect!["portreeve.yaml:14:22: log.rotate_bytes: `64MB` is not a size such as `16KiB`"],
    );
    check_addition(
        "telemetry: { format: xml }",
        expect!["portreeve.yaml:14:22: telemetry.format: `xml` is not one of `text`, `json`"],
    );
}

#[test]
fn addresses_and_sockets_are_checked() {
    check_change(
        "0.0.0.0:8443",
        "'8443'",
        expect![
            "portreeve.yaml:7:14: listeners[0].address: `8443` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
        ],
    );
    check_change(
        "0.0.0.0:8443",
        "0.0.0.0:99999",
        expect![
            "portreeve.yaml:7:14: listeners[0].address: `0.0.0.0:99999` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
        ],
    );
    check_change(
        "unix:/run/app.sock",
        "example.org:80",
        expect![
            "portreeve.yaml:10:14: upstreams[0].address: `example.org:80` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
        ],
    );
    check_change(
        "unix:/run/app.sock",
        "127.0.0.1:0",
        expect!["portreeve.yaml:10:14: upstreams[0].address: the port must not be 0"],
    );
    check_change(
        "unix:/run/app.sock",
        &format!("unix:/{}", "x".repeat(107)),
        expect![
            "portreeve.yaml:10:14: upstreams[0].address: the socket's path has 108 bytes, more than the 107 of a Unix socket"
        ],
    );
    check_change(
        "unix:///run/spire/agent.sock",
        "tcp://127.0.0.1:8081",
        expect![
            "portreeve.yaml:4:11: identity.socket: `tcp://127.0.0.1:8081` is not a Unix socket; only `unix:/…` is supported"
        ],
    );
    check_addition(
        "health: { address: '0.0.0.0:8443' }",
        expect!["portreeve.yaml:14:20: health.address: `0.0.0.0:8443` is a listener's address"],
    );
    check_addition(
        &format!("state_dir: /{}", "x".repeat(100)),
        expect![
            "portreeve.yaml:1:1: admin.socket: the socket's path has 112 bytes, more than the 107 of a Unix socket"
        ],
    );
}

#[test]
fn a_loopback_upstream_is_read_and_another_is_refused() {
    for good in ["127.0.0.1:80", "'[::1]:80'", "127.9.9.9:80", "'[::ffff:127.0.0.1]:80'"] {
        assert!(read(&GOOD.replace("unix:/run/app.sock", good)).is_ok(), "{good}");
    }
    for bad in ["10.0.0.1:80", "'[::]:80'", "0.0.0.0:80", "169.254.169.254:80"] {
        let errors = read(&GOOD.replace("unix:/run/app.sock", bad)).unwrap_err().to_string();
        assert!(errors.contains("is not a loopback address"), "{errors}");
    }
}

#[test]
fn a_remote_repository_says_how_it_is_verified() {
    let git = "git: https://git.example.org/p";
    check_change(
        "dir: policies",
        git,
        expect![
            "portreeve.yaml:11:1: policy.verify: missing; write `verify: none` to accept that whoever can push decides"
        ],
    );
    let with_none = GOOD.replace("    dir: policies\n", &format!("    {git}\n  verify: none\n"));
    let config = read(&with_none).unwrap();
    assert_eq!(config.warnings, ["nobody verifies policy commits: whoever can push decides"]);
    assert!(read(&GOOD.replace("dir: policies", "git: file:///srv/p")).is_ok());
    check_change(
        "dir: policies",
        "git: ssh://git@git.example.org/p",
        expect![[r#"
        portreeve.yaml:11:1: policy.known_hosts: missing; a host is never trusted at first sight; `ssh-keyscan HOST` prints its keys
        portreeve.yaml:11:1: policy.verify: missing; write `verify: none` to accept that whoever can push decides"#]],
    );
    check_change(
        "dir: policies",
        "git: https://u:hunter2@git.example.org/p",
        expect![
            "portreeve.yaml:13:10: policy.source.git: holds a user or a password; use `policy.token_file`"
        ],
    );
    check_change(
        "dir: policies\n",
        "dir: policies\n  token_file: t\n  subdir: s\n",
        expect![[r#"
        portreeve.yaml:14:15: policy.token_file: is only for `source.git`
        portreeve.yaml:15:11: policy.subdir: is only for `source.git`"#]],
    );
}

#[test]
fn an_identity_is_picked_by_one_property() {
    let pick = |pick: &str| format!("identity:\n  pick: {{ {pick} }}\n");
    check_change(
        "identity:\n",
        &pick("spiffe_id: 'spiffe://TD/a'"),
        expect![
            "portreeve.yaml:4:22: identity.pick.spiffe_id: `spiffe://TD/a` is not a SPIFFE ID: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)"
        ],
    );
    check_change(
        "identity:\n",
        &pick("hint: a, spiffe_id: 'spiffe://td/a'"),
        expect!["portreeve.yaml:4:9: identity.pick: `hint` and `spiffe_id` exclude each other"],
    );
    check_change(
        "identity:\n",
        &pick(""),
        expect!["portreeve.yaml:4:9: identity.pick: either `hint` or `spiffe_id` must be given"],
    );
    let config = read(&GOOD.replace("identity:\n", &pick("hint: internal"))).unwrap();
    assert_eq!(config.identity.pick, Some(identity::Pick::Hint("internal".to_owned())));
}

#[test]
fn the_log_goes_to_one_place() {
    check_addition(
        "log: { dir: /l, stdout: true }",
        expect!["portreeve.yaml:14:25: log.stdout: `dir` and `stdout` exclude each other"],
    );
    check_addition(
        "log: { stdout: true, durability: synced, keep_files: 3 }",
        expect![[r#"
        portreeve.yaml:14:34: log.durability: standard output cannot be `synced`
        portreeve.yaml:14:54: log.keep_files: is only for `log.dir`"#]],
    );
    let config = read(&format!("{GOOD}log: {{ stdout: true }}\n")).unwrap();
    assert_eq!(config.log.target, audit::Target::Stdout);
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
    let identity::Source::WorkloadApi { socket } = &config.identity.source;
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
    expect_file!["../../schemas/config.json"].assert_eq(&format!("{schema}\n"));
}

#[test]
fn the_published_reference_is_that_of_the_types() {
    expect_file!["../../docs/configuration.md"].assert_eq(&reference());
}

#[test]
fn the_example_of_the_reference_is_good() {
    let page = reference();
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(read(example).is_ok(), "{:?}", read(example));
}
