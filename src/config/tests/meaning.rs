//! Fields that are well formed, and must not stand so.

use expect_test::expect;

use super::*;

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
            portreeve.yaml:14:27: upstreams[0].address: `10.0.0.1:80` is not a loopback address; without `tls` a sidecar forwards to the service beside it only: `unix:/…`, 127.0.0.1 or [::1]
            portreeve.yaml:15:13: upstreams[1].name: the name `app` stands twice
            portreeve.yaml:15:27: upstreams[1].address: names no socket
            portreeve.yaml:15:53: upstreams[1].connect_timeout: `1ms` is not within 10ms to 1m
            portreeve.yaml:17:11: policy.source: `git` and `dir` exclude each other
            portreeve.yaml:20:12: health.address: `0.0.0.0` is not an IP address with a port; add the port"#]],
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
fn mtls_to_an_upstream_names_whom_it_expects() {
    let with = |tls: &str| GOOD.replace("unix:/run/app.sock", &format!("10.0.0.1:8443\n    {tls}"));
    for good in [
        "tls: { spiffe_id: 'spiffe://a.test/x' }",
        "tls: { trust_domain: a.test }\n    protocol: h2",
    ] {
        assert!(read(&with(good)).is_ok(), "{good}");
    }
    for (bad, words) in [
        ("tls: {}", "`spiffe_id` or `trust_domain` is missing"),
        ("tls: { spiffe_id: 'spiffe://a.test/x', trust_domain: a.test }", "exclude each other"),
        ("tls: { spiffe_id: 'spiffe://a.test' }", "the ID of a workload has a path"),
        ("tls: { spiffe_id: 'https://a.test/x' }", "is no SPIFFE ID"),
        ("tls: { trust_domain: A.test }", "is no trust domain"),
        ("tls: { trust_domain: a.test }\n    protocol: h2c", "write `h2`"),
        ("protocol: h2", "write `h2c`, or add `tls`"),
    ] {
        let errors = read(&with(bad)).unwrap_err().to_string();
        assert!(errors.contains(words), "{bad}: {errors}");
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
fn a_token_must_be_for_us_where_tokens_are_taken() {
    let listener = |more: &str| format!("name: public{more}");
    let check = |more: &str, expected| check_change("name: public", &listener(more), expected);
    check(
        "\n    callers: jwt",
        expect![
            "portreeve.yaml:6:5: listeners[0].audience: missing: any service's JWT-SVID would do; name what tokens for us are issued for: our SPIFFE ID, or `orders`"
        ],
    );
    check(
        "\n    callers: both\n    audience: []",
        expect![
            "portreeve.yaml:8:15: listeners[0].audience: missing: any service's JWT-SVID would do; name what tokens for us are issued for: our SPIFFE ID, or `orders`"
        ],
    );
    check(
        "\n    audience: [orders]",
        expect![
            "portreeve.yaml:7:15: listeners[0].audience: no JWT-SVIDs are taken here; set `callers` to `jwt`, `both` or `either`, or leave it out"
        ],
    );
    check(
        "\n    callers: either\n    audience: [orders, a, orders]\n    jwt_leeway: 61s",
        expect![[r#"
            portreeve.yaml:8:27: listeners[0].audience[2]: `orders` stands twice
            portreeve.yaml:9:17: listeners[0].jwt_leeway: `61s` is not within 0s to 1m"#]],
    );
    check(
        "\n    callers: none\n    audience: ['']\n    tls: { min_version: '1.1' }",
        expect![[r#"
            portreeve.yaml:7:14: listeners[0].callers: `none` is not one of `x509`, `jwt`, `both`, `either`
            portreeve.yaml:8:16: listeners[0].audience[0]: must not be empty
            portreeve.yaml:9:25: listeners[0].tls.min_version: `1.1` is not one of `1.3`, `1.2`; did you mean `1.2`?"#]],
    );
    let good = "\n    callers: jwt\n    audience: [orders]\n    jwt_leeway: 0s";
    let config = read(&GOOD.replacen("name: public", &listener(good), 1)).unwrap();
    assert_eq!(config.listeners[0].callers.proof, crate::http::Proof::Jwt);
    assert_eq!(config.listeners[0].callers.audience, ["orders"]);
}
