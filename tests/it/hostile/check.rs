//! `policy check` on every hostile bundle: an answer within ten seconds, at its place.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::corpus::{Case, Verdict, all};
use crate::support::PROGRAM;

/// The promise.
const LIMIT: Duration = Duration::from_secs(10);
/// As many at once as a small machine has processors, so that each may use its time.
const THREADS: usize = 2;

fn write(case: &Case, folder: &Path) {
    for (file, content) in &case.files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// What is wrong with the way that a case was answered.
fn complaint(case: &Case) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    write(case, folder.path());
    let mut command = Command::new(PROGRAM);
    command.args(["policy", "check", "."]).current_dir(folder.path()).env_clear();
    let started = tokio::time::Instant::now();
    let Output { status, stdout, stderr } = command.output().unwrap();
    let taken = started.elapsed();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let (code, expected) = match case.verdict {
        Verdict::Refused(text) => (1, text),
        Verdict::Loads => (0, ": loads, with"),
        Verdict::Bounded => (i32::from(status.code() != Some(0)), case.files[0].0.as_str()),
    };
    let expected = if code == 0 { ": loads, with" } else { expected };
    let text = text.replace("./", "");
    let core = fs::read_dir(folder.path()).unwrap().count() > case.files.len();
    // The worker's death is the reserve, not the answer.
    let is_crash = text.contains("the check crashed") || text.contains("the check was stopped");
    let is_good = status.code() == Some(code) && text.contains(expected) && taken < LIMIT;
    (core || is_crash || !is_good).then(|| {
        let text: String = text.chars().take(700).collect();
        format!("{} ({status}, {taken:?}), expected {code} and {expected:?}:\n{text}", case.name)
    })
}

#[test]
fn every_hostile_bundle_is_answered_in_time_with_its_place() {
    let cases = all();
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    complaints.lock().unwrap().extend(complaint(case));
                }
            });
        }
    });
    let complaints = complaints.into_inner().unwrap();
    assert!(
        complaints.is_empty(),
        "{} of {}:\n\n{}",
        complaints.len(),
        cases.len(),
        complaints.join("\n\n")
    );
}
