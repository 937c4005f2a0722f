use std::fs;
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use portreeve_core::Timestamp;
use portreeve_core::policy::{Ground, Outcome, PolicyRef, Reason, Revision};
use portreeve_core::record::{Decided, FirstDecision};
use portreeve_core::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, Head, Scheme, Source,
};
use serde_json::Value;

use super::inner::lock;
use super::queue::QUEUE_LINES;
use super::*;
use crate::clock::Clock;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_have_no_gap_under_concurrent_writers() {
    for durability in [Durability::Written, Durability::Queued, Durability::Synced] {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path(), |settings| settings.durability = durability);
        let writers: Vec<_> = (0..8)
            .map(|_| {
                let log = log.clone();
                tokio::spawn(async move {
                    for _ in 0..50 {
                        let receipt = decide(&log, "/").await.unwrap();
                        log.end(&receipt, &End::default());
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let status = log.close().await;
        assert_eq!((status.state, status.queue, status.seq), (State::Ok, 0, 802), "{durability:?}");
        let records = records(dir.path());
        assert_eq!(records.len(), 802, "start, 400 decisions, 400 ends, stop: {durability:?}");
        for end in records.iter().filter(|record| record["kind"] == "end") {
            let of = usize::try_from(end["of"].as_u64().unwrap()).unwrap();
            let decision = &records[of - 1];
            assert_eq!((&decision["kind"], &decision["id"]), (&"decision".into(), &end["id"]));
        }
    }
}

#[tokio::test]
async fn a_restart_continues_the_numbers_and_quarantines_a_torn_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let _ = decide(&log, "/a").await.unwrap();
    log.close().await;
    let file = files::list(dir.path()).unwrap().pop().unwrap().path;
    let torn = b"{\"v\":1,\"seq\":4,\"id\":\"01";
    File::options().append(true).open(&file).unwrap().write_all(torn).unwrap();

    let log = open(dir.path(), |_| {});
    let receipt = decide(&log, "/b").await.unwrap();
    assert_eq!(receipt.seq(), Some(6), "start, /a, stop, start, recovered, then this");
    log.close().await;
    let records = records(dir.path());
    assert_eq!(events(&records), ["start", "stop", "start", "recovered", "stop"]);
    let quarantine = fs::read(recover::quarantine_path(&file)).unwrap();
    assert_eq!(quarantine, torn);
}

#[tokio::test]
async fn a_full_disk_denies_and_leaves_a_gap_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let file = swap_file(&log, File::options().write(true).open("/dev/full").unwrap());
    for _ in 0..3 {
        let refused = decide(&log, "/").await.unwrap_err();
        assert_eq!(refused.reason(), "log.write");
    }
    let status = log.status();
    assert_eq!(status.state, State::Failing);
    assert!(status.error.unwrap().contains("No space left"));
    assert_eq!(status.lost["log.write"], 3);
    swap_file(&log, file);
    assert_eq!(decide(&log, "/").await.unwrap().seq(), Some(2), "the losses took no number");
    assert_eq!(log.close().await.state, State::Ok);
    let records = records(dir.path());
    assert_eq!(events(&records), ["start", "gap", "stop"]);
    let gap = records.iter().find(|record| record["event"] == "gap").unwrap();
    assert_eq!((&gap["count"], &gap["forwarded"]), (&3.into(), &false.into()));
}

#[tokio::test]
async fn a_full_disk_with_drop_goes_on_and_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |settings| settings.on_failure = OnFailure::Drop);
    let file = swap_file(&log, File::options().write(true).open("/dev/full").unwrap());
    let receipt = decide(&log, "/").await.unwrap();
    assert_eq!(receipt.seq(), None);
    log.end(&receipt, &End::default());
    swap_file(&log, file);
    log.close().await;
    let records = records(dir.path());
    let gap = records.iter().find(|record| record["event"] == "gap").unwrap();
    assert_eq!((&gap["count"], &gap["forwarded"]), (&1.into(), &true.into()));
}

