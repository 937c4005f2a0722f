//! What no check foresees ends with the worker that meets it: a finding, and exit 1.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::PROGRAM;

/// Loops until the engine's limit ends it, which leaves time to meet the worker.
const LOOPS: &str = "some a in n\n\tsome b in n\n\tsome c in n\n\tsome d in n\n\tsome e in n
\tsome f in n\n\tsome g in n\n\tsome h in n\n\ta + b + c + d + e + f + g + h == -1\n";

fn looping(package: &str, rule: &str) -> String {
    format!(
        "package {package}\n\nn := [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n\n{rule} if {{\n\t{LOOPS}}}\n"
    )
}

fn command(arguments: &[&str], files: &[(&str, String)]) -> (TempDir, Command) {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let mut command = Command::new(PROGRAM);
    command.arg("policy").args(arguments).arg(".").current_dir(folder.path()).env_clear();
    (folder, command)
}

#[track_caller]
fn judge(arguments: &[&str], output: Output, expected: &str) {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(expected), "{arguments:?}: no {expected:?} in {text}");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
}

/// Runs a command on a bundle of these files; what it printed must have `expected`.
#[track_caller]
fn check(arguments: &[&str], files: &[(&str, String)], expected: &str) {
    let (_folder, mut command) = command(arguments, files);
    judge(arguments, command.output().unwrap(), expected);
}

/// The same, with a worker that does nothing more from its first moments on.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "a plain thread waits for a process")]
fn check_stopped(arguments: &[&str], files: &[(&str, String)], expected: &str) {
    let (_folder, mut command) = command(arguments, files);
    let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let began = Instant::now();
    let worker = loop {
        let text = fs::read_to_string(&children).unwrap_or_default();
        // Until it runs its own program, whoever started it waits for it and for nothing else.
        let is_begun = |worker: &&str| {
            let command = fs::read(format!("/proc/{worker}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains("loader")
        };
        if let Some(worker) = text.split_whitespace().find(is_begun) {
            break Pid::from_raw(worker.parse().unwrap()).unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{arguments:?}: no worker was seen");
        std::thread::sleep(Duration::from_millis(1));
    };
    kill_process(worker, Signal::STOP).unwrap();
    judge(arguments, process.wait_with_output().unwrap(), expected);
}

#[test]
fn a_check_a_test_and_an_evaluation_that_hang_are_findings() {
    let policy = || ("p.rego", looping("authz", "allow"));
    let quiet = ("p.rego", "package authz\n\nallow if input.request.path == \"/\"\n".to_owned());
    let tests = ("p_test.rego", looping("authz_test", "test_a"));
    std::thread::scope(|scope| {
        scope
            .spawn(|| check_stopped(&["check"], &[policy()], "error: the check was stopped after"));
        scope.spawn(|| {
            check_stopped(
                &["eval", "--path", "/a"],
                &[policy()],
                "error: the evaluation was stopped",
            );
        });
        scope.spawn(|| {
            let place = "p_test.rego:5 run the tests\n  the test run was stopped after 2 seconds";
            check(&["test", "--time-limit", "2"], &[quiet, tests], place);
        });
    });
}

#[test]
fn test_modules_are_checked_beside_the_policies() {
    let policy = ("p.rego", "package authz\n\nallow if input.request.path == \"/\"\n".to_owned());
    let bad = "package authz_test\n\nimport data.authz\n\ntest_a if nothing.like.this(1)\n";
    check(&["check"], &[policy, ("p_test.rego", bad.to_owned())], "p_test.rego:5:11: error: ");
}
