//! Whole comparisons: of commits, folders and bundle files.

use super::super::revision::tests::{Fixture, bundle};
use super::super::work::here;
use super::*;

const REGO: &str = "package authz\n\ndefault allow := false\n\nallow if {\n\tis_read\n\t\
    input.source.spiffe_id == \"spiffe://td/web\"\n}\n\nis_read if input.request.method == \"GET\"\n";
const CEDAR: &str = "@id(\"web\")\npermit (\n  principal == Workload::\"spiffe://td/web\",\n  \
    action == Action::\"GET\",\n  resource\n);\n";

fn args(a: &str, b: &str) -> Args {
    let samples = SampleArgs::default();
    let (a, b) = (a.to_owned(), b.to_owned());
    Args { a, b, matrix: false, samples, exit_code: true, format: Format::Pretty }
}

fn answered(args: &Args, from: &Fixture) -> (String, Exit) {
    let run = |task: &Task, files: &Files, _| Ok(here(task.clone(), files));
    let (text, exit) = answer(args, from.path(), run).unwrap();
    (String::from_utf8(text).unwrap(), exit)
}

#[track_caller]
fn check(from: &Fixture, args: &Args, exit: Exit, expected: &str) {
    let (text, seen) = answered(args, from);
    assert_eq!((text.as_str(), seen), (expected, exit));
}

#[test]
fn another_layout_is_no_difference() {
    let repo = Fixture::new();
    repo.commit(&[
        ("r/a.rego", REGO),
        ("r/.manifest", "{}"),
        ("c/a.cedar", CEDAR),
        ("c/.manifest", "{}"),
    ]);
    let cedar = CEDAR.replace("\n  ", " // why\n");
    repo.write(&[("r/a.rego", &REGO.replace('\t', "    ")), ("c/a.cedar", &cedar)]);
    check(&repo, &args("main", "."), Exit::Good, "no difference\n");
    check(&repo, &args("main:r", "r"), Exit::Good, "no difference\n");
}

#[test]
fn a_changed_condition_is_told_with_both_places_and_its_lines() {
    let repo = Fixture::new();
    repo.commit(&[("a.rego", REGO)]);
    repo.commit(&[(
        "a.rego",
        &REGO.replace("\"GET\"", "\"PUT\"").replace("default", "# why\ndefault"),
    )]);
    let expected = "changed  rule data.authz.is_read\n         HEAD~1:a.rego:10 → main:a.rego:11\n         \
                    reaches data.authz.allow\n         - is_read if input.request.method == \"GET\"\n         \
                    + is_read if input.request.method == \"PUT\"\n\n1 changed\n";
    check(&repo, &args("HEAD~1", "main"), Exit::No, expected);
    let without = Args { exit_code: false, ..args("HEAD~1", "main") };
    check(&repo, &without, Exit::Good, expected);
}

#[test]
fn a_bundle_file_is_compared_with_a_folder() {
    let repo = Fixture::new();
    repo.write(&[("p/a.cedar", CEDAR)]);
    bundle(&repo.path().join("b.tar.gz"), &[("a.cedar", &CEDAR.replace("permit", "forbid"))]);
    let expected = "changed  policy web: effect\n         b.tar.gz:a.cedar:1 → p/a.cedar:1\n           \
                    @id(\"web\")\n         - forbid (\n         + permit (\n             \
                    principal == Workload::\"spiffe://td/web\",\n             \
                    action == Action::\"GET\",\n         … 2 lines\n\n1 changed\n";
    check(&repo, &args("b.tar.gz", "p"), Exit::No, expected);
}

#[test]
fn decisions_that_differ_are_listed_with_what_decided() {
    let repo = Fixture::new();
    repo.commit(&[("a.cedar", CEDAR)]);
    let open = CEDAR.replace("principal == Workload::\"spiffe://td/web\"", "principal is Workload");
    repo.write(&[("a.cedar", &open)]);
    let matrix = Args { matrix: true, ..args("main", ".") };
    let (text, exit) = answered(&matrix, &repo);
    assert_eq!(exit, Exit::No);
    let expected = "decisions: 1 of 3 peers × 1 requests differ\n\n\
                    deny → ALLOW  td/stranger  GET /\n  was: not_allowed\n  \
                    is:  allowed by web (./a.cedar:1)\n\n1 changed; decisions: 1 differ\n";
    assert!(text.ends_with(expected), "{text}");
    let json = Args { format: Format::Json, ..matrix };
    let document: serde_json::Value = serde_json::from_str(&answered(&json, &repo).0).unwrap();
    let flip = &document["bundles"][0]["decisions"]["differing"][0];
    assert_eq!((&flip["a"]["outcome"], &flip["b"]["outcome"]), (&"deny".into(), &"allow".into()));
    assert_eq!(document["bundles"][0]["changes"][0]["aspects"][0], "principal");
}

#[test]
fn a_side_that_does_not_load_ends_the_comparison() {
    let repo = Fixture::new();
    repo.commit(&[("a.cedar", "permit (")]);
    repo.commit(&[("a.cedar", CEDAR)]);
    check(&repo, &args("HEAD~1", "main"), Exit::CouldNotRun, "");
    check(&repo, &args("main", "HEAD~1"), Exit::CouldNotRun, "");
}

#[test]
fn bundles_of_a_folder_are_compared_one_by_one() {
    let repo = Fixture::new();
    repo.commit(&[("x/.manifest", "{}"), ("x/a.cedar", CEDAR)]);
    repo.commit(&[("y/.manifest", "{}"), ("y/b.cedar", CEDAR)]);
    repo.commit(&[("x/c.cedar", "forbid (principal, action == Action::\"PUT\", resource);\n")]);
    let (text, _) = answered(&args("HEAD~1", "main"), &repo);
    assert!(text.starts_with("HEAD~1:x/ → main:x/\n\nadded    policy c.cedar#1\n"), "{text}");
    let (text, _) = answered(&args("HEAD~2", "HEAD~1"), &repo);
    assert!(text.contains("added    policy web\n         HEAD~1:y/b.cedar:1\n"), "{text}");
}

#[test]
fn samples_without_a_matrix_are_refused() {
    let repo = Fixture::new();
    let run = |_: &Task, files: &Files, _| Ok(here(Task::Derive, files));
    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }
    let line = <Line as clap::Parser>::parse_from(["diff", "a", "--peer", "anonymous"]);
    let error = answer(&line.args, repo.path(), run).unwrap_err();
    assert!(error.to_string().contains("--matrix"), "{error}");
}
