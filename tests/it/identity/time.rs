//! An SVID that grows late and expires, and a clock that cannot be right.

use std::time::Duration;

use portreeve::clock::Clock;
use portreeve::dev::Fault;
use portreeve_core::Timestamp;
use tokio::time::Instant;

use super::*;
use crate::support::{PATIENCE, PROGRAM, Setup, read_log, run, start_sidecar};

/// Between two looks at a log.
const POLL: Duration = Duration::from_millis(10);

fn seconds(at: i64) -> Timestamp {
    Timestamp::from_unix_seconds(at)
}

#[test]
fn an_agent_that_is_gone_until_our_svid_expires_ends_new_connections_and_only_then() {
    run(async {
        let clock = Clock::manual(Clock::system().now());
        let scene = Setup { clock: clock.clone(), ..Setup::default() }.start().await;
        let caller = web(&scene);
        let end = scene.sidecar.identity().current().unwrap().svid.not_after.unix_seconds();
        scene.workload_api.set_fault(Fault::Unavailable);
        scene.until("lost", || source(&scene).trouble.is_some()).await;

        clock.set(seconds(end - 1_100));
        assert_eq!(part(&scene), (PartState::Degraded, "identity.stale".to_owned()));
        scene.until_record(is_event("identity", "degraded", "identity.stale")).await;
        assert!(is_served(&scene, &caller).await);

        clock.set(seconds(end));
        assert_eq!(part(&scene), (PartState::NotReady, "identity.expired".to_owned()));
        scene.until_record(is_event("identity", "lost", "identity.expired")).await;
        assert!(!is_served(&scene, &caller).await);
        scene.until_record(is_refused("identity.expired")).await;
        assert!(scene.sidecar.report().status().identity.is_some(), "it is still told of");

        // As after a suspended machine wakes up: all by itself.
        scene.workload_api.rotate_svids().unwrap();
        scene.workload_api.set_fault(Fault::None);
        until_part(&scene, PartState::Ready, "").await;
        scene.finish().await;
    });
}

#[test]
fn a_clock_before_our_svid_refuses_all_by_name_until_it_is_set() {
    run(async {
        let now = Clock::system().now();
        let clock = Clock::manual(now);
        let scene = Setup { clock: clock.clone(), ..Setup::default() }.start().await;
        let caller = web(&scene);
        assert!(is_served(&scene, &caller).await);
        let begin = scene.sidecar.identity().current().unwrap().svid.not_before.unix_seconds();
        clock.set(seconds(begin - 3_600));
        assert_eq!(part(&scene), (PartState::NotReady, "clock.suspect".to_owned()));
        scene.until_record(is_event("clock", "suspect", "")).await;
        assert!(!is_served(&scene, &caller).await);
        scene.until_record(is_refused("clock.suspect")).await;
        clock.set(now);
        until_part(&scene, PartState::Ready, "").await;
        scene.until_record(is_event("clock", "set", "")).await;
        assert!(is_served(&scene, &caller).await);
        scene.finish().await;
    });
}

#[test]
fn a_clock_before_our_own_last_record_is_suspect_at_the_next_start() {
    run(async {
        let now = Clock::system().now();
        let stage = Setup { clock: Clock::manual(now), ..Setup::default() }.stage();
        let config = stage.config.clone();
        let scene = stage.start().await;
        scene.until_ready().await;
        let Scene { sidecar, workload_api: _api, repository: _, upstream: _up, dir } = scene;
        sidecar.drain(Instant::now() + PATIENCE).await;

        // The SVID of the embedded domain begins ten seconds before it is issued.
        let clock = Clock::manual(seconds(now.unix_seconds() - 86_400));
        let sidecar = start_sidecar(&config, dir.path(), &clock).await;
        let readiness = sidecar.report().readiness();
        let part = readiness.parts.iter().find(|part| part.name == "identity").unwrap();
        assert_eq!((part.state, &*part.reason), (PartState::NotReady, "clock.suspect"));
        assert!(part.text.contains("our own log has a record of"), "{}", part.text);
        let log = dir.path().join("state/log");
        let recorded = async |event| {
            let looking = async {
                loop {
                    let is_it = is_event("clock", event, "");
                    if let Some(found) = read_log(&log).into_iter().find(is_it) {
                        return found;
                    }
                    tokio::time::sleep(POLL).await;
                }
            };
            tokio::time::timeout(PATIENCE, looking).await.unwrap()
        };
        assert_eq!(recorded("suspect").await["evidence"], "record");
        clock.set(now);
        recorded("set").await;
        sidecar.drain(Instant::now() + PATIENCE).await;
    });
}

#[test]
fn a_start_without_an_svid_ends_after_the_timeout_where_there_is_one() {
    run(async {
        let stage = Setup::default().stage();
        let config = stage.dir.path().join("portreeve.yaml");
        std::fs::write(&config, &stage.config).unwrap();
        stage.workload_api.set_fault(Fault::Denied);
        let mut command = tokio::process::Command::new(PROGRAM);
        command.args(["run", "--identity-timeout", "1", "-c"]).arg(&config).kill_on_drop(true);
        let output = tokio::time::timeout(PATIENCE * 3, command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("no SVID after the identity's timeout"), "{said}");
    });
}
