use std::time::Duration;

use portreeve_core::policy::{Files, Outcome, Reason, Revision};
use portreeve_core::request::Enforcement;
use serde_json::json;
use tokio::time::Instant;

use super::*;

/// Below what the slow policy takes, far above a scheduler's hiccup.
const BUDGET: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(20);

/// Loops until the engine's own limit stops it, half a second later.
const SLOW: &str = "package authz
n := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
allow if {
    input.request.path == \"/fast\"
}
allow if {
    input.request.path == \"/slow\"
    some a in n
    some b in n
    some c in n
    some d in n
    some e in n
    some f in n
    some g in n
    a + b + c + d + e + f + g == 0
}
";

fn pool(threads: usize) -> Pool {
    Pool::new(Settings { threads, stack_bytes: 8 << 20, budget: BUDGET })
}

fn bundle() -> Arc<Bundle> {
    let mut files = Files::default();
    files.insert("authz.rego", SLOW.as_bytes().to_vec()).unwrap();
    Arc::new(Bundle::load(&files, Revision::default()).unwrap().0)
}

fn request(path: &str) -> AccessRequest {
    AccessRequest::described(&json!({ "path": path })).unwrap()
}

async fn settled(pool: &Pool) {
    let start = Instant::now();
    while pool.status().overrunning > 0 {
        assert!(start.elapsed() < PATIENCE, "{:?}", pool.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_in_time_is_decided_as_it_would_be_inline() {
    let (pool, bundle) = (pool(1), bundle());
    for (path, outcome) in [("/fast", Outcome::Allow), ("/other", Outcome::Deny)] {
        let access = request(path);
        let decision = pool.decide_elsewhere(&bundle, &access).await;
        assert_eq!(decision.outcome, outcome);
        assert_eq!(decision.reason, decide(&bundle, &access).reason);
        assert_eq!(decision.ground().is_some(), outcome == Outcome::Allow);
    }
    assert_eq!(pool.status(), PoolStatus::default());
}

#[tokio::test]
async fn what_overruns_is_an_error_and_its_thread_is_replaced() {
    let (pool, bundle) = (pool(1), bundle());
    let decision = pool.decide_elsewhere(&bundle, &request("/slow")).await;
    assert_eq!((decision.outcome, decision.reason), (Outcome::Error, Reason::Overrun));
    assert!(decision.ground().is_none());
    // The only thread is still at it, and the next request is decided all the same.
    assert_eq!(pool.status(), PoolStatus { overrunning: 1, overruns: 1 });
    let decision = pool.decide_elsewhere(&bundle, &request("/fast")).await;
    assert_eq!(decision.outcome, Outcome::Allow);
    settled(&pool).await;
    assert_eq!(pool.status(), PoolStatus { overrunning: 0, overruns: 1 });
}

#[tokio::test]
async fn a_shadowed_request_that_overruns_is_forwarded_and_says_so() {
    let (pool, bundle) = (pool(1), bundle());
    let access = AccessRequest { enforcement: Enforcement::Shadow, ..request("/slow") };
    let decision = pool.decide_elsewhere(&bundle, &access).await;
    assert_eq!(decision.outcome, Outcome::Error);
    assert!(decision.ground().is_some());
}

#[tokio::test]
async fn a_caller_that_goes_away_costs_no_thread_for_ever() {
    let (pool, bundle) = (pool(1), bundle());
    let slow = request("/slow");
    let waits = pool.decide_elsewhere(&bundle, &slow);
    assert!(tokio::time::timeout(BUDGET / 4, waits).await.is_err());
    tokio::time::sleep(BUDGET).await;
    let decision = pool.decide_elsewhere(&bundle, &request("/fast")).await;
    assert_eq!(decision.outcome, Outcome::Allow);
    settled(&pool).await;
}

#[tokio::test]
async fn with_too_many_threads_given_up_nothing_more_is_taken() {
    let (pool, bundle) = (pool(pool::MAX_OVERRUNNING), bundle());
    let slow = request("/slow");
    let asked: Vec<_> =
        (0..pool::MAX_OVERRUNNING).map(|_| pool.decide_elsewhere(&bundle, &slow)).collect();
    for decision in futures_util::future::join_all(asked).await {
        assert_eq!(decision.reason, Reason::Overrun);
    }
    assert_eq!(pool.status().overrunning, pool::MAX_OVERRUNNING);
    let decision = pool.decide_elsewhere(&bundle, &request("/fast")).await;
    assert_eq!(decision.reason, Reason::Overrun);
    settled(&pool).await;
    let decision = pool.decide_elsewhere(&bundle, &request("/fast")).await;
    assert_eq!(decision.outcome, Outcome::Allow);
}
