//! JWT bundles from files, of a sidecar that has its whole identity from files.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portreeve::clock::Clock;
use portreeve::dev::{Issued, JwtAuthority};

use super::*;

const PARTNER: &str = "spiffe://partner.test/ns/shop/sa/web";

fn put(dir: &Path, name: &str, text: &str) {
    // By a rename, as those who keep such files fresh do.
    let new = dir.join("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, dir.join(name)).unwrap();
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// The stage with an identity from files in place of the Workload API.
fn stage() -> Stage {
    let setup = Setup { policies: ALLOW_ALL, listener: listener("jwt"), ..Setup::default() };
    let mut stage = setup.stage();
    let dir = stage.dir.path();
    let issued: Issued = stage.workload_api.issue(&id(ORDERS)).unwrap();
    put(dir, "svid.pem", &pem("CERTIFICATE", &issued.chain_der()));
    put(dir, "key.pem", &pem("PRIVATE KEY", issued.key_der()));
    let roots = stage.workload_api.bundle();
    put(dir, "roots.pem", &roots.iter().map(|root| pem("CERTIFICATE", root)).collect::<String>());
    let mut files = String::from("  source: files\n  files:\n    interval: 100ms\n");
    let base = dir.display();
    writeln!(files, "    certificate: {base}/svid.pem\n    key: {base}/key.pem").unwrap();
    writeln!(files, "    bundles: {{ {TRUST_DOMAIN}: {base}/roots.pem }}").unwrap();
    writeln!(files, "    jwt_bundles:\n      {TRUST_DOMAIN}: {base}/own.jwks").unwrap();
    writeln!(files, "      partner.test: {base}/partner.jwks").unwrap();
    let socket = format!("  socket: {}\n", stage.workload_api.endpoint());
    assert!(stage.config.contains(&socket), "{}", stage.config);
    stage.config = stage.config.replace(&socket, &files);
    stage
}

fn sign(authority: &JwtAuthority, spiffe_id: &str) -> String {
    let now = Clock::system().now();
    let token = authority.sign(&id(spiffe_id), &[OURS.to_owned()], now, HOUR).unwrap();
    format!("Bearer {token}")
}

fn keys(scene: &Scene) -> Vec<(String, u64)> {
    let status = scene.sidecar.report().status().jwt_bundles;
    status.map(|status| status.keys.into_iter().collect()).unwrap_or_default()
}

/// The reason and the words of the readiness of JWT bundles.
fn readiness(scene: &Scene) -> (String, String) {
    let parts = scene.sidecar.report().readiness().parts;
    let part = parts.into_iter().find(|part| part.name == "jwt_bundles").unwrap();
    (part.reason.into_owned(), part.text)
}

#[test]
fn key_sets_of_files_verify_the_tokens_of_their_own_domain_and_follow_every_change() {
    run(async {
        let stage = stage();
        let dir = stage.dir.path().to_owned();
        let [own, next, partner] = [(); 3].map(|()| JwtAuthority::new().unwrap());
        put(&dir, "own.jwks", &own.key_set());
        put(&dir, "partner.jwks", &partner.key_set());
        let scene = stage.start().await;
        scene.until_ready().await;
        let domains =
            |own, partner| [(TRUST_DOMAIN.to_owned(), own), ("partner.test".into(), partner)];
        assert_eq!(keys(&scene), domains(1, 1));
        assert_eq!(readiness(&scene).0, "");
        let mut client = connect(&scene, None, "h2").await;
        for (token, status) in [
            (sign(&own, WEB), 200),
            (sign(&partner, PARTNER), 200),
            // Each bundle speaks for its own trust domain alone.
            (sign(&partner, WEB), 401),
            (sign(&own, PARTNER), 401),
            (sign(&next, WEB), 401),
        ] {
            assert_eq!(ask(&mut client, &[&token]).await.status.as_u16(), status);
        }
        let old = sign(&own, WEB);
        let updated = || scene.sidecar.report().status().jwt_bundles.map(|status| status.updated);
        let before = updated();
        put(&dir, "own.jwks", &next.key_set());
        scene.until("renewed", || updated() != before).await;
        assert_eq!(ask(&mut client, &[&sign(&next, WEB)]).await.status.as_u16(), 200);
        let replayed = ask(&mut client, &[&old]).await;
        check_refused(&replayed);
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &replayed), "jwt.unknown_key");
    });
}

#[test]
fn a_file_that_cannot_be_read_leaves_its_domain_without_keys_and_is_told() {
    run(async {
        let stage = stage();
        let dir = stage.dir.path().to_owned();
        let [own, partner] = [(); 2].map(|()| JwtAuthority::new().unwrap());
        put(&dir, "own.jwks", &own.key_set());
        let scene = stage.start().await;
        scene.until_ready().await;
        let (ours, theirs) = (sign(&own, WEB), sign(&partner, PARTNER));
        let mut client = connect(&scene, None, "h2").await;
        let missing = ask(&mut client, &[&theirs]).await;
        let (reason, words) = readiness(&scene);
        assert_eq!(reason, "jwt.bundles_not_updated");
        assert!(words.contains("partner.jwks"), "{words}");
        put(&dir, "partner.jwks", &partner.key_set());
        scene.until("mended", || readiness(&scene).0.is_empty()).await;
        assert_eq!(ask(&mut client, &[&theirs]).await.status.as_u16(), 200);
        put(&dir, "partner.jwks", "no JSON");
        scene.until("spoilt", || !readiness(&scene).0.is_empty()).await;
        let (_, words) = readiness(&scene);
        assert!(words.contains("JWT bundle of `partner.test`: the bundle is no JSON"), "{words}");
        let spoilt = ask(&mut client, &[&theirs]).await;
        assert_eq!(ask(&mut client, &[&ours]).await.status.as_u16(), 200);
        std::fs::remove_file(dir.join("own.jwks")).unwrap();
        std::fs::remove_file(dir.join("partner.jwks")).unwrap();
        scene.until("gone", || readiness(&scene).0 == "jwt.no_bundles").await;
        let gone = ask(&mut client, &[&ours]).await;
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &missing), "jwt.no_bundle");
        assert_eq!(reason_of(&log, &spoilt), "jwt.unknown_key");
        assert_eq!(reason_of(&log, &gone), "jwt.no_bundle");
    });
}
