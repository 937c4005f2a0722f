//! What a policy may cost a request: it ends at its limit, and the others go on.

use std::fs;

use portreeve::tls::Alpn;

use super::caller::Caller;
use super::world::{World, of_kind, until};

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

/// Each compares so many prefixes with as many texts that it is over a builtin's bound: `/wide` by
/// little, `/over` by so much that no engine can be waited for.
const COMPARES: &str = r#"package authz

allow if input.request.path == "/a"

allow if {
    input.request.path == "/wide"
    some_texts := array.slice(data.bulk.texts, 0, 2100)
    not strings.any_prefix_match(some_texts, some_texts)
}

allow if {
    input.request.path == "/over"
    not strings.any_prefix_match(data.bulk.texts, data.bulk.prefixes)
}
"#;

/// Statuses and reasons of `/wide`, `/over` and `/a` in this order.
async fn decided_with(unbounded_builtins: &str) -> Vec<(u16, String)> {
    let texts = vec!["text"; 16_000];
    let prefixes = vec!["texts"; 16_000];
    let data = serde_json::json!({ "texts": texts, "prefixes": prefixes }).to_string();
    let policies = COMPARES
        .replace("some_texts, some_texts", "some_texts, [\"texts\" | some _ in some_texts]");
    let world = World::with(&[("p.rego", policies.as_str()), ("bulk/data.json", data.as_str())]);
    let text = fs::read_to_string(world.path("portreeve.yaml")).unwrap();
    let set = format!("interval: 1h, unbounded_builtins: {unbounded_builtins}");
    fs::write(world.path("portreeve.yaml"), text.replace("interval: 1h", &set)).unwrap();
    let sidecar = world.start_ready().await;
    let mut caller =
        Caller::connect(world.api(), sidecar.addresses()[0], Alpn::Http1).await.unwrap();
    let mut statuses = Vec::new();
    for path in ["/wide", "/over", "/a"] {
        statuses.push(caller.get(path).await.unwrap().status);
    }
    let is_pooled = unbounded_builtins == "pool";
    let overruns = || {
        let parts = sidecar.report().readiness().parts;
        parts.iter().any(|part| part.reason == "evaluation.overruns")
    };
    assert_eq!(overruns(), is_pooled);
    until("what overran to end", async || !overruns()).await;
    let records = world.checked_records();
    let reason =
        |record: &&serde_json::Value| record["decision"]["reason"].as_str().unwrap().to_owned();
    let reasons: Vec<_> = of_kind(&records, "decision", "").iter().map(reason).collect();
    statuses.into_iter().zip(reasons).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builtin_over_its_bound_is_an_error_or_runs_where_it_can_be_given_up() {
    let told = |status: u16, reason: &str| (status, reason.to_owned());
    assert_eq!(
        decided_with("refuse").await,
        [told(503, "policy_error"), told(503, "policy_error"), told(200, "allowed")]
    );
    assert_eq!(
        decided_with("pool").await,
        [told(200, "allowed"), told(503, "overrun"), told(200, "allowed")]
    );
}
