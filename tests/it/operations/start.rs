//! Nothing is served before there is an identity and a policy.

use super::caller::{BOTH, Caller};
use super::health::probe;
use super::process::Process;
use super::world::{World, until};

#[tokio::test(flavor = "multi_thread")]
async fn without_an_svid_the_port_does_not_accept_and_readiness_says_why() {
    let mut world = World::new();
    world.api = None;
    let sidecar = world.start().await;
    let (address, health) = (sidecar.addresses()[0], sidecar.health().unwrap());
    until("a policy", async || sidecar.store().status().active.is_some()).await;
    assert!(!Process::accepts(address).await);
    let (status, body) = probe(health, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("identity not_ready identity.unavailable\n"), "{body}");
    assert!(body.contains("listeners not_ready listeners.not_accepting\n"), "{body}");
    assert!(!body.contains("policy"), "{body}");
    assert_eq!(probe(health, "/startupz").await.0, 503);
    assert_eq!(probe(health, "/livez").await.0, 200);

    world.restart_api();
    until("the port to accept", async || Process::accepts(address).await).await;
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    assert_eq!(probe(health, "/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(probe(health, "/startupz").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_policy_the_port_does_not_accept_and_readiness_says_why() {
    let world = World::new();
    world.repo.git(&["branch", "-m", "main", "trunk"]);
    let sidecar = world.start().await;
    let (address, health) = (sidecar.addresses()[0], sidecar.health().unwrap());
    until("an identity", async || sidecar.identity().current().is_ok()).await;
    until("a look at the source", async || sidecar.store().status().last_error.is_some()).await;
    assert!(!Process::accepts(address).await);
    let (status, body) = probe(health, "/readyz").await;
    assert_eq!(status, 503);
    assert!(body.contains("policy not_ready policy.none\n"), "{body}");
    assert!(!body.contains("identity"), "{body}");

    world.repo.git(&["branch", "-m", "trunk", "main"]);
    sidecar.store().refresh();
    until("the port to accept", async || Process::accepts(address).await).await;
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sidecar_on_the_same_state_is_refused_and_the_first_goes_on() {
    let world = World::new();
    let process = world.run().await;
    let mut second = world.spawn();
    assert_eq!(second.ended().await.code(), Some(2));
    let said = process.said();
    assert!(said.contains("admin.sock` is answered by another process"), "{said}");

    // With a socket of its own it still may not have the state.
    world.configure("admin: { socket: other.sock }");
    let mut third = world.spawn();
    assert_eq!(third.ended().await.code(), Some(2));
    let said = process.said();
    assert!(said.contains("state/log` is in use by another process"), "{said}");

    world.configure("admin: { socket: other.sock }\nlog: { dir: other-log }");
    let mut fourth = world.spawn();
    assert_eq!(fourth.ended().await.code(), Some(2));
    let said = process.said();
    assert!(said.contains("state/store` is in use by another running sidecar"), "{said}");
    assert_eq!(process.reasons().await, Some(vec![]));
    assert!(Process::accepts(process.address().await).await);
}
