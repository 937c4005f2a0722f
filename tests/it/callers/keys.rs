//! The keys that tokens are verified with: rotation, federation, expiry, and a source that is away.

use portreeve::clock::Clock;
use portreeve::dev::{Fault, JwtAuthority};
use portreeve_core::spiffe::TrustDomain;

use super::*;

const PARTNER: &str = "spiffe://partner.test/ns/shop/sa/web";

/// How many usable keys a trust domain has.
fn keys(scene: &Scene, trust_domain: &str) -> Option<u64> {
    scene.sidecar.report().status().jwt_bundles?.keys.get(trust_domain).copied()
}

#[test]
fn a_token_outlives_a_rotation_and_not_the_key_that_signed_it() {
    run(async {
        let scene = scene("jwt", ALLOW_ALL).await;
        let old = bearer(&scene, WEB);
        let mut client = connect(&scene, None, "h1").await;
        for _ in 0..3 {
            assert_eq!(ask(&mut client, &[&old]).await.status.as_u16(), 200);
        }
        scene.workload_api.rotate_authority().unwrap();
        scene.until("rotated", || keys(&scene, TRUST_DOMAIN) == Some(2)).await;
        let new = bearer(&scene, WEB);
        for token in [&old, &new] {
            assert_eq!(ask(&mut client, &[token]).await.status.as_u16(), 200);
        }
        scene.workload_api.retire_authorities();
        scene.until("retired", || keys(&scene, TRUST_DOMAIN) == Some(1)).await;
        // What the connection remembers of the old token is worth nothing now.
        let replayed = ask(&mut client, &[&old]).await;
        check_refused(&replayed);
        assert_eq!(ask(&mut client, &[&new]).await.status.as_u16(), 200);
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &replayed), "jwt.unknown_key");
        assert_eq!(text(of_kind(&log, "refused")[0], "/refused/claimed/0/spiffe_id"), WEB);
    });
}

#[test]
fn another_trust_domain_proves_its_own_workloads_once_federated_and_never_ours() {
    run(async {
        let scene = scene("either", ALLOW_ALL).await;
        let partner = JwtAuthority::new().unwrap();
        let sign = |spiffe_id| {
            let (audience, now) = ([OURS.to_owned()], Clock::system().now());
            let token = partner.sign(&id(spiffe_id), &audience, now, HOUR).unwrap();
            format!("Bearer {token}")
        };
        let (theirs, forged) = (sign(PARTNER), sign(WEB));
        let mut client = connect(&scene, None, "h2").await;
        let unknown = ask(&mut client, &[&theirs]).await;
        let name = TrustDomain::parse("partner.test").unwrap();
        let broken = TrustDomain::parse("broken.test").unwrap();
        scene.workload_api.federate_jwt(&broken, "no JSON");
        scene.workload_api.federate_jwt(&name, partner.key_set());
        scene.until("federated", || keys(&scene, "partner.test") == Some(1)).await;
        assert_eq!(keys(&scene, "broken.test"), Some(0));
        assert_eq!(ask(&mut client, &[&theirs]).await.status.as_u16(), 200);
        let forged = ask(&mut client, &[&forged]).await;
        scene.workload_api.defederate(&name);
        scene.until("defederated", || keys(&scene, "partner.test").is_none()).await;
        let gone = ask(&mut client, &[&theirs]).await;
        drop(client);
        let (log, _, seen) = scene.finish_with().await;
        assert_eq!(reason_of(&log, &unknown), "jwt.no_bundle");
        assert_eq!(reason_of(&log, &forged), "jwt.unknown_key");
        assert_eq!(reason_of(&log, &gone), "jwt.no_bundle");
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].header("x-spiffe-id"), [PARTNER]);
    });
}

#[test]
fn a_token_is_good_until_it_expires_on_an_open_connection_too() {
    run(async {
        let clock = Clock::manual(Clock::system().now());
        let listener = format!("{}\n    jwt_leeway: 1s", listener("jwt"));
        let setup =
            Setup { policies: ALLOW_ALL, clock: clock.clone(), listener, ..Setup::default() };
        let scene = setup.start().await;
        let token = bearer_for(&scene, WEB, OURS, Duration::from_secs(60));
        let started = clock.now().unix_seconds();
        let at =
            |seconds| clock.set(portreeve_core::Timestamp::from_unix_seconds(started + seconds));
        let mut client = connect(&scene, None, "h2").await;
        for seconds in [0, 59, 60] {
            at(seconds);
            assert_eq!(ask(&mut client, &[&token]).await.status.as_u16(), 200, "{seconds}");
        }
        at(62);
        let expired = ask(&mut client, &[&token]).await;
        check_refused(&expired);
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &expired), "jwt.expired");
    });
}

#[test]
fn keys_stand_while_the_agent_is_away_and_none_are_left_when_it_denies_us() {
    run(async {
        let scene = scene("jwt", ALLOW_ALL).await;
        let token = bearer(&scene, WEB);
        let mut client = connect(&scene, None, "h1").await;
        let state = || {
            let readiness = scene.sidecar.report().readiness();
            let part = readiness.parts.into_iter().find(|part| part.name == "jwt_bundles");
            part.unwrap().reason.into_owned()
        };
        assert_eq!(state(), "");
        scene.workload_api.set_fault(Fault::Unavailable);
        scene.until("away", || state() == "jwt.bundles_not_updated").await;
        assert_eq!(ask(&mut client, &[&token]).await.status.as_u16(), 200);
        scene.workload_api.set_fault(Fault::Denied);
        scene.until("denied", || state() == "jwt.no_bundles").await;
        let refused = ask(&mut client, &[&token]).await;
        drop(client);
        let log = scene.finish().await;
        assert_eq!(reason_of(&log, &refused), "jwt.no_bundle");
    });
}

#[test]
fn nobody_is_asked_for_keys_where_no_token_is_taken() {
    run(async {
        let scene = scene("x509", ALLOW_ALL).await;
        assert_eq!(scene.sidecar.report().status().jwt_bundles, None);
        let parts = scene.sidecar.report().readiness().parts;
        assert!(parts.iter().all(|part| part.name != "jwt_bundles"));
        scene.finish().await;
    });
}
