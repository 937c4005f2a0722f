//! `kill -9` at any moment: what the service saw stands in the log, and the next start goes on.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::load::Load;
use super::world::{World, of_kind, until};

const ROUNDS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_that_is_killed_under_load_has_recorded_whatever_reached_the_service() {
    let world = World::new();
    let commit = world.repo.head();
    let (mut torn, mut total) = (0, 0);
    for round in 0..ROUNDS {
        let mut process = world.spawn();
        process.serving().await;
        let load = Load::kept(world.api(), process.address().await, &["/a"]).await;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(20..250))).await;
        process.signal(Signal::KILL);
        process.ended().await;
        let answered = load.stop().await.into_iter().filter_map(|asked| asked.answer.ok());
        let answered: BTreeSet<String> = answered.map(|answer| answer.id).collect();

        let records = world.checked_records();
        let decisions = of_kind(&records, "decision", "");
        let recorded = decisions.iter().map(|record| record["id"].as_str().unwrap().to_owned());
        assert!(answered.is_subset(&recorded.collect()));
        total += answered.len();
        assert!(decisions.iter().all(|record| record["policy"]["commit"] == *commit));
        assert_eq!(of_kind(&records, "log", "start").len(), round + 1);

        if round == 0 {
            // From here on each start goes on with the last good policy.
            fs::rename(world.repo.path(), world.repo.path().with_extension("away")).unwrap();
        }
        if round % 4 == 0 {
            // One `write` is whole or not there after a kill; the loss of power can cut it.
            let mut file = File::options().append(true).open(newest_log(&world)).unwrap();
            file.write_all(b"{\"v\":1,\"seq\":99,\"id\":\"01").unwrap();
            torn += 1;
        }
    }
    assert!(total > 10 * ROUNDS, "{total} answers are no load");
    let mut process = world.spawn();
    process.serving().await;
    until("the repository to be missed", async || {
        process.reasons().await == Some(vec!["policy.not_updated".to_owned()])
    })
    .await;
    process.signal(Signal::TERM);
    assert_eq!(process.ended().await.code(), Some(0));
    let records = world.checked_records();
    assert_eq!(of_kind(&records, "log", "recovered").len(), torn);
    let quarantined = fs::read_dir(world.path("state/log")).unwrap().filter(|file| {
        file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "torn")
    });
    assert_eq!(quarantined.count(), 1);
}

fn newest_log(world: &World) -> PathBuf {
    let files = fs::read_dir(world.path("state/log")).unwrap().map(|file| file.unwrap().path());
    let mut logs: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|it| it == "ndjson")).collect();
    logs.sort();
    logs.pop().unwrap()
}
