//! Runs something again whenever a file of a folder changes.
//!
//! Times and sizes are looked at again and again: that works on every file system, and a folder of
//! policies is small. What changes during a run is seen after it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use tokio::runtime::Runtime;

use super::report::printable;
use crate::commands::{Exit, complain};

/// As soon as a person has turned from the editor; looking takes a millisecond.
const INTERVAL: Duration = Duration::from_millis(300);
/// As many as are read for one run, in folders as deep.
const MAX_FILES: usize = 20_000;
const MAX_DEPTH: usize = 32;
/// Of the files that changed, on the line between two runs.
const MAX_NAMED: usize = 5;

/// The files of a folder, each with its size and when it was written.
type Snapshot = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// Runs until interrupted and gives back the end of the last run.
pub(super) fn watch(
    folder: &Path,
    run: impl FnMut() -> anyhow::Result<Exit>,
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start watching")?;
    let interrupt = {
        let _entered = runtime.enter();
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
    };
    let mut interrupt = interrupt.context("failed to watch for an interrupt")?;
    let interrupted = async move {
        interrupt.recv().await;
    };
    follow(&runtime, folder, INTERVAL, interrupted, run, &mut stdout())
}

/// The same with any interval and end. What is run has a runtime of its own, so that it cannot run
/// inside of this one; an interrupt that comes meanwhile is seen after it.
fn follow(
    runtime: &Runtime,
    folder: &Path,
    interval: Duration,
    interrupted: impl Future<Output = ()>,
    mut run: impl FnMut() -> anyhow::Result<Exit>,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let mut interrupted = pin!(interrupted);
    loop {
        let before = snapshot(folder)?;
        // A folder that is just being written may not be read as a whole: its next state counts.
        let exit = run().unwrap_or_else(|error| {
            let _ = complain(&mut stderr(), &error);
            Exit::CouldNotRun
        });
        let changed = runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    () = &mut interrupted => return Ok(Vec::new()),
                    () = tokio::time::sleep(interval) => {}
                }
                let changed = changed(&before, &snapshot(folder)?);
                if !changed.is_empty() {
                    return anyhow::Ok(changed);
                }
            }
        })?;
        if changed.is_empty() {
            return Ok(exit);
        }
        writeln!(out, "\n--- {} ---", told(folder, &changed))?;
    }
}

/// `changed: a.rego, b/c.rego and 3 more`
fn told(folder: &Path, changed: &[PathBuf]) -> String {
    let name = |path: &PathBuf| {
        let path = path.strip_prefix(folder).unwrap_or(path);
        printable(&path.display().to_string()).into_owned()
    };
    let names: Vec<String> = changed.iter().take(MAX_NAMED).map(name).collect();
    let more = changed.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("changed: {}{more}", names.join(", "))
}

/// What is new, gone or different.
fn changed(before: &Snapshot, after: &Snapshot) -> Vec<PathBuf> {
    let mut changed: Vec<PathBuf> = after
        .iter()
        .filter(|(path, state)| before.get(*path) != Some(state))
        .map(|(path, _)| path.clone())
        .collect();
    changed.extend(before.keys().filter(|path| !after.contains_key(*path)).cloned());
    changed.sort();
    changed
}

fn snapshot(folder: &Path) -> anyhow::Result<Snapshot> {
    let mut found = Snapshot::new();
    let is_folder = folder.is_dir();
    ensure!(is_folder, "there is no folder `{}` any more to watch", folder.display());
    add(folder, 0, &mut found)
        .with_context(|| format!("failed to look through folder `{}`", folder.display()))?;
    Ok(found)
}

/// What goes while it is looked at is gone; what is hidden belongs to editors and version control.
fn add(folder: &Path, depth: usize, found: &mut Snapshot) -> anyhow::Result<()> {
    ensure!(depth <= MAX_DEPTH, "it is more than {MAX_DEPTH} levels deep");
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let is_hidden = name.to_string_lossy().starts_with('.') && name != ".manifest";
        let Ok(kind) = entry.file_type() else { continue };
        if is_hidden {
            continue;
        }
        if kind.is_dir() {
            add(&entry.path(), depth.saturating_add(1), found)?;
        } else if let Ok(metadata) = std::fs::metadata(entry.path()) {
            found.insert(entry.path(), (metadata.len(), metadata.modified().ok()));
            ensure!(found.len() <= MAX_FILES, "it holds more than {MAX_FILES} files");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use anyhow::bail;

    use super::*;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// Runs `steps` one after the other, each a run with what it does to the folder; the interrupt comes
    /// with the end of the last one. What was printed between leaves.
    fn check(
        folder: &Path,
        steps: &[&dyn Fn() -> anyhow::Result<Exit>],
    ) -> (anyhow::Result<Exit>, String) {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let end = Cell::new(Some(end));
        let runs = Cell::new(0);
        let run = || {
            let step = steps[runs.get()];
            runs.set(runs.get() + 1);
            if runs.get() == steps.len() {
                drop(end.take());
            }
            step()
        };
        let mut out = Vec::new();
        let interrupted = async { drop(ended.await) };
        let exit = follow(&runtime(), folder, Duration::from_millis(1), interrupted, run, &mut out);
        (exit, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_change_runs_again_and_the_last_end_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        fs::create_dir(path.join("a")).unwrap();
        fs::write(path.join("a/x.rego"), "1").unwrap();
        let longer = || {
            fs::write(path.join("a/x.rego"), "22")?;
            Ok(Exit::No)
        };
        let new = || {
            fs::write(path.join(".manifest"), "{}")?;
            Ok(Exit::No)
        };
        let gone = || {
            fs::remove_file(path.join("a/x.rego"))?;
            Ok(Exit::No)
        };
        let (exit, out) = check(&path, &[&longer, &new, &gone, &|| Ok(Exit::Good)]);
        assert_eq!(exit.unwrap(), Exit::Good);
        let expected = "\n--- changed: a/x.rego ---\n\n--- changed: .manifest ---\n\
                        \n--- changed: a/x.rego ---\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn a_run_that_fails_waits_for_the_next_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let half = || {
            fs::write(path.join("x"), "1")?;
            bail!("half written")
        };
        let (exit, _) = check(&path, &[&half, &|| bail!("again")]);
        assert_eq!(exit.unwrap(), Exit::CouldNotRun);
    }

    #[test]
    fn a_folder_that_vanishes_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inner");
        fs::create_dir(&path).unwrap();
        let gone = || {
            fs::remove_dir(&path)?;
            Ok(Exit::Good)
        };
        let (exit, _) = check(&path, &[&gone, &|| Ok(Exit::Good)]);
        let error = exit.unwrap_err().to_string();
        assert!(error.contains("any more to watch"), "{error}");
        let run = || Ok(Exit::Good);
        assert!(follow(&runtime(), &path, INTERVAL, async {}, run, &mut Vec::new()).is_err());
    }

    #[test]
    fn many_changes_are_counted() {
        let paths: Vec<PathBuf> = (0..7).map(|n| PathBuf::from(format!("p/{n}.rego"))).collect();
        let expected = "changed: 0.rego, 1.rego, 2.rego, 3.rego, 4.rego and 2 more";
        assert_eq!(told(Path::new("p"), &paths), expected);
    }
}
