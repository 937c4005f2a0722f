//! `portreeve doctor`, the real binary, before a sidecar, beside one, and beside one that is ill.

use std::path::Path;

use portreeve::dev::Fault;

use super::*;
use crate::support::{PROGRAM, Setup, run};

async fn doctor(config: &Path) -> (Option<i32>, Vec<Value>) {
    let mut command = tokio::process::Command::new(PROGRAM);
    command.args(["doctor", "--format", "json", "-c"]).arg(config).kill_on_drop(true);
    let output = command.output().await.unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), answer["checks"].as_array().unwrap().clone())
}

#[track_caller]
fn check(checks: &[Value], name: &str, state: &str, words: &str) {
    let check = checks.iter().find(|check| check["name"] == name).unwrap();
    assert_eq!(check["state"], state, "{check}");
    assert!(check.to_string().contains(words), "{check}");
}

#[test]
fn the_doctor_finds_what_is_ill_and_nothing_else() {
    run(async {
        let stage = Setup::default().stage();
        let config = stage.dir.path().join("portreeve.yaml");
        std::fs::write(&config, &stage.config).unwrap();
        let (code, before) = doctor(&config).await;
        assert_eq!(code, Some(0), "{before:?}");
        check(&before, "policy source", "ok", "stands at");
        check(&before, "last good policy", "warn", "none in");
        check(&before, "sidecar", "warn", "none runs");

        let scene = stage.start().await;
        scene.until_ready().await;
        let (code, beside) = doctor(&config).await;
        assert_eq!(code, Some(0), "{beside:?}");
        for name in ["configuration", "identity source", "svid", "bundles", "clock"] {
            check(&beside, name, "ok", "");
        }
        check(&beside, "last good policy", "ok", "state/store");
        check(&beside, "sidecar", "ok", "ready");
        check(&beside, "upstream `app`", "ok", "accepts connections");
        check(&beside, "bypass of `app`", "ok", "has mode");

        scene.workload_api.set_fault(Fault::Denied);
        until_part(&scene, PartState::NotReady, "identity.withdrawn").await;
        let (code, ill) = doctor(&config).await;
        assert_eq!(code, Some(1));
        check(&ill, "identity source", "fail", "is there a registration entry");
        check(&ill, "sidecar", "fail", "identity.withdrawn");
        check(&ill, "policy source", "ok", "stands at");

        let gone = stage_without_policy(&config);
        let (code, lost) = doctor(&gone).await;
        assert_eq!(code, Some(1));
        check(&lost, "policy source", "fail", "policy.source");
        scene.finish().await;
    });
}

#[test]
fn a_configuration_that_is_wrong_is_the_only_finding_and_a_missing_one_is_an_error() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("portreeve.yaml");
        std::fs::write(&path, "version: 1\n").unwrap();
        let (code, checks) = doctor(&path).await;
        assert_eq!((code, checks.len()), (Some(1), 1));
        check(&checks, "configuration", "fail", "missing");
        let mut command = tokio::process::Command::new(PROGRAM);
        command.arg("doctor").arg("-c").arg(dir.path().join("none.yaml"));
        assert_eq!(command.output().await.unwrap().status.code(), Some(2));
    });
}

/// The same configuration with a source that is not there.
fn stage_without_policy(config: &Path) -> std::path::PathBuf {
    let text = std::fs::read_to_string(config).unwrap();
    let line = text.lines().find(|line| line.trim_start().starts_with("git:")).unwrap();
    let path = config.with_file_name("gone.yaml");
    std::fs::write(&path, text.replace(line, "    git: /nowhere/at/all")).unwrap();
    path
}