#[test]
fn a_line_that_was_half_written_spoils_no_other() {
    use std::io::Read as _;
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (mut appender, _) = appender::Appender::open(&settings(dir.path()), clock()).unwrap();
    appender.current.as_mut().unwrap().file = std::os::fd::OwnedFd::from(writer).into();
    let line = [vec![b'a'; 60_000], vec![b'\n']].concat();
    appender.append(&line, 1).unwrap();
    assert!(appender.append(&line, 2).is_err(), "the pipe holds 64 KiB");
    let mut all = vec![0; 1 << 20];
    let first = reader.read(&mut all).unwrap();
    appender.append(b"good\n", 2).unwrap();
    let second = reader.read(&mut all[first..]).unwrap();
    let text = String::from_utf8(all[..first + second].to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0].len(), lines[2]), (3, 60_000, "good"));
}

#[tokio::test]
async fn rotation_loses_nothing_and_old_files_are_pruned() {
    for durability in [Durability::Written, Durability::Queued, Durability::Synced] {
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path(), |settings| {
            settings.rotate_bytes = 4_096;
            settings.durability = durability;
        });
        for _ in 0..50 {
            let _ = decide(&log, "/").await.unwrap();
        }
        log.close().await;
        let records = records(dir.path());
        let kind = |kind| records.iter().filter(|record| record["kind"] == kind).count();
        assert_eq!(kind("decision"), 50);
        let files = files::list(dir.path()).unwrap();
        assert!(files.len() > 5, "{}", files.len());
        for file in &files {
            assert!(fs::metadata(&file.path).unwrap().len() <= 4_096, "{file:?}");
            let first = fs::read_to_string(&file.path).unwrap();
            let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
            assert_eq!(first["seq"], file.first_seq);
        }
        let log = open(dir.path(), |settings| {
            settings.rotate_bytes = 1_000;
            settings.keep_files = Some(3);
            settings.durability = durability;
        });
        let _ = decide(&log, "/").await.unwrap();
        let _ = decide(&log, "/").await.unwrap();
        log.close().await;
        let left = files::list(dir.path()).unwrap().len();
        // The records of the deletions themselves may begin further files.
        assert!(left < files.len(), "{left} of {}", files.len());
    }
}

#[tokio::test]
async fn a_directory_has_one_writer() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let second = Log::open(&settings(dir.path()), instance(), clock());
    let error = second.unwrap_err().to_string();
    assert!(error.contains("is in use by another process"), "{error}");
    log.close().await;
    drop(log);
    open(dir.path(), |_| {}).close().await;
}

#[tokio::test]
async fn files_are_for_us_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("a/log");
    open(&dir, |_| {}).close().await;
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in fs::read_dir(&dir).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_deleted_file_is_noticed_and_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let _ = decide(&log, "/").await.unwrap();
    fs::remove_file(files::list(dir.path()).unwrap().pop().unwrap().path).unwrap();
    log.close().await;
    let text = fs::read_to_string(files::list(dir.path()).unwrap().pop().unwrap().path).unwrap();
    let gap: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(gap["cause"], "log.file_removed");
    assert_eq!((&gap["from_seq"], &gap["to_seq"], &gap["seq"]), (&1.into(), &2.into(), &3.into()));
}

#[tokio::test]
async fn a_flood_of_refusals_takes_nothing_from_decisions() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |settings| settings.durability = Durability::Queued);
    for n in 0..100_000_u32 {
        log.refused(Refusal {
            stage: "tls",
            reason: "tls.no_certificate",
            source: IpAddr::from(n.to_le_bytes()),
            claimed: Some(ClaimedIdentity {
                spiffe_id: Some(format!("spiffe://td/{n}")),
                ..ClaimedIdentity::default()
            }),
            id: None,
            detail: None,
        });
    }
    let _ = decide(&log, "/").await.unwrap();
    let status = log.close().await;
    assert!(status.lost.is_empty(), "{:?}", status.lost);
    let records = records(dir.path());
    let refused: Vec<_> = records.iter().filter(|record| record["kind"] == "refused").collect();
    assert!(refused.len() < 1_000, "{}", refused.len());
    let counted: u64 =
        refused.iter().map(|record| record["refused"]["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 100_000);
}

#[test]
fn the_queue_is_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = open(dir.path(), |settings| settings.durability = Durability::Queued);
    let stuck = lock(&log.inner.appender);
    let mut accepted = 0;
    let refused = loop {
        match runtime.block_on(decide(&log, "/")) {
            Ok(_) => accepted += 1,
            Err(cause) => break cause,
        }
        assert!(accepted <= 2 * QUEUE_LINES, "one batch under way and one queue");
    };
    assert_eq!(refused.reason(), "log.queue_full");
    drop(stuck);
    runtime.block_on(log.close());
    let records = records(dir.path());
    let decisions = records.iter().filter(|record| record["kind"] == "decision").count();
    assert_eq!(decisions, accepted, "what was accepted is written");
    assert!(events(&records).contains(&"gap"));
}

