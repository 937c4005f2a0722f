//! The first five minutes of a new user, by the program itself.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

fn portreeve(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).stdin(Stdio::null());
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// The whole script passes, and nothing is left of it.
#[track_caller]
fn check_script(language: &str, change: &str) {
    let root = tempfile::tempdir().unwrap();
    let mut demo = portreeve(&["demo", "--script", "--language", language]);
    let (out, err) = texts(&demo.env("TMPDIR", root.path()).output().unwrap());
    let closing = out.lines().next_back().unwrap_or_default();
    let passed = closing.strip_suffix(" passed, 0 failed").and_then(|count| count.parse().ok());
    assert!(passed.is_some_and(|count: usize| count >= 25), "{out}{err}");
    assert!(!out.contains("FAILED") && out.contains(change), "{out}");
    assert!(err.starts_with("removed ") && err.lines().count() == 1, "{err}");
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn the_scripted_demo_passes_in_cedar() {
    check_script("cedar", "orders.cedar");
}

#[test]
fn the_scripted_demo_passes_in_rego() {
    check_script("rego", "authz/orders.rego");
}

#[test]
fn what_the_demo_keeps_can_be_looked_at_afterwards() {
    let root = tempfile::tempdir().unwrap();
    let kept = root.path().join("kept");
    let directory = kept.to_str().unwrap();
    let demo = portreeve(&["demo", "--script", "--keep", directory]).output().unwrap();
    let (out, err) = texts(&demo);
    assert!(demo.status.success(), "{out}{err}");
    assert!(err.ends_with(&format!("everything is left in {directory}\n")), "{err}");
    for gone in ["app.sock", "workload-api.sock", "state/admin.sock"] {
        assert!(!kept.join(gone).exists(), "{gone}");
    }

    let config = kept.join("portreeve.yaml");
    let config = config.to_str().unwrap();
    let (tail, _) =
        texts(&portreeve(&["tail", "-c", config, "--format", "json"]).output().unwrap());
    let records = tail.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let decisions: Vec<_> = records.filter(|record| record["kind"] == "decision").collect();
    let outcomes: Vec<_> = decisions.iter().map(|it| &it["decision"]["outcome"]).collect();
    assert_eq!(outcomes, ["allow", "deny", "allow"]);
    for decision in &decisions {
        let id = decision["id"].as_str().unwrap();
        let explain = portreeve(&["explain", id, "-c", config]).output().unwrap();
        let (explained, _) = texts(&explain);
        assert!(explain.status.success() && explained.contains(id), "{explained}");
    }

    let again = portreeve(&["demo", "--keep", directory]).output().unwrap();
    assert_eq!(again.status.code(), Some(2), "a directory that is not empty is left alone");
    assert!(texts(&again).1.contains("is not empty"));
}

/// Twin of the scripts that pass: an edit that changes nothing is seen, and the exit code says so.
#[test]
fn a_demo_in_which_something_differs_fails() {
    let root = tempfile::tempdir().unwrap();
    let sed = root.path().join("sed");
    std::fs::write(&sed, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&sed, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", root.path().display(), std::env::var("PATH").unwrap());
    let demo = portreeve(&["demo", "--script"]).env("PATH", path).output().unwrap();
    let (out, err) = texts(&demo);
    assert_eq!(demo.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("FAILED status `403`, and it should be `200`"), "{out}");
    let closing = out.lines().next_back().unwrap_or_default();
    assert!(closing.contains(" passed, ") && !closing.ends_with(" 0 failed"), "{closing}");
}

#[test]
fn an_interrupted_demo_ends_well_and_removes_its_directory() {
    let root = tempfile::tempdir().unwrap();
    let mut demo = portreeve(&["demo"]);
    demo.env("TMPDIR", root.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = demo.spawn().unwrap();
    let page = read_to(demo.stdout.as_mut().unwrap(), "Ctrl-C ends the demo.");
    for (number, word) in [(1, "call"), (3, "explain"), (4, "commit"), (5, "tail")] {
        let (_, call) = page.split_once(&format!("\n  {number}. ")).unwrap();
        assert!(call.contains(word), "{call}");
    }
    assert!(Path::new(&root.path()).read_dir().unwrap().count() > 0);
    kill_process(Pid::from_child(&demo), Signal::INT).unwrap();
    let output = demo.wait_with_output().unwrap();
    let (_, err) = texts(&output);
    assert!(output.status.success(), "{err}");
    assert!(err.trim().starts_with("removed ") && err.trim().lines().count() == 1, "{err}");
    assert_eq!(root.path().read_dir().unwrap().count(), 0);
}

fn read_to(from: &mut impl std::io::Read, end: &str) -> String {
    let mut text = Vec::new();
    while !String::from_utf8_lossy(&text).contains(end) {
        let mut byte = [0];
        assert_eq!(from.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}
