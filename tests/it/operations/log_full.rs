//! The disk of the log is full: nothing is forwarded unrecorded, unless that was asked for.

use portreeve::tls::Alpn;
use serde_json::Value;

use super::caller::{BOTH, Caller};
use super::world::{World, of_kind, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_denies_and_forwards_nothing_until_there_is_room() {
    let world = World::new();
    let process = world.run().await;
    let address = process.address().await;
    let mut callers = Vec::new();
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
        callers.push(caller);
    }

    process.limit_files(Some(log_bytes(&world) + 100));
    for caller in &mut callers {
        let answer = caller.get("/a").await.unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.headers["retry-after"], "1");
    }
    assert_eq!(world.upstream.seen().len(), 2, "something was forwarded without its record");
    assert_eq!(process.reasons().await, Some(vec!["log.failing".to_owned()]));

    process.limit_files(None);
    for caller in &mut callers {
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    assert_eq!(process.reasons().await, Some(vec![]));
    let gap = gap(&world).await;
    assert_eq!((&gap["count"], &gap["forwarded"]), (&Value::from(2), &Value::from(false)));
    world.checked_records();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_that_may_drop_goes_on_and_records_the_gap_when_there_is_room() {
    let world = World::new();
    world.configure("log: { on_failure: drop }");
    let process = world.run().await;
    let address = process.address().await;
    let mut caller = Caller::connect(world.api(), address, Alpn::Http1).await.unwrap();
    process.limit_files(Some(log_bytes(&world) + 100));
    for _ in 0..3 {
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    assert_eq!(world.upstream.seen().len(), 3);
    assert_eq!(process.reasons().await, Some(vec!["log.failing".to_owned()]));
    process.limit_files(None);
    let gap = gap(&world).await;
    assert_eq!((&gap["count"], &gap["forwarded"]), (&Value::from(3), &Value::from(true)));
    assert_eq!(caller.get("/a").await.unwrap().status, 200);
    let records = world.records();
    let decisions = of_kind(&records, "decision", "");
    assert_eq!(decisions.len(), 1);
    for (at, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], at + 1, "{record}");
    }
}

/// The size of the one file of the log.
fn log_bytes(world: &World) -> u64 {
    let files = std::fs::read_dir(world.path("state/log")).unwrap().map(|file| file.unwrap());
    files.map(|file| file.metadata().unwrap().len()).max().unwrap()
}

async fn gap(world: &World) -> Value {
    let has_gap = async || !of_kind(&world.records(), "log", "gap").is_empty();
    until("the gap's record", has_gap).await;
    let records = world.records();
    let gaps = of_kind(&records, "log", "gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0]["cause"], "log.write");
    gaps[0].clone()
}
