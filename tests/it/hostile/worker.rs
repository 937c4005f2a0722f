//! What no check foresees ends with the worker that meets it: a finding at its place, and exit 1.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use crate::support::PROGRAM;

/// Two values that are small in memory, and that cannot be compared in the time of the universe.
fn endless(package: &str, rules: &str) -> String {
    let mut text = format!("package {package}\n\nx0 := [1]\ny0 := [1]\n");
    for n in 1..40 {
        for name in ["x", "y"] {
            writeln!(text, "{name}{n} := [{name}{p}, {name}{p}]", p = n - 1).unwrap();
        }
    }
    text + rules
}

/// Runs a command on a bundle of these files; what it printed must have `expected`.
#[track_caller]
fn check(arguments: &[&str], files: &[(&str, String)], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let mut command = Command::new(PROGRAM);
    command.arg("policy").args(arguments).arg(".").current_dir(folder.path()).env_clear();
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains(expected), "{arguments:?}: no {expected:?} in {text}");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
}

#[test]
fn a_check_a_test_and_an_evaluation_that_hang_are_findings_at_their_files() {
    let quiet = ("p.rego", "package authz\n\nallow if input.request.path == \"/\"\n".to_owned());
    let trial = ("p.rego", endless("authz", "allow if x39 == y39\n"));
    let tests = ("p_test.rego", endless("authz_test", "test_a if true\n\ntest_b if x39 == y39\n"));
    let hidden =
        endless("authz", "allow if {\n\tinput.request.path == \"/slow\"\n\tx39 == y39\n}\n");
    let hidden = ("p.rego", hidden);
    std::thread::scope(|scope| {
        scope.spawn(|| check(&["check"], &[trial], "p.rego: error: the check was stopped after"));
        scope.spawn(|| {
            let line = "p_test.rego:85 run the tests\n  the test run was stopped after 2 seconds";
            check(&["test", "--time-limit", "2"], &[quiet, tests], line);
        });
        scope.spawn(|| {
            check(&["eval", "--path", "/slow"], &[hidden], "p.rego: error: the evaluation was");
        });
    });
}

#[test]
fn test_modules_are_checked_beside_the_policies() {
    let policy = ("p.rego", "package authz\n\nallow if input.request.path == \"/\"\n".to_owned());
    let bad = "package authz_test\n\nimport data.authz\n\ntest_a if nothing.like.this(1)\n";
    check(&["check"], &[policy, ("p_test.rego", bad.to_owned())], "p_test.rego:5:11: error: ");
}
