//! What a policy may cost a request: it ends at its limit, and the others go on.

use portreeve::tls::Alpn;

use super::caller::Caller;
use super::world::{World, of_kind};

/// More steps than anyone waits for; the engine's limit on running time ends them.
const LOOPS: &str = r#"package authz

n := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

allow if input.request.path == "/a"

allow if {
    input.request.path == "/loop"
    some a in n
    some b in n
    some c in n
    some d in n
    some e in n
    some f in n
    some g in n
    some h in n
    a + b + c + d + e + f + g + h == -1
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_loops_is_an_error_at_its_limit_and_the_sidecar_goes_on() {
    let world = World::with(&[("p.rego", LOOPS)]);
    let sidecar = world.start_ready().await;
    let address = sidecar.addresses()[0];
    let mut callers = Vec::new();
    for _ in 0..4 {
        let mut caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
        callers.push(tokio::spawn(async move {
            let looped = caller.get("/loop").await.unwrap();
            (looped, caller.get("/a").await.unwrap())
        }));
    }
    for caller in callers {
        let (looped, plain) = caller.await.unwrap();
        assert_eq!((looped.status, plain.status), (503, 200));
        let told = String::from_utf8_lossy(&looped.body).into_owned();
        assert!(!told.contains("limit") && !told.contains("p.rego"), "{told}");
    }
    let records = world.checked_records();
    let decisions = of_kind(&records, "decision", "");
    let errors: Vec<_> =
        decisions.iter().filter(|record| record["decision"]["outcome"] == "error").collect();
    assert_eq!((decisions.len(), errors.len()), (8, 4));
    for record in errors {
        let decision = &record["decision"];
        assert_eq!(decision["reason"], "policy_error");
        assert!(decision["errors"][0].to_string().contains("limit"), "{decision}");
    }
}
