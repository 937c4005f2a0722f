//! What `policy init` writes passes everything that its own workflow runs.

use portreeve_core::policy::Files;
use portreeve_core::policy::cases::CaseOutcome;
use portreeve_core::policy::format::{format, is_formatted};

use super::super::read;
use super::super::test::results;
use super::super::work::{Answer, Rooted, Task, here, rooted};
use super::*;

fn written(language: Language) -> (tempfile::TempDir, Files) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("new/policies");
    write(&folder, &files(language)).unwrap();
    let files = read::files_of(&folder).unwrap();
    (parent, files)
}

#[track_caller]
fn check(language: Language, bundles: usize) {
    let (folder, files) = written(language);
    let folder = folder.path();
    let found = rooted(&files, folder).unwrap();
    assert_eq!(found.len(), bundles);
    for Rooted { root, files } in found {
        match here(Task::Check, &files) {
            Answer::Loads { findings, .. } => assert_eq!(findings.to_string(), "", "{root:?}"),
            other => panic!("{other:?}"),
        }
    }
    let results = results(&files, folder, None, |task, files| Ok(here(task, files))).unwrap();
    assert!(results.len() >= 20 * bundles, "{}", results.len());
    for result in results {
        assert!(matches!(result.outcome, CaseOutcome::Passed), "{result:?}");
    }
    for (file, content) in files.iter().filter(|(file, _)| is_formatted(file)) {
        let formatted = format(file, content).unwrap();
        assert_eq!(formatted, String::from_utf8_lossy(content), "{file}");
    }
}

#[test]
fn the_rego_repository_loads_passes_its_tests_and_is_formatted() {
    check(Language::Rego, 1);
}

#[test]
fn the_cedar_repository_loads_passes_its_tests_and_is_formatted() {
    check(Language::Cedar, 1);
}

#[test]
fn the_repository_in_both_languages_has_a_bundle_of_each() {
    check(Language::Both, 2);
}

#[test]
fn each_file_is_explained_and_the_workflow_runs_what_is_here_checked() {
    let files = files(Language::Both);
    let readme = &files["README.md"];
    assert!(!readme.contains("|  |") && !readme.contains("{files}"), "{readme}");
    let workflow = &files[".github/workflows/policy.yaml"];
    for command in ["policy fmt --check", "policy check --format github", "policy test"] {
        assert!(workflow.contains(command), "{command}");
    }
}

#[test]
fn a_file_that_is_there_is_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    let error = write(folder.path(), &files(Language::Rego)).unwrap_err().to_string();
    assert!(error.contains("README.md` is there already"), "{error}");
    assert_eq!(fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    // A link that leads nowhere is there, too.
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path().join(".manifest")).unwrap();
    assert!(write(folder.path(), &files(Language::Rego)).is_err());
}

#[test]
fn what_to_do_next_names_the_folder_as_a_shell_reads_it() {
    let mut out = Vec::new();
    let files = BTreeMap::from([("a.rego".to_owned(), String::new())]);
    print(&mut out, Path::new("it's here"), &files).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("wrote it's here/a.rego\n"), "{text}");
    assert!(text.contains("  portreeve policy test 'it'\\''s here'\n"), "{text}");
}
