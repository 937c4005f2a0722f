//! Commits under load: one revision for each request, and what is broken changes nothing.

use std::collections::BTreeMap;

use portreeve::tls::Alpn;
use serde_json::Value;

use super::caller::{BOTH, Caller};
use super::load::Load;
use super::world::{World, of_kind, until};

const ONLY_A: &str =
    "permit(principal, action in Action::\"http\", resource) when { context.path == \"/a\" };\n";
const ONLY_B: &str =
    "permit(principal, action in Action::\"http\", resource) when { context.path == \"/b\" };\n";
const ONLY_B_IN_REGO: &str = "package authz

default allow := false

allow if input.request.path == \"/b\"
";

#[tokio::test(flavor = "multi_thread")]
async fn every_request_sees_one_revision_while_commits_alternate_under_load() {
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let sidecar = world.start_ready().await;
    let address = sidecar.addresses()[0];
    let mut allowed = BTreeMap::from([(world.repo.head(), "/a")]);
    let load = Load::kept(world.api(), address, &["/a", "/b"]).await;
    for round in 0..6 {
        // Rego's limit on running time is one of the clock on the wall, which a machine as busy as
        // this may exceed for any rule: see the change of languages below.
        let (policy, allows) = if round % 2 == 0 { (ONLY_B, "/b") } else { (ONLY_A, "/a") };
        world.repo.commit(&[("p.cedar", policy)]);
        let commit = world.repo.head();
        allowed.insert(commit.clone(), allows);
        sidecar.store().refresh();
        until("the commit to decide", async || {
            *sidecar.store().active().unwrap().revision.commit == *commit
        })
        .await;
    }
    let asked = load.stop().await;
    assert!(asked.len() > 200, "{} requests are no load", asked.len());

    let records = world.checked_records();
    // What was in flight at a commit was decided again, in records of its own.
    let (again, decisions): (Vec<_>, Vec<_>) = of_kind(&records, "decision", "")
        .into_iter()
        .partition(|record| record.get("of").is_some());
    let denied = again.iter().filter(|record| record["decision"]["outcome"] == "deny");
    let denied: Vec<_> = denied.map(|record| record["of"].as_u64()).collect();
    assert_eq!(decisions.len(), asked.len());
    let by_id: BTreeMap<&str, &Value> =
        decisions.iter().map(|record| (record["id"].as_str().unwrap(), *record)).collect();
    let mut used = BTreeMap::<&str, u32>::new();
    let mut broken_off = 0;
    for asked in &asked {
        let Ok(answer) = &asked.answer else {
            broken_off += 1;
            continue;
        };
        let record = by_id[&*answer.id];
        let (commit, allows) =
            allowed.get_key_value(record["policy"]["commit"].as_str().unwrap()).unwrap();
        *used.entry(commit).or_default() += 1;
        let (status, outcome) = if *allows == asked.path { (200, "allow") } else { (403, "deny") };
        assert_eq!(record["decision"]["outcome"], outcome, "{}", record["decision"]);
        let is_denied = denied.contains(&record["seq"].as_u64()) && answer.status == 403;
        assert!(answer.status == status || is_denied, "{} {record}", answer.status);
    }
    assert!(broken_off <= denied.len(), "{broken_off} of {}", denied.len());
    assert!(used.len() > 3, "the load met only {used:?}");
    assert_eq!(of_kind(&records, "policy", "activated").len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_changes_the_language_decides_kept_connections_from_then_on() {
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let sidecar = world.start_ready().await;
    let mut caller =
        Caller::connect(world.api(), sidecar.addresses()[0], Alpn::Http2).await.unwrap();
    for (old, new, statuses) in [
        ("p.cedar", ("p.rego", ONLY_B_IN_REGO), [403, 200]),
        ("p.rego", ("p.cedar", ONLY_A), [200, 403]),
    ] {
        world.repo.git(&["rm", "--quiet", old]);
        world.repo.commit(&[new]);
        let commit = world.repo.head();
        sidecar.store().refresh();
        until("the commit to decide", async || {
            *sidecar.store().active().unwrap().revision.commit == *commit
        })
        .await;
        for (path, status) in ["/a", "/b"].into_iter().zip(statuses) {
            assert_eq!(caller.get(path).await.unwrap().status, status, "{path} by {}", new.0);
        }
    }
    world.checked_records();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_commit_changes_nothing_and_its_record_says_where_it_is_broken() {
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let good = world.repo.head();
    let sidecar = world.start_ready().await;
    let mut caller =
        Caller::connect(world.api(), sidecar.addresses()[0], Alpn::Http1).await.unwrap();
    for (broken, place) in [
        (
            "permit(principal, action in Action::\"http\", resource)\n  when { context.pth == 1 };\n",
            "p.cedar:2:",
        ),
        ("permit(principal, action, resource);\npermit(\n", "p.cedar:"),
    ] {
        world.repo.commit(&[("p.cedar", broken)]);
        let commit = world.repo.head();
        sidecar.store().refresh();
        until("the rejection", async || {
            let error = sidecar.store().status().last_error;
            error.is_some_and(|error| error.commit == commit)
        })
        .await;
        for (path, status) in [("/a", 200), ("/b", 403)] {
            assert_eq!(caller.get(path).await.unwrap().status, status);
        }
        let readiness = sidecar.report().readiness();
        assert!(readiness.is_ready());
        let policy = readiness.parts.iter().find(|part| part.name == "policy").unwrap();
        assert_eq!(policy.reason, "policy.not_updated");
        assert!(policy.text.starts_with(place), "{}", policy.text);
        let status = sidecar.report().status().policy.unwrap();
        assert_eq!(status.commit, good);
        assert!(status.last_error.unwrap().starts_with(place));
        let is_recorded = async || {
            let records = world.records();
            let rejected = of_kind(&records, "policy", "rejected");
            rejected.iter().any(|record| {
                record["policy"]["commit"] == *commit
                    && record["cause"].as_str().unwrap().starts_with(place)
            })
        };
        until("the rejection's record", is_recorded).await;
    }
    world.repo.commit(&[("p.cedar", ONLY_A)]);
    sidecar.store().refresh();
    until("readiness without reserve", async || {
        sidecar.report().readiness().parts.iter().all(|part| part.reason.is_empty())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_would_abort_a_parser_leaves_the_sidecar_up_and_deciding() {
    let world = World::with(&[("p.cedar", ONLY_A)]);
    let process = world.run().await;
    let address = process.address().await;
    let load = Load::kept(world.api(), address, &["/a", "/b"]).await;
    let (open, close) = ("(".repeat(200_000), ")".repeat(200_000));
    let cedar = format!("permit(principal, action, resource) when {{ {open}true{close} }};");
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let rego = format!("package authz\n\nallow if {open}{close} != 1\n");
    for (file, text) in [("p.cedar", &cedar), ("p.rego", &rego)] {
        world.repo.commit(&[(file, text)]);
        let commit = world.repo.head();
        process.signal(rustix::process::Signal::HUP);
        let is_recorded = async || {
            let records = world.records();
            let rejected = of_kind(&records, "policy", "rejected");
            rejected.iter().any(|record| record["policy"]["commit"] == *commit)
        };
        until("the rejection's record", is_recorded).await;
        world.repo.git(&["rm", "--quiet", file]);
    }
    for asked in load.stop().await {
        let expected = if asked.path == "/a" { 200 } else { 403 };
        assert_eq!(asked.answer.unwrap().status, expected);
    }
    for alpn in BOTH {
        let mut caller = Caller::connect(world.api(), address, alpn).await.unwrap();
        assert_eq!(caller.get("/a").await.unwrap().status, 200);
    }
    assert_eq!(process.reasons().await, Some(vec!["policy.not_updated".to_owned()]));
    world.checked_records();
}
