//! Hostile bundles committed into the repository of a sidecar that runs: it stays up, keeps its last
//! good bundle, decides all the while and says why the candidate was refused.
//!
//! These are chosen so that each is refused in less than a second; a whole run of `policy check` takes
//! the same worker through all of them.

use super::caller::Caller;
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
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let process = world.run().await;
    let address = process.address().await;
    let good = world.repo.head();
    let cases: Vec<Case> = all().into_iter().filter(|case| CHOSEN.contains(&case.name)).collect();
    assert_eq!(cases.len(), CHOSEN.len());
    for case in cases {
        let Verdict::Refused(expected) = case.verdict else { panic!("{} loads", case.name) };
        world.repo.git(&["rm", "-r", "--quiet", "."]);
        for (file, content) in &case.files {
            let path = world.repo.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        world.repo.commit(&[]);
        let commit = world.repo.head();
        process.signal(rustix::process::Signal::HUP);
        let cause = std::sync::Mutex::new(String::new());
        let is_recorded = async || {
            let records = world.records();
            let rejected = of_kind(&records, "policy", "rejected");
            let found = rejected.iter().find(|record| record["policy"]["commit"] == *commit);
            if let Some(record) = found {
                *cause.lock().unwrap() = record["cause"].to_string();
            }
            found.is_some()
        };
        until(case.name, is_recorded).await;
        let cause = cause.into_inner().unwrap();
        let place = expected.split(": error").next().unwrap();
        assert!(cause.contains(place), "{}: no {place:?} in {cause}", case.name);
        let mut caller =
            Caller::connect(world.api(), address, portreeve::tls::Alpn::Http2).await.unwrap();
        for (path, status) in [("/a", 200), ("/b", 403)] {
            assert_eq!(caller.get(path).await.unwrap().status, status, "{}", case.name);
        }
        assert_eq!(process.reasons().await, Some(vec!["policy.not_updated".to_owned()]));
    }
    let records = world.checked_records();
    for decision in of_kind(&records, "decision", "") {
        assert_eq!(decision["policy"]["commit"], *good);
    }
}
