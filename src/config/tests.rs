use crate::loader::Source;
use std::collections::BTreeMap;
use crate::loader::Source;
use std::path::Path;
use crate::loader::Source;
use std::time::Duration;
use crate::loader::Source;

use crate::loader::Source;
use expect_test::{Expect, expect, expect_file};
use crate::loader::Source;

use crate::loader::Source;
use super::*;
use crate::loader::Source;

use crate::loader::Source;
/// The smallest file that is good.
use crate::loader::Source;
const GOOD: &str = "\
use crate::loader::Source;
version: 1
use crate::loader::Source;
service: orders
use crate::loader::Source;
identity:
use crate::loader::Source;
  socket: unix:///run/spire/agent.sock
use crate::loader::Source;
listeners:
use crate::loader::Source;
  - name: public
use crate::loader::Source;
    address: 0.0.0.0:8443
use crate::loader::Source;
upstreams:
use crate::loader::Source;
  - name: app
use crate::loader::Source;
    address: unix:/run/app.sock
use crate::loader::Source;
policy:
use crate::loader::Source;
  source:
use crate::loader::Source;
    dir: policies
use crate::loader::Source;
";
use crate::loader::Source;

use crate::loader::Source;
fn no_env(_: &str) -> Option<String> {
use crate::loader::Source;
    None
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
fn read(text: &str) -> Result<Config, ConfigErrors> {
use crate::loader::Source;
    parse(text, Path::new("/etc/portreeve"), &no_env)
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[track_caller]
use crate::loader::Source;
fn check_refused(text: &str, expected: Expect) {
use crate::loader::Source;
    match read(text) {
use crate::loader::Source;
        Ok(_) => panic!("accepted:\n{text}"),
use crate::loader::Source;
        Err(errors) => expected.assert_eq(&errors.to_string()),
use crate::loader::Source;
    }
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
/// The good file with one part replaced.
use crate::loader::Source;
#[track_caller]
use crate::loader::Source;
fn check_change(from: &str, to: &str, expected: Expect) {
use crate::loader::Source;
    assert!(GOOD.contains(from), "the good file has no {from:?}");
use crate::loader::Source;
    check_refused(&GOOD.replacen(from, to, 1), expected);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[track_caller]
use crate::loader::Source;
fn check_addition(addition: &str, expected: Expect) {
use crate::loader::Source;
    check_refused(&format!("{GOOD}{addition}\n"), expected);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_smallest_file_is_whole_by_its_defaults() {
use crate::loader::Source;
    let config = read(GOOD).unwrap();
use crate::loader::Source;
    assert_eq!(&*config.service, "orders");
use crate::loader::Source;
    assert_eq!(config.state_dir, Path::new("/var/lib/portreeve"));
use crate::loader::Source;
    assert_eq!(config.admin.socket, Path::new("/var/lib/portreeve/admin.sock"));
use crate::loader::Source;
    let identity::Source::WorkloadApi { socket } = &config.identity.source;
use crate::loader::Source;
    assert_eq!(socket, Path::new("/run/spire/agent.sock"));
use crate::loader::Source;
    let [listener] = &config.listeners[..] else { panic!("one listener") };
use crate::loader::Source;
    assert_eq!(listener.mode, portreeve_core::request::Enforcement::Enforce);
use crate::loader::Source;
    let [route] = &listener.routes[..] else { panic!("the default route") };
use crate::loader::Source;
    assert_eq!((&*route.name, &*route.upstream), ("default", "app"));
use crate::loader::Source;
    assert_eq!(listener.limits.handshake_timeout, listen::Limits::default().handshake_timeout);
use crate::loader::Source;
    assert_eq!(listener.limits.header_bytes, listen::Limits::default().header_bytes);
use crate::loader::Source;
    assert_eq!(config.policy.source, Source::Dir("/etc/portreeve/policies".into()));
use crate::loader::Source;
    assert_eq!(config.policy.interval, Duration::from_secs(30));
use crate::loader::Source;
    assert_eq!(config.policy.directory, Path::new("/var/lib/portreeve/store"));
use crate::loader::Source;
    assert_eq!(config.log.target, audit::Target::Dir("/var/lib/portreeve/log".into()));
use crate::loader::Source;
    assert_eq!(config.log.durability, audit::Durability::Written);
use crate::loader::Source;
    assert_eq!(config.log.on_failure, audit::OnFailure::Deny);
use crate::loader::Source;
    assert_eq!(config.health.address, None);
use crate::loader::Source;
    assert_eq!(config.drain_timeout, Duration::from_secs(30));
use crate::loader::Source;
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn every_field_reaches_its_stage() {
use crate::loader::Source;
    let config = read(include_str!("testdata/whole.yaml")).unwrap();
use crate::loader::Source;
    expect_file!["testdata/whole.txt"].assert_debug_eq(&config);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn several_errors_of_shape_are_found_at_once() {
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "\
use crate::loader::Source;
version: 2
use crate::loader::Source;
service: [orders]
use crate::loader::Source;
listeners:
use crate::loader::Source;
  - name: public
use crate::loader::Source;
    adress: 0.0.0.0:8443
use crate::loader::Source;
    mode: enforced
use crate::loader::Source;
    protocol: tcp
use crate::loader::Source;
    limits: { streams: 0, idle_timeout: 300 }
use crate::loader::Source;
upstreams: []
use crate::loader::Source;
policy:
use crate::loader::Source;
  source: { git: https://git.example.org/p }
use crate::loader::Source;
  interval: 30 s
use crate::loader::Source;
  verify: signers
use crate::loader::Source;
extra: 1
use crate::loader::Source;
",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
            portreeve.yaml:1:10: version: `2` is not supported; it must be `1`
use crate::loader::Source;
            portreeve.yaml:2:10: service: expected a name such as `orders`, found a list
use crate::loader::Source;
            portreeve.yaml:4:5: listeners[0].address: missing; an IP address with a port; port 0 asks the system for one
use crate::loader::Source;
            portreeve.yaml:5:5: listeners[0].adress: unknown key; did you mean `address`?
use crate::loader::Source;
            portreeve.yaml:6:11: listeners[0].mode: `enforced` is not one of `enforce`, `shadow`; did you mean `enforce`?
use crate::loader::Source;
            portreeve.yaml:7:15: listeners[0].protocol: `tcp` is not supported yet; use `http`
use crate::loader::Source;
            portreeve.yaml:8:24: listeners[0].limits.streams: must be at least 1
use crate::loader::Source;
            portreeve.yaml:8:41: listeners[0].limits.idle_timeout: expected a duration such as `500ms`, found a number
use crate::loader::Source;
            portreeve.yaml:9:12: upstreams: needs at least 1 entry
use crate::loader::Source;
            portreeve.yaml:12:13: policy.interval: `30 s` is not a duration such as `500ms`
use crate::loader::Source;
            portreeve.yaml:13:11: policy.verify: `signers` is not supported yet; only `none` is, and it must be written out
use crate::loader::Source;
            portreeve.yaml:14:1: extra: unknown key; known here: version, service, state_dir, identity, listeners, upstreams, policy, log, health, admin, limits, telemetry"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn several_errors_of_meaning_are_found_at_once() {
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "\
use crate::loader::Source;
version: 1
use crate::loader::Source;
service: orders
use crate::loader::Source;
listeners:
use crate::loader::Source;
  - name: public
use crate::loader::Source;
    address: :8443
use crate::loader::Source;
    upstream: ap
use crate::loader::Source;
    routes:
use crate::loader::Source;
      - { name: default, path: orders }
use crate::loader::Source;
      - { name: a, hosts: [Shop.example.org, 'shop.example.org:443', '*'], methods: [get, TRACE] }
use crate::loader::Source;
      - { name: a, path: '/a/{rest...}/b', upstream: none }
use crate::loader::Source;
  - name: public
use crate::loader::Source;
    address: localhost:1
use crate::loader::Source;
upstreams:
use crate::loader::Source;
  - { name: app, address: 10.0.0.1:80 }
use crate::loader::Source;
  - { name: app, address: 'unix:', connect_timeout: 1ms }
use crate::loader::Source;
policy:
use crate::loader::Source;
  source: { git: ssh://git@git.example.org/p, dir: x }
use crate::loader::Source;
  ref: -x
use crate::loader::Source;
health:
use crate::loader::Source;
  address: 0.0.0.0
use crate::loader::Source;
",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
            portreeve.yaml:1:1: identity.socket: missing; write the Workload API's socket, or set `SPIFFE_ENDPOINT_SOCKET`
use crate::loader::Source;
            portreeve.yaml:5:14: listeners[0].address: `:8443` is not an IP address with a port; `0.0.0.0:PORT` is every IPv4 interface, `[::]:PORT` every one
use crate::loader::Source;
            portreeve.yaml:6:15: listeners[0].upstream: there is no upstream `ap`; did you mean `app`?
use crate::loader::Source;
            portreeve.yaml:8:17: listeners[0].routes[0].name: the name `default` is reserved; it exists by itself and matches what no other route does
use crate::loader::Source;
            portreeve.yaml:8:32: listeners[0].routes[0].path: `orders` does not start with `/`
use crate::loader::Source;
            portreeve.yaml:9:28: listeners[0].routes[1].hosts[0]: `Shop.example.org` is not a canonical host; write `shop.example.org`
use crate::loader::Source;
            portreeve.yaml:9:46: listeners[0].routes[1].hosts[1]: `shop.example.org:443` is not a canonical host; write `shop.example.org`
use crate::loader::Source;
            portreeve.yaml:9:70: listeners[0].routes[1].hosts[2]: `*` is not a host; write `shop.example.org` or `*.example.org`
use crate::loader::Source;
            portreeve.yaml:9:86: listeners[0].routes[1].methods[0]: `get` is in lower case; methods are case-sensitive; write `GET`
use crate::loader::Source;
            portreeve.yaml:9:91: listeners[0].routes[1].methods[1]: `TRACE` is always refused, so no route can match it
use crate::loader::Source;
            portreeve.yaml:10:17: listeners[0].routes[2].name: the name `a` stands twice
use crate::loader::Source;
            portreeve.yaml:10:26: listeners[0].routes[2].path: `{rest...}` may only be the last segment
use crate::loader::Source;
            portreeve.yaml:10:54: listeners[0].routes[2].upstream: there is no upstream `none`
use crate::loader::Source;
            portreeve.yaml:11:5: listeners[1].upstream: missing; there are several upstreams; name that of the route `default`
use crate::loader::Source;
            portreeve.yaml:11:11: listeners[1].name: the name `public` stands twice
use crate::loader::Source;
            portreeve.yaml:12:14: listeners[1].address: `localhost:1` is not an IP address with a port; write `127.0.0.1:PORT` or `[::1]:PORT`
use crate::loader::Source;
            portreeve.yaml:14:27: upstreams[0].address: `10.0.0.1:80` is not a loopback address; a sidecar forwards to the service beside it only: `unix:/…`, 127.0.0.1 or [::1]
use crate::loader::Source;
            portreeve.yaml:15:13: upstreams[1].name: the name `app` stands twice
use crate::loader::Source;
            portreeve.yaml:15:27: upstreams[1].address: names no socket
use crate::loader::Source;
            portreeve.yaml:15:53: upstreams[1].connect_timeout: `1ms` is not within 10ms to 1m
use crate::loader::Source;
            portreeve.yaml:17:11: policy.source: `git` and `dir` exclude each other
use crate::loader::Source;
            portreeve.yaml:20:12: health.address: `0.0.0.0` is not an IP address with a port; add the port"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn yaml_that_hides_something_is_refused() {
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "orders",
use crate::loader::Source;
        "&a orders",
use crate::loader::Source;
        expect!["portreeve.yaml:2:13: service: YAML anchors are not allowed"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "version: 1\nservice: &x a\nhealth: *x\n",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
        portreeve.yaml:2:13: service: YAML anchors are not allowed
use crate::loader::Source;
        portreeve.yaml:3:9: health: YAML aliases are not allowed"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "orders",
use crate::loader::Source;
        "!!str orders",
use crate::loader::Source;
        expect!["portreeve.yaml:2:16: service: YAML tags are not allowed"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "service: other",
use crate::loader::Source;
        expect!["portreeve.yaml:14:1: service: duplicate key; it stands on line 2 already"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "---\nversion: 1",
use crate::loader::Source;
        expect!["portreeve.yaml:14:1: the file must hold one YAML document only"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "version: 1\n  service: [",
use crate::loader::Source;
        expect!["portreeve.yaml:2:10: not YAML: mapping values are not allowed in this context"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused("- version\n", expect!["portreeve.yaml:1:1: expected a mapping, found a list"]);
use crate::loader::Source;
    check_refused("orders", expect!["portreeve.yaml:1:1: expected a mapping, found a text"]);
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
            portreeve.yaml:1:1: listeners: missing; where callers connect with mTLS
use crate::loader::Source;
            portreeve.yaml:1:1: policy: missing; where policy comes from and how often it is looked for
use crate::loader::Source;
            portreeve.yaml:1:1: service: missing; the name of the service beside the sidecar; policy reads it as `destination.service`
use crate::loader::Source;
            portreeve.yaml:1:1: upstreams: missing; where permitted requests are forwarded to
use crate::loader::Source;
            portreeve.yaml:1:1: version: missing; the version of this format"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        "version: 1\nservice: *x\n",
use crate::loader::Source;
        expect!["portreeve.yaml:2:10: service: not YAML: while parsing node, found unknown anchor"],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_bomb_is_refused_before_it_grows() {
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        &format!("version: {}", "[".repeat(100_000)),
use crate::loader::Source;
        expect!["portreeve.yaml:1:265: version[0]: not YAML: recursion limit exceeded"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        &"- ".repeat(100_000),
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:1:35: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 16 levels"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        &"a: {".repeat(10_000),
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:1:68: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a: nested deeper than 16 levels"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n";
use crate::loader::Source;
    assert!(read(laughs).is_err());
use crate::loader::Source;
    let long = vec![b' '; yaml::MAX_FILE_BYTES + 1];
use crate::loader::Source;
    let errors = yaml::check_text(&long).unwrap_err();
use crate::loader::Source;
    assert_eq!(errors.as_slice()[0].message, "the file is longer than 1048576 bytes");
use crate::loader::Source;
    let errors = yaml::check_text(b"a: 1\nb: \xff\n").unwrap_err();
use crate::loader::Source;
    assert_eq!(errors.as_slice()[0].line, 2);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_flood_of_errors_is_cut() {
use crate::loader::Source;
    let keys: String = (0..5_000).map(|n| format!("key{n}: 1\n")).collect();
use crate::loader::Source;
    let errors = read(&keys).unwrap_err();
use crate::loader::Source;
    assert_eq!(errors.as_slice().len(), 100);
use crate::loader::Source;
    assert!(errors.to_string().ends_with(" more"), "{errors}");
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_text_of_the_file_cannot_act_on_a_terminal() {
use crate::loader::Source;
    let text = "\"\\e[31m\\u202e\": 1\n";
use crate::loader::Source;
    let errors = read(text).unwrap_err().to_string();
use crate::loader::Source;
    assert!(!errors.contains(['\u{1b}', '\u{202e}']), "{errors:?}");
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn what_is_planned_is_refused_by_name() {
use crate::loader::Source;
    check_addition("pdp: {}", expect!["portreeve.yaml:14:1: pdp: not supported yet"]);
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies",
use crate::loader::Source;
        "bundle: https://x/y.tar.gz",
use crate::loader::Source;
        expect!["portreeve.yaml:13:5: policy.source.bundle: not supported yet; use `git` or `dir`"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "name: public",
use crate::loader::Source;
        "name: public\n    plaintext: refuse",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:7:5: listeners[0].plaintext: not supported yet; callers without mTLS are always refused"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies\n",
use crate::loader::Source;
        "dir: policies\n  max_staleness: {}\n",
use crate::loader::Source;
        expect!["portreeve.yaml:14:3: policy.max_staleness: not supported yet"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "identity:\n",
use crate::loader::Source;
        "identity:\n  source: files\n",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:4:11: identity.source: `files` is not supported yet; use `workload_api`"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_wrong_type_says_what_is_wanted() {
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "service: orders",
use crate::loader::Source;
        "service: 7",
use crate::loader::Source;
        expect!["portreeve.yaml:2:10: service: expected a name such as `orders`, found a number"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "service: orders",
use crate::loader::Source;
        "service:",
use crate::loader::Source;
        expect!["portreeve.yaml:2:1: service: expected a name such as `orders`, found nothing"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "service: orders",
use crate::loader::Source;
        "service: 'two words'",
use crate::loader::Source;
        expect!["portreeve.yaml:2:10: service: `two words` is not a name such as `orders`"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: { stdout: yes }",
use crate::loader::Source;
        expect!["portreeve.yaml:14:16: log.stdout: expected true or false, found a text"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: { keep_files: 1.5 }",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:14:20: log.keep_files: expected a whole number, found a number with a fraction"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: files",
use crate::loader::Source;
        expect!["portreeve.yaml:14:6: log: expected a mapping, found a text"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "limits: { drain_timeout: 30 }",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:14:26: limits.drain_timeout: expected a duration such as `500ms`, found a number"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: { rotate_bytes: 64MB }",
use crate::loader::Source;
        expect!["portreeve.yaml:14:22: log.rotate_bytes: `64MB` is not a size such as `16KiB`"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "telemetry: { format: xml }",
use crate::loader::Source;
        expect!["portreeve.yaml:14:22: telemetry.format: `xml` is not one of `text`, `json`"],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn addresses_and_sockets_are_checked() {
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "0.0.0.0:8443",
use crate::loader::Source;
        "'8443'",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:7:14: listeners[0].address: `8443` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "0.0.0.0:8443",
use crate::loader::Source;
        "0.0.0.0:99999",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:7:14: listeners[0].address: `0.0.0.0:99999` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "unix:/run/app.sock",
use crate::loader::Source;
        "example.org:80",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:10:14: upstreams[0].address: `example.org:80` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "unix:/run/app.sock",
use crate::loader::Source;
        "127.0.0.1:0",
use crate::loader::Source;
        expect!["portreeve.yaml:10:14: upstreams[0].address: the port must not be 0"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "unix:/run/app.sock",
use crate::loader::Source;
        &format!("unix:/{}", "x".repeat(107)),
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:10:14: upstreams[0].address: the socket's path has 108 bytes, more than the 107 of a Unix socket"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "unix:///run/spire/agent.sock",
use crate::loader::Source;
        "tcp://127.0.0.1:8081",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:4:11: identity.socket: `tcp://127.0.0.1:8081` is not a Unix socket; only `unix:/…` is supported"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "health: { address: '0.0.0.0:8443' }",
use crate::loader::Source;
        expect!["portreeve.yaml:14:20: health.address: `0.0.0.0:8443` is a listener's address"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        &format!("state_dir: /{}", "x".repeat(100)),
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:1:1: admin.socket: the socket's path has 112 bytes, more than the 107 of a Unix socket"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_loopback_upstream_is_read_and_another_is_refused() {
use crate::loader::Source;
    for good in ["127.0.0.1:80", "'[::1]:80'", "127.9.9.9:80", "'[::ffff:127.0.0.1]:80'"] {
use crate::loader::Source;
        assert!(read(&GOOD.replace("unix:/run/app.sock", good)).is_ok(), "{good}");
use crate::loader::Source;
    }
use crate::loader::Source;
    for bad in ["10.0.0.1:80", "'[::]:80'", "0.0.0.0:80", "169.254.169.254:80"] {
use crate::loader::Source;
        let errors = read(&GOOD.replace("unix:/run/app.sock", bad)).unwrap_err().to_string();
use crate::loader::Source;
        assert!(errors.contains("is not a loopback address"), "{errors}");
use crate::loader::Source;
    }
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_remote_repository_says_how_it_is_verified() {
use crate::loader::Source;
    let git = "git: https://git.example.org/p";
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies",
use crate::loader::Source;
        git,
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:11:1: policy.verify: missing; write `verify: none` to accept that whoever can push decides"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    let with_none = GOOD.replace("    dir: policies\n", &format!("    {git}\n  verify: none\n"));
use crate::loader::Source;
    let config = read(&with_none).unwrap();
use crate::loader::Source;
    assert_eq!(config.warnings, ["nobody verifies policy commits: whoever can push decides"]);
use crate::loader::Source;
    assert!(read(&GOOD.replace("dir: policies", "git: file:///srv/p")).is_ok());
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies",
use crate::loader::Source;
        "git: ssh://git@git.example.org/p",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
        portreeve.yaml:11:1: policy.known_hosts: missing; a host is never trusted at first sight; `ssh-keyscan HOST` prints its keys
use crate::loader::Source;
        portreeve.yaml:11:1: policy.verify: missing; write `verify: none` to accept that whoever can push decides"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies",
use crate::loader::Source;
        "git: https://u:hunter2@git.example.org/p",
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:13:10: policy.source.git: holds a user or a password; use `policy.token_file`"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "dir: policies\n",
use crate::loader::Source;
        "dir: policies\n  token_file: t\n  subdir: s\n",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
        portreeve.yaml:14:15: policy.token_file: is only for `source.git`
use crate::loader::Source;
        portreeve.yaml:15:11: policy.subdir: is only for `source.git`"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn an_identity_is_picked_by_one_property() {
use crate::loader::Source;
    let pick = |pick: &str| format!("identity:\n  pick: {{ {pick} }}\n");
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "identity:\n",
use crate::loader::Source;
        &pick("spiffe_id: 'spiffe://TD/a'"),
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:4:22: identity.pick.spiffe_id: `spiffe://TD/a` is not a SPIFFE ID: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "identity:\n",
use crate::loader::Source;
        &pick("hint: a, spiffe_id: 'spiffe://td/a'"),
use crate::loader::Source;
        expect!["portreeve.yaml:4:9: identity.pick: `hint` and `spiffe_id` exclude each other"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_change(
use crate::loader::Source;
        "identity:\n",
use crate::loader::Source;
        &pick(""),
use crate::loader::Source;
        expect!["portreeve.yaml:4:9: identity.pick: either `hint` or `spiffe_id` must be given"],
use crate::loader::Source;
    );
use crate::loader::Source;
    let config = read(&GOOD.replace("identity:\n", &pick("hint: internal"))).unwrap();
use crate::loader::Source;
    assert_eq!(config.identity.pick, Some(identity::Pick::Hint("internal".to_owned())));
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_log_goes_to_one_place() {
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: { dir: /l, stdout: true }",
use crate::loader::Source;
        expect!["portreeve.yaml:14:25: log.stdout: `dir` and `stdout` exclude each other"],
use crate::loader::Source;
    );
use crate::loader::Source;
    check_addition(
use crate::loader::Source;
        "log: { stdout: true, durability: synced, keep_files: 3 }",
use crate::loader::Source;
        expect![[r#"
use crate::loader::Source;
        portreeve.yaml:14:34: log.durability: standard output cannot be `synced`
use crate::loader::Source;
        portreeve.yaml:14:54: log.keep_files: is only for `log.dir`"#]],
use crate::loader::Source;
    );
use crate::loader::Source;
    let config = read(&format!("{GOOD}log: {{ stdout: true }}\n")).unwrap();
use crate::loader::Source;
    assert_eq!(config.log.target, audit::Target::Stdout);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_environment_replaces_a_short_list_of_fields() {
use crate::loader::Source;
    let variables = BTreeMap::from([
use crate::loader::Source;
        ("PORTREEVE_STATE_DIR", "/s"),
use crate::loader::Source;
        ("PORTREEVE_HEALTH_ADDRESS", "127.0.0.1:9"),
use crate::loader::Source;
        ("PORTREEVE_TELEMETRY_LEVEL", ""),
use crate::loader::Source;
    ]);
use crate::loader::Source;
    let env = |name: &str| variables.get(name).map(|value| (*value).to_owned());
use crate::loader::Source;
    let config = parse(GOOD, Path::new("/"), &env).unwrap();
use crate::loader::Source;
    assert_eq!(config.admin.socket, Path::new("/s/admin.sock"));
use crate::loader::Source;
    assert_eq!(config.health.address, Some("127.0.0.1:9".parse().unwrap()));
use crate::loader::Source;
    let fields: Vec<_> = config.overrides.iter().map(|o| (o.variable, o.field.as_str())).collect();
use crate::loader::Source;
    let expected =
use crate::loader::Source;
        [("PORTREEVE_STATE_DIR", "state_dir"), ("PORTREEVE_HEALTH_ADDRESS", "health.address")];
use crate::loader::Source;
    assert_eq!(fields, expected);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn an_error_of_the_environment_names_the_variable() {
use crate::loader::Source;
    let env = |name: &str| (name == "PORTREEVE_HEALTH_ADDRESS").then(|| "nine".to_owned());
use crate::loader::Source;
    let errors = parse(GOOD, Path::new("/"), &env).unwrap_err();
use crate::loader::Source;
    expect!["PORTREEVE_HEALTH_ADDRESS: health.address: `nine` is not an IP address with a port; write it like `0.0.0.0:8443` or `[::]:8443`; names are not resolved"].assert_eq(&errors.to_string());
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_workload_socket_may_come_from_the_standard_variable() {
use crate::loader::Source;
    let without = GOOD.replace("identity:\n  socket: unix:///run/spire/agent.sock\n", "");
use crate::loader::Source;
    check_refused(
use crate::loader::Source;
        &without,
use crate::loader::Source;
        expect![
use crate::loader::Source;
            "portreeve.yaml:1:1: identity.socket: missing; write the Workload API's socket, or set `SPIFFE_ENDPOINT_SOCKET`"
use crate::loader::Source;
        ],
use crate::loader::Source;
    );
use crate::loader::Source;
    let env = |name: &str| (name == "SPIFFE_ENDPOINT_SOCKET").then(|| "unix:///a.sock".to_owned());
use crate::loader::Source;
    let config = parse(&without, Path::new("/"), &env).unwrap();
use crate::loader::Source;
    let identity::Source::WorkloadApi { socket } = &config.identity.source;
use crate::loader::Source;
    assert_eq!(socket, Path::new("/a.sock"));
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_misspelt_variable_is_told() {
use crate::loader::Source;
    let names = ["PORTREEVE_STATEDIR", "PORTREEVE_STATE_DIR", "PORTREEVE_ADMIN", "HOME"];
use crate::loader::Source;
    assert_eq!(unknown_variables(names), ["PORTREEVE_STATEDIR"]);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn what_weakens_the_sidecar_is_warned_about() {
use crate::loader::Source;
    let text = GOOD.replace("name: public", "name: public\n    mode: shadow");
use crate::loader::Source;
    let config = read(&format!("{text}log: {{ on_failure: drop, durability: queued }}\n")).unwrap();
use crate::loader::Source;
    assert_eq!(config.warnings.len(), 3, "{:?}", config.warnings);
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn a_file_that_is_not_there_is_another_error_than_a_bad_one() {
use crate::loader::Source;
    let dir = tempfile::tempdir().unwrap();
use crate::loader::Source;
    let path = dir.path().join("portreeve.yaml");
use crate::loader::Source;
    assert!(matches!(load(&path, &no_env), Err(LoadError::Read { .. })));
use crate::loader::Source;
    std::fs::write(&path, "version: 1\n").unwrap();
use crate::loader::Source;
    assert!(matches!(load(&path, &no_env), Err(LoadError::Invalid { .. })));
use crate::loader::Source;
    std::fs::write(&path, GOOD).unwrap();
use crate::loader::Source;
    let config = load(&path, &no_env).unwrap();
use crate::loader::Source;
    assert_eq!(config.policy.source, Source::Dir(dir.path().join("policies")));
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_published_schema_is_that_of_the_types() {
use crate::loader::Source;
    let schema = serde_json::to_string_pretty(&schema()).unwrap();
use crate::loader::Source;
    expect_file!["../../schemas/config.json"].assert_eq(&format!("{schema}\n"));
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_published_reference_is_that_of_the_types() {
use crate::loader::Source;
    expect_file!["../../docs/configuration.md"].assert_eq(&reference());
use crate::loader::Source;
}
use crate::loader::Source;

use crate::loader::Source;
#[test]
use crate::loader::Source;
fn the_example_of_the_reference_is_good() {
use crate::loader::Source;
    let page = reference();
use crate::loader::Source;
    let example = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
use crate::loader::Source;
    assert!(read(example).is_ok(), "{:?}", read(example));
use crate::loader::Source;
}
