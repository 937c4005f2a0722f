//! SIGHUP: the whole file or nothing of it.

use std::fs;

use portreeve::tls::Alpn;
use rustix::process::Signal;

use super::caller::{BOTH, Caller};
use super::world::{World, of_kind, until};

/// Allows what the route `orders` matches.
const ROUTED: &str = "permit(principal, action, resource == Route::\"orders\");\n";
const ORDERS_ROUTE: &str = "{ name: orders, path: '/orders/{id}' }";

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_routes_holds_for_kept_connections() {
    let world = World::with(&[("p.cedar", ROUTED)]);
    let process = world.run().await;
    let address = process.address().await;
    let mut callers = Vec::new();
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/orders/1").await.unwrap().status, 403);
        callers.push(caller);
    }
    world.configure_routes(ORDERS_ROUTE, "");
    process.signal(Signal::HUP);
    until("the reload", async || loaded(&world) == 2).await;
    for caller in &mut callers {
        assert_eq!(caller.get("/orders/1").await.unwrap().status, 200);
        assert_eq!(caller.get("/other").await.unwrap().status, 403);
    }
    world.configure("");
    process.signal(Signal::HUP);
    until("the reload", async || loaded(&world) == 3).await;
    for caller in &mut callers {
        assert_eq!(caller.get("/orders/1").await.unwrap().status, 403);
        assert!(caller.is_open());
    }
    let records = world.checked_records();
    let mut routes = of_kind(&records, "decision", "").into_iter().map(|r| &r["request"]["route"]);
    assert!(routes.any(|route| route == "orders"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_taken_over_leaves_all_as_it_was_and_is_recorded() {
    let world = World::with(&[("p.cedar", ROUTED)]);
    world.configure_routes(ORDERS_ROUTE, "");
    let process = world.run().await;
    let address = process.address().await;
    let mut caller = Caller::connect(world.api(), address, Alpn::Http2).await.unwrap();
    let file = world.path("portreeve.yaml");
    let good = fs::read_to_string(&file).unwrap();
    let without_routes = good.replace(ORDERS_ROUTE, "");
    let changes = [
        (good.replace("version: 1", "version: 1\nlisteners: ["), "not YAML"),
        (good.replace("service: orders", "service: orders\nservices: x"), "services: unknown key"),
        (
            without_routes.replace("service: orders", "service: shop"),
            "restart needed to change service",
        ),
        (format!("{without_routes}\nlog: {{ on_failure: drop }}"), "restart needed to change log"),
        (
            without_routes.replace("127.0.0.1:0", "127.0.0.1:1")
                + "\nhealth: { address: 127.0.0.1:0 }",
            "restart needed to change listeners (all but routes), health",
        ),
    ];
    for (at, (text, cause)) in changes.iter().enumerate() {
        fs::write(&file, text).unwrap();
        process.signal(Signal::HUP);
        let is_recorded = async || {
            let records = world.records();
            let rejected = of_kind(&records, "config", "rejected");
            rejected.len() == at + 1 && rejected[at]["cause"].as_str().unwrap().contains(cause)
        };
        until(cause, is_recorded).await;
        assert_eq!(caller.get("/orders/1").await.unwrap().status, 200);
    }
    fs::remove_file(&file).unwrap();
    process.signal(Signal::HUP);
    until("the missing file's record", async || {
        of_kind(&world.records(), "config", "rejected").len() == changes.len() + 1
    })
    .await;
    assert_eq!(caller.get("/orders/1").await.unwrap().status, 200);
    assert_eq!(loaded(&world), 1);
    assert_eq!(process.reasons().await, Some(vec![]));
    world.checked_records();
}

fn loaded(world: &World) -> usize {
    of_kind(&world.records(), "config", "loaded").len()
}