#[tokio::test]
async fn synced_waits_for_the_log_thread() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |settings| settings.durability = Durability::Synced);
    let mut waiting = Box::pin(decide(&log, "/"));
    {
        let _stuck = lock(&log.inner.appender);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(waiting.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(waiting.await.unwrap().seq(), Some(2));
    log.close().await;
    let closed = decide(&log, "/").await.unwrap_err();
    assert_eq!(closed.reason(), "log.closed");
}

#[tokio::test]
async fn a_decision_is_found_with_its_end_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let receipt = decide(&log, "/").await.unwrap();
    let _ = decide(&log, &format!("/{}", receipt.id())).await.unwrap();
    log.end(&receipt, &End { status: Some(200), ..End::default() });
    log.close().await;
    let found = find(dir.path(), receipt.id()).unwrap();
    let kinds: Vec<_> = found.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["decision", "end"]);
    assert!(find(dir.path(), &decision_id(clock().now())).unwrap().is_empty());
}

#[tokio::test]
async fn a_log_is_followed_over_rotations() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |settings| settings.rotate_bytes = 2_000);
    for n in 0..10 {
        let _ = decide(&log, &format!("/{n}")).await.unwrap();
    }
    let is_decision = |line: &[u8]| String::from_utf8_lossy(line).contains("\"kind\":\"decision\"");
    let path = |line: &Vec<u8>| {
        let record: Value = serde_json::from_slice(line).unwrap();
        record["request"]["path"].as_str().map(str::to_owned)
    };
    let (lines, mut follow) = last(dir.path(), 4, is_decision).unwrap();
    let paths: Vec<_> = lines.iter().filter_map(path).collect();
    assert_eq!(paths, ["/6", "/7", "/8", "/9"]);
    assert!(follow.poll().unwrap().is_empty());
    for n in 10..20 {
        let _ = decide(&log, &format!("/{n}")).await.unwrap();
    }
    let mut paths = Vec::new();
    loop {
        let lines = follow.poll().unwrap();
        if lines.is_empty() {
            break;
        }
        paths.extend(lines.iter().filter_map(path));
    }
    assert_eq!(paths, (10..20).map(|n| format!("/{n}")).collect::<Vec<_>>());
    log.close().await;
}

#[tokio::test]
async fn a_line_that_is_too_long_is_an_error_and_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(files::name(Timestamp::from_unix_seconds(0), 1));
    let huge = vec![b'a'; 200_000];
    let lines = [b"{\"seq\":1}\n".to_vec(), huge, b"\n{\"seq\":2}\n{\"se".to_vec()].concat();
    fs::write(path, lines).unwrap();
    let read: Vec<_> = read(dir.path()).unwrap().map(|line| line.map(|line| line.len())).collect();
    assert!(matches!(read[..], [Ok(9), Err(ReadError::TooLong { .. }), Ok(9)]), "{read:?}");
}

#[test]
fn every_kind_of_event_fits_the_schema() {
    let revision = revision();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let id = portreeve_core::spiffe::SpiffeId::parse("spiffe://td/a").unwrap();
    let not_after = Timestamp::from_unix_seconds(1);
    for event in [
        Event::PolicyActivated { revision: &revision },
        Event::PolicyRejected { revision: &revision, cause: "line 1" },
        Event::ConfigLoaded { digest: "sha256:00" },
        Event::ConfigRejected { cause: "line 1" },
        Event::IdentityUpdated { spiffe_id: &id, not_after, sequence: 1 },
        Event::IdentityLost { reason: "identity.withdrawn", cause: "denied" },
        Event::IdentityDegraded { reason: "identity.stale", cause: "nobody answers" },
        Event::ClockSuspect { earliest: Timestamp::from_unix_seconds(1), evidence: "svid" },
        Event::ClockSet,
        Event::ConnectionCut { spiffe_id: Some(&id), reason: "trust.no_bundle", connections: 2 },
        Event::ConnectionCut { spiffe_id: None, reason: "trust.no_bundle", connections: 9 },
        Event::Blocked {
            spiffe_id: "spiffe://td",
            reason: "a\"b",
            until: Some(not_after),
            user: 0,
        },
        Event::Blocked { spiffe_id: "spiffe://td/web", reason: "r", until: None, user: 1_000 },
        Event::Unblocked { spiffe_id: "spiffe://td", user: 0 },
        Event::BlockExpired { spiffe_id: "spiffe://td/web" },
    ] {
        log.event(&event);
    }
    runtime.block_on(log.close());
    assert_eq!(records(dir.path()).len(), 17);
}

