//! Hostile bundles committed into the repository of a sidecar that runs: it stays up, keeps its last
//! good bundle, decides all the while and says why the candidate was refused.
//!
//! These are chosen so that each is refused in less than a second; with `PORTREEVE_LONG` in the
//! environment (`.ci/run --long`) it is the whole corpus, also what loads.

use std::io::Write as _;

use super::caller::Caller;
use super::process::Process;
use super::world::{ONLY_A, World, of_kind, until};
use crate::hostile::corpus::{Case, Verdict, all};

/// One or more of every kind of refusal: the scan, the parser, the checks, data, Cedar, the trial.
const CHOSEN: [&str; 16] = [
    "parentheses",
    "unclosed arrays",
    "a chain of functions",
    "mutually recursive functions",
    "a range of a thousand million",
    "four loops over data",
    "a rule behind a NUL",
    "text turned round",
    "deep data",
    "deep YAML in brackets",
    "a million laughs",
    "data in the place of a rule",
    "Cedar additions",
    "Cedar indexes",
    "deep schema records",
    "doubling schema types",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_running_sidecar_refuses_hostile_bundles_and_keeps_deciding() {
    let is_long = std::env::var_os("PORTREEVE_LONG").is_some();
    let is_wanted = |case: &Case| is_long || CHOSEN.contains(&case.name);
    let cases: Vec<Case> = all().into_iter().filter(is_wanted).collect();
    assert!(cases.len() >= CHOSEN.len());
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let process = world.run().await;
    let address = process.address().await;
    let mut good = vec![world.repo.head()];
    for case in &cases {
        let (event, cause) = commit(&world, &process, case).await;
        match (&case.verdict, event) {
            (Verdict::Refused(expected), "rejected") => {
                let place = expected.split(": error").next().unwrap();
                assert!(cause.contains(place), "{}: no {place:?} in {cause}", case.name);
            }
            (Verdict::Loads, "activated") | (Verdict::Bounded, _) => {}
            _ => panic!("{}: {event} {cause}", case.name),
        }
        for word in ["the check crashed", "the check was stopped"] {
            assert!(!cause.contains(word), "{}: {cause}", case.name);
        }
        // What it serves now may be the case itself: it answers, and then it serves the good one again.
        if event == "activated" {
            good.push(world.repo.head());
            let mut caller =
                Caller::connect(world.api(), address, portreeve::tls::Alpn::Http2).await.unwrap();
            assert!(caller.get("/a").await.is_ok(), "{}", case.name);
            let (event, cause) = commit(&world, &process, &only_a()).await;
            assert_eq!(event, "activated", "after {}: {cause}", case.name);
            good.push(world.repo.head());
        }
        let mut caller =
            Caller::connect(world.api(), address, portreeve::tls::Alpn::Http2).await.unwrap();
        for (path, status) in [("/a", 200), ("/b", 403)] {
            assert_eq!(caller.get(path).await.unwrap().status, status, "{}", case.name);
        }
        let reasons =
            if event == "rejected" { vec!["policy.not_updated".to_owned()] } else { vec![] };
        assert_eq!(process.reasons().await, Some(reasons), "{}", case.name);
    }
    let records = world.checked_records();
    for decision in of_kind(&records, "decision", "") {
        let commit = decision["policy"]["commit"].as_str().unwrap();
        assert!(good.iter().any(|good| good == commit), "{decision}");
    }
    // Past the capture of a test that passes: a run says how much it was.
    let mut out = std::io::stderr().lock();
    writeln!(out, "{} hostile bundles against a running sidecar", cases.len()).unwrap();
}

fn only_a() -> Case {
    let files = vec![("p.cedar".to_owned(), ONLY_A.as_bytes().to_vec())];
    Case { name: "the good bundle", files, verdict: Verdict::Loads }
}

/// Commits a case alone, and waits for the record of what became of it: the event and the cause.
async fn commit(world: &World, process: &Process, case: &Case) -> (&'static str, String) {
    world.repo.git(&["rm", "-r", "--quiet", "."]);
    for (file, content) in &case.files {
        let path = world.repo.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    world.repo.commit(&[]);
    let commit = world.repo.head();
    process.signal(rustix::process::Signal::HUP);
    let outcome = std::sync::Mutex::new(None);
    until(case.name, async || {
        let records = world.records();
        for event in ["rejected", "activated"] {
            let found = of_kind(&records, "policy", event);
            if let Some(record) = found.iter().find(|record| record["policy"]["commit"] == *commit)
            {
                *outcome.lock().unwrap() = Some((event, record["cause"].to_string()));
                return true;
            }
        }
        false
    })
    .await;
    outcome.into_inner().unwrap().unwrap()
}
