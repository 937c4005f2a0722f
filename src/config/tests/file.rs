//! What a file may not be, whatever it means.

use expect_test::expect;

use super::*;

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
        "identity:\n  source: vault\n",
        expect![
            "portreeve.yaml:4:11: identity.source: `vault` is not one of `workload_api`, `files`"
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
