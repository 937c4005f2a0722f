//! The section `identity`: its sources, and what only one of them has.

use super::*;

const SOCKET: &str = "  socket: unix:///run/spire/agent.sock\n";
const FILES: &str = "  source: files
  files:
    certificate: svid.pem
    key: /run/svid/key.pem
    bundles: { a.example: a.pem, b.example: /b.pem }
    jwt_bundles: { a.example: a.jwks }
    crls: [revoked.pem]
    interval: 500ms
";

#[test]
fn files_are_named_one_by_one_and_looked_at_on_an_interval() {
    let config = read(&GOOD.replace(SOCKET, FILES)).unwrap();
    let identity::Source::Files(files) = &config.identity.source else {
        panic!("{:?}", config.identity)
    };
    assert_eq!(files.certificate, Path::new("/etc/portreeve/svid.pem"));
    assert_eq!(files.key, Path::new("/run/svid/key.pem"));
    let bundles: Vec<_> =
        files.bundles.iter().map(|(name, path)| (name.as_str(), path.to_str().unwrap())).collect();
    assert_eq!(bundles, [("a.example", "/etc/portreeve/a.pem"), ("b.example", "/b.pem")]);
    let (name, path) = files.jwt_bundles.first_key_value().unwrap();
    assert_eq!((name.as_str(), path.as_path()), ("a.example", Path::new("/etc/portreeve/a.jwks")));
    assert_eq!(files.crls, [Path::new("/etc/portreeve/revoked.pem")]);
    assert_eq!(files.interval, Duration::from_millis(500));
}

#[test]
fn what_files_need_and_what_they_cannot_have_is_said() {
    check_change(
        SOCKET,
        "  source: files\n",
        expect![
            "portreeve.yaml:3:1: identity.files: missing; write `files: { certificate: …, key: …, bundles: { trust.domain: … } }`"
        ],
    );
    check_change(
        SOCKET,
        &FILES.replace("a.example:", "A.example:").replace("500ms", "1ms"),
        expect![[r#"
            portreeve.yaml:8:27: identity.files.bundles.A.example: `A.example` is not a trust domain: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)
            portreeve.yaml:9:31: identity.files.jwt_bundles.A.example: `A.example` is not a trust domain: the trust domain may hold only a-z, 0-9, `.`, `-` and `_` (SPIFFE-ID §2.1)
            portreeve.yaml:11:15: identity.files.interval: `1ms` is not within 100ms to 1h"#]],
    );
    check_change(
        SOCKET,
        &format!("{FILES}{SOCKET}  pick: {{ hint: web }}\n"),
        expect![[r#"
        portreeve.yaml:12:11: identity.socket: is only for `source: workload_api`
        portreeve.yaml:13:17: identity.pick.hint: files have no hints; write `spiffe_id`, or leave it out"#]],
    );
    let with_files = FILES.replace("  source: files\n", SOCKET);
    check_change(
        SOCKET,
        &with_files,
        expect!["portreeve.yaml:6:5: identity.files: is only for `source: files`"],
    );
}

#[test]
fn a_listener_that_takes_tokens_needs_keys_from_files_too() {
    let callers = "    callers: jwt\n    audience: [orders]\n    address:";
    let with_tokens = GOOD.replacen("    address:", callers, 1);
    assert!(read(&with_tokens.replace(SOCKET, FILES)).is_ok());
    let without = FILES.replace("    jwt_bundles: { a.example: a.jwks }\n", "");
    let error = read(&with_tokens.replace(SOCKET, &without)).unwrap_err().to_string();
    expect!["portreeve.yaml:5:3: identity.files.jwt_bundles: missing, and a listener takes JWT-SVIDs; write `jwt_bundles: { trust.domain: … }`, a JSON Web Key Set for each"].assert_eq(&error);
}

#[test]
fn an_address_that_is_none_of_a_socket_is_explained() {
    for (from, text) in [
        ("unix:///run/spire/agent.sock", "unix://tmp/agent.sock"),
        ("unix:///run/spire/agent.sock", "unix://tmp"),
    ] {
        let error = read(&GOOD.replace(from, text)).expect_err(text).to_string();
        assert!(error.contains("unix:///"), "{error}");
    }
    let without = GOOD.replace("identity:\n", "").replace(SOCKET, "");
    let env = |name: &str| (name == "SPIFFE_ENDPOINT_SOCKET").then(|| "run/agent.sock".to_owned());
    let error = parse(&without, Path::new("/etc/portreeve"), &env).unwrap_err().to_string();
    assert!(error.contains("is not an absolute path"), "{error}");
}

#[test]
fn a_grace_and_a_timeout_are_off_unless_they_are_given() {
    let config = read(GOOD).unwrap();
    assert_eq!((config.identity.withdrawal_grace, config.identity_timeout), (Duration::ZERO, None));
    let given = format!("{SOCKET}  withdrawal_grace: 60s\n  timeout: 5m\n");
    let config = read(&GOOD.replace(SOCKET, &given)).unwrap();
    assert_eq!(config.identity.withdrawal_grace, Duration::from_secs(60));
    assert_eq!(config.identity_timeout, Some(Duration::from_secs(300)));
    let beyond = format!("{SOCKET}  withdrawal_grace: 61s\n  timeout: 0s\n");
    check_change(
        SOCKET,
        &beyond,
        expect![[r#"
        portreeve.yaml:5:21: identity.withdrawal_grace: `61s` is not within 0s to 1m
        portreeve.yaml:6:12: identity.timeout: `0s` is not within 1s to 24h"#]],
    );
}