/// All records, each checked against the schema, with numbers that begin at 1 and have no gap.
#[track_caller]
fn records(dir: &Path) -> Vec<Value> {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = include_str!("../../schemas/record.json");
        jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap()
    });
    let mut records = Vec::new();
    for line in read(dir).unwrap() {
        let record: Value = serde_json::from_slice(&line.unwrap()).unwrap();
        assert!(SCHEMA.is_valid(&record), "{record}");
        records.push(record);
    }
    let numbers: Vec<_> = records.iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    let count = u64::try_from(records.len()).unwrap();
    assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
    records
}

fn events(records: &[Value]) -> Vec<&str> {
    let log = records.iter().filter(|record| record["kind"] == "log");
    log.map(|record| record["event"].as_str().unwrap()).collect()
}

fn open(dir: &Path, change: impl FnOnce(&mut Settings)) -> Log {
    let mut settings = settings(dir);
    change(&mut settings);
    Log::open(&settings, instance(), clock()).unwrap()
}

fn settings(dir: &Path) -> Settings {
    Settings {
        target: Target::Dir(dir.to_owned()),
        durability: Durability::Written,
        on_failure: OnFailure::Deny,
        end_records: false,
        rotate_bytes: 1 << 20,
        keep_files: None,
    }
}

fn clock() -> Clock {
    Clock::system()
}

fn instance() -> Instance {
    this_instance("orders".into())
}

/// Puts another file in place of the current one, as a disk that is full would look.
fn swap_file(log: &Log, file: File) -> File {
    let mut appender = lock(&log.inner.appender);
    std::mem::replace(&mut appender.current.as_mut().unwrap().file, file)
}

fn revision() -> Revision {
    let (repository, reference) = ("file:///policy".into(), "main".into());
    let (commit, digest) = ("4f1c".into(), "sha256:00".into());
    Revision { repository, reference, commit, digest, signer: None }
}

#[tokio::test]
async fn a_decision_is_found_with_those_that_decided_its_exchange_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), |_| {});
    let first = decide(&log, "/a").await.unwrap();
    let other = decide(&log, "/?%22of%22:2,").await.unwrap();
    let again = decide_of(&log, Some(FirstDecision(first.seq())), "/a").await.unwrap();
    let lost = decide_of(&log, Some(FirstDecision(None)), "/c").await.unwrap();
    log.end(&first, &End::default());
    log.close().await;
    let _ = records(dir.path());
    let found = |id| -> Vec<_> {
        let found = find(dir.path(), id).unwrap();
        found.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(found(first.id()), [2, 4, 6]);
    assert_eq!((found(other.id()), found(again.id())), (vec![3], vec![4]));
    assert_eq!(found(lost.id()), [5]);
}

async fn decide(log: &Log, target: &str) -> Result<Receipt, NotAccepted> {
    decide_of(log, None, target).await
}

async fn decide_of(
    log: &Log,
    of: Option<FirstDecision>,
    target: &str,
) -> Result<Receipt, NotAccepted> {
    let policies = [PolicyRef { id: "read".into(), file: "a.cedar".into(), line: 1 }];
    let decided = Decided {
        outcome: Outcome::Allow,
        ground: Some(Ground::Allowed),
        reason: Reason::Allowed,
        policies: &policies,
        errors: &[],
    };
    let id = decision_id(clock().now());
    log.accept(&id, of, &request(target), decided, &revision()).await
}

fn request(target: &str) -> AccessRequest {
    let parts = http::Request::get(target).header("host", "orders").body(()).unwrap();
    let address = "10.0.0.1:1".parse().unwrap();
    let source = Source { spiffe_id: None, address, certificate: None, jwt: None };
    let destination = Destination { spiffe_id: None, service: "orders".into(), address };
    AccessRequest {
        time: clock().now(),
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source, destination, None)),
        head: Head::canonical(parts.into_parts().0, Scheme::Http).unwrap(),
        route: "default".into(),
        body: Body::NotRead,
    }
}
