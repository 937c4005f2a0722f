//! What the sidecar depends on goes away, one after another, while it serves.

use std::fs;

use portreeve::store::LoaderState;
use rustix::process::{Pid, Signal};

use super::caller::{BOTH, Caller};
use super::upstream;
use super::world::{World, of_kind, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_dependency_that_goes_away_has_its_documented_answer_and_no_record_is_lost() {
    let mut world = World::new();
    let sidecar = world.start_ready().await;
    let address = sidecar.addresses()[0];
    let mut callers = Vec::new();
    for alpn in BOTH {
        callers.push(Caller::connect(world.api(), address, alpn).await.unwrap());
    }
    let reasons = || {
        let parts = sidecar.report().readiness().parts;
        let reasons = parts.into_iter().map(|part| part.reason.into_owned());
        reasons.filter(|reason| !reason.is_empty()).collect::<Vec<_>>()
    };

    // The git repository: the active policy decides on.
    fs::rename(world.repo.path(), world.repo.path().with_extension("away")).unwrap();
    sidecar.store().refresh();
    until("the source to be missed", async || reasons() == ["policy.not_updated"]).await;
    assert_eq!(statuses(&mut callers).await, [200, 200]);

    // The Workload API: the SVID holds until its end, also for new connections.
    let issuer = world.api.take().unwrap();
    fs::remove_file(world.path("api.sock")).unwrap();
    issuer.drop_streams();
    for alpn in BOTH {
        callers.push(Caller::connect(&issuer, address, alpn).await.unwrap());
    }
    drop(issuer);
    assert_eq!(statuses(&mut callers).await, [200; 4]);
    assert_eq!(reasons(), ["policy.not_updated"]);

    // The loader: degraded until a restart.
    let loader = sidecar.store().status().loader.process.unwrap();
    let loader = Pid::from_raw(loader.try_into().unwrap()).unwrap();
    rustix::process::kill_process(loader, Signal::KILL).unwrap();
    until("the loader to be missed", async || reasons() == ["loader.gone"]).await;
    assert_eq!(sidecar.store().status().loader.state, LoaderState::Gone);
    assert_eq!(statuses(&mut callers).await, [200; 4]);
    assert!(sidecar.report().readiness().is_ready());

    // The service: its callers are told, and it is found again.
    world.upstream.stop().await;
    assert_eq!(statuses(&mut callers).await, [502; 4]);
    let seen = world.upstream.seen();
    world.upstream = upstream::start(world.dir.path(), &world.released);
    assert_eq!(statuses(&mut callers).await, [200; 4]);

    let records = world.checked_records();
    crate::support::check_oracles(&records, &seen);
    let ends = of_kind(&records, "end", "");
    assert_eq!(ends.len(), 4, "{ends:?}");
    // A kept connection to the service may break off under the first request.
    let reasons = ["upstream.connect", "upstream.no_response"];
    assert!(ends.iter().all(|end| reasons.contains(&end["flags"][0].as_str().unwrap())));
    assert_eq!(of_kind(&records, "decision", "").len(), 2 + 4 + 4 + 4 + 4);
    assert_eq!(sidecar.log().status().lost.values().sum::<u64>(), 0);
}

async fn statuses(callers: &mut [Caller]) -> Vec<u16> {
    let mut statuses = Vec::new();
    for caller in callers {
        statuses.push(caller.get("/a").await.unwrap().status);
    }
    statuses
}
