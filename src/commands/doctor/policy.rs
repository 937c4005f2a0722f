//! The policy source, asked by a loader as the sidecar starts it, and the bundle that a start without
//! the source would have.

use std::path::Path;

use portreeve_core::policy::UnboundedBuiltins;
use portreeve_core::words::chain;

use super::super::policy::report::counted;
use super::Check;
use crate::loader::{Assignment, FetchRequest, Fetched, Keeper, Limits, Place};
use crate::store::{self, Settings};

/// A person waits; the sidecar itself waits longer.
const FETCH_SECONDS: u64 = 20;

pub(super) async fn checks(settings: &Settings, program: &Path) -> [Check; 2] {
    let last_good = store::last_good(&settings.directory);
    let known: Vec<String> = last_good.as_ref().ok().cloned().flatten().into_iter().collect();
    let source = source(settings, program, known).await;
    [source, last(settings, last_good)]
}

async fn source(settings: &Settings, program: &Path, known: Vec<String>) -> Check {
    let name = "policy source";
    let place = settings.source.repository();
    let to_do = format!("look at `policy.source`, and whether this user may read `{place}`");
    match look(settings, program, known).await {
        Ok(Fetched::Unchanged { known }) => {
            Check::ok(name, format!("`{place}` stands at {}", short(&known)))
        }
        Ok(Fetched::Candidate { commit, digest, files }) => {
            let at = if commit.is_empty() { &digest } else { &commit };
            Check::ok(
                name,
                format!("`{place}` stands at {}, with {}", short(at), counted(files, "file")),
            )
        }
        Ok(Fetched::Refused { text, .. }) => {
            let to_do = "what the source holds cannot be a bundle: correct it there";
            Check::fail(name, text, to_do)
        }
        Ok(Fetched::Failed { text }) => Check::fail(name, text, to_do),
        Err(error) => {
            let to_do = "the loader itself did not run: see the text";
            Check::fail(name, format!("{error:#}"), to_do)
        }
    }
}

/// One look with a store of its own: a running sidecar has the lock of the real one.
async fn look(settings: &Settings, program: &Path, known: Vec<String>) -> anyhow::Result<Fetched> {
    let store = tempfile::tempdir()?;
    for place in [Place::Candidates, Place::Bundles] {
        std::fs::create_dir(store.path().join(place.folder()))?;
    }
    let assignment = Assignment {
        source: settings.source.clone(),
        store: store.path().to_owned(),
        limits: Limits { fetch_seconds: FETCH_SECONDS, ..Limits::default() },
        unbounded_builtins: UnboundedBuiltins::default(),
    };
    let mut keeper = Keeper::start(program, &assignment).await?;
    Ok(keeper.fetch(FetchRequest { known }).await?)
}

fn last(settings: &Settings, last_good: std::io::Result<Option<String>>) -> Check {
    let name = "last good policy";
    let directory = settings.directory.display();
    match last_good {
        Ok(Some(at)) => Check::ok(name, format!("{} in `{directory}`", short(&at))),
        Ok(None) => Check::warn(
            name,
            format!("none in `{directory}` yet"),
            "the first start needs the source; after it, a start without the source serves too",
        ),
        Err(error) => {
            let found = format!("`{directory}` cannot be read: {}", chain(&error));
            Check::fail(name, found, "run it as the sidecar's user, or mend `state_dir`")
        }
    }
}

fn short(id: &str) -> String {
    id.chars().take(19).collect()
}
