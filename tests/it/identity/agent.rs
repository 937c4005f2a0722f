//! An agent that is gone, denies, sends what cannot be used, or is another than before.

use portreeve::dev::{self, Entry, Fault, WorkloadApi};
use portreeve_core::spiffe::TrustDomain;

use super::*;
use crate::support::{Setup, run, workload_api};

#[test]
fn an_agent_that_is_gone_is_told_and_traffic_goes_on() {
    run(async {
        let scene = Scene::start().await;
        scene.workload_api.set_fault(Fault::Unavailable);
        let lost = || source(&scene).trouble.is_some_and(|it| it.reason == "identity.source_lost");
        scene.until("lost", lost).await;
        assert_eq!(part(&scene), (PartState::Ready, String::new()));
        assert!(is_served(&scene, &web(&scene)).await);

        scene.workload_api.set_fault(Fault::None);
        scene.until("back", || source(&scene).trouble.is_none()).await;
        assert!(source(&scene).last_answer.is_some());
        scene.finish().await;
    });
}

#[test]
fn an_update_that_cannot_be_used_degrades_us_and_traffic_goes_on() {
    run(async {
        let scene = Scene::start().await;
        scene.workload_api.set_fault(Fault::GarbageBundle);
        until_part(&scene, PartState::Degraded, "identity.update_rejected").await;
        assert!(is_served(&scene, &web(&scene)).await);
        let degraded = is_event("identity", "degraded", "identity.update_rejected");
        let record = scene.until_record(degraded).await;
        assert!(record["cause"].as_str().unwrap().contains("cannot be read"), "{record}");

        scene.workload_api.set_fault(Fault::None);
        scene.workload_api.rotate_svids().unwrap();
        until_part(&scene, PartState::Ready, "").await;
        assert!(is_served(&scene, &web(&scene)).await);
        scene.finish().await;
    });
}

#[test]
fn a_partner_whose_bundle_cannot_be_read_is_told_and_our_own_rotation_goes_on() {
    run(async {
        let scene = Scene::start().await;
        let partner = TrustDomain::parse("partner.test").unwrap();
        let before = scene.sidecar.identity().current().unwrap().sequence;
        scene.workload_api.federate(&partner, b"garbage".to_vec());
        scene.workload_api.rotate_svids().unwrap();
        until_part(&scene, PartState::Degraded, "identity.bundle_rejected").await;
        assert!(scene.sidecar.identity().current().unwrap().sequence > before);
        assert!(source(&scene).unusable_bundles.contains_key("spiffe://partner.test"));
        assert!(is_served(&scene, &web(&scene)).await);
        scene.workload_api.defederate(&partner);
        until_part(&scene, PartState::Ready, "").await;
        scene.finish().await;
    });
}

#[test]
fn a_denial_within_the_grace_lets_traffic_go_on_until_the_agent_takes_it_back() {
    run(async {
        let mut stage = Setup::default().stage();
        stage.config = stage.config.replace("identity:\n", "identity:\n  withdrawal_grace: 60s\n");
        let scene = stage.start().await;
        scene.until_ready().await;
        scene.workload_api.set_fault(Fault::Denied);
        until_part(&scene, PartState::Degraded, "identity.withdrawing").await;
        assert!(is_served(&scene, &web(&scene)).await);
        scene.workload_api.set_fault(Fault::None);
        until_part(&scene, PartState::Ready, "").await;
        let records = scene.finish().await;
        assert!(!records.iter().any(is_event("identity", "lost", "")));
    });
}

#[test]
fn a_denial_beyond_the_grace_refuses_new_connections_until_it_is_taken_back() {
    run(async {
        let mut stage = Setup::default().stage();
        stage.config =
            stage.config.replace("identity:\n", "identity:\n  withdrawal_grace: 200ms\n");
        let scene = stage.start().await;
        scene.until_ready().await;
        scene.workload_api.set_fault(Fault::Denied);
        until_part(&scene, PartState::NotReady, "identity.withdrawn").await;
        scene.until_record(is_event("identity", "lost", "identity.withdrawn")).await;
        assert!(!is_served(&scene, &web(&scene)).await);
        scene.workload_api.set_fault(Fault::None);
        until_part(&scene, PartState::Ready, "").await;
        assert!(is_served(&scene, &web(&scene)).await);
        scene.finish().await;
    });
}

#[test]
fn an_agent_of_another_trust_domain_is_not_followed() {
    run(async {
        let mut scene = Scene::start().await;
        let socket = scene.workload_api.socket().to_owned();
        let other = workload_api(&scene.dir.path().join("other.sock"), &Default::default());
        std::mem::replace(&mut scene.workload_api, other).shutdown().await;
        let domain = TrustDomain::parse("other.test").unwrap();
        let mut settings = dev::Settings::new(domain, socket);
        settings.entries = vec![Entry::any(id("spiffe://other.test/orders"))];
        let _impostor = WorkloadApi::start(settings).unwrap();
        until_part(&scene, PartState::Degraded, "identity.update_rejected").await;
        let identity = scene.sidecar.report().status().identity.unwrap();
        assert_eq!(identity.spiffe_id, crate::support::ORDERS);
        assert_eq!(identity.trust_domains, [crate::support::TRUST_DOMAIN]);
        scene.finish().await;
    });
}
