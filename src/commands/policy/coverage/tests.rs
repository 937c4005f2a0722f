use portreeve_core::policy::Files;
use portreeve_core::policy::cases::CaseOutcome;

use super::super::work::here;
use super::*;

const REGO: &str = "package authz\n\nallow if input.request.path == \"/a\"\n\ndeny contains \"b\" if {\n\
                    \tinput.request.path == \"/b\"\n\tinput.request.method == \"PUT\"\n}\n";
const CEDAR: &str = "@id(\"p\")\npermit (principal, action in Action::\"http\", resource)\nwhen { context.path == \"/a\" && \
                     context.method == \"GET\" };\n\nforbid (principal == Workload::\"spiffe://x/y\", \
                     action, resource);\n";
const CASE: &str =
    "cases:\n- name: a\n  request: {source: spiffe://td/web, path: /a}\n  expect: allow\n";

fn measured_of(list: &[(&str, &str)], threshold: Option<f64>) -> Measured {
    let mut files = Files::default();
    for (path, text) in list {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    let run = |task: &Task, files: &Files| {
        let Task::Coverage { pattern } = task else { panic!("{task:?}") };
        Ok(here(Task::Coverage { pattern: pattern.clone() }, files))
    };
    measure(&files, Path::new("dir"), None, threshold, run).unwrap()
}

fn both(threshold: Option<f64>) -> Measured {
    let list = [
        ("rego/.manifest", "{}"),
        ("rego/p.rego", REGO),
        ("rego/p_test.yaml", CASE),
        ("cedar/.manifest", "{}"),
        ("cedar/p.cedar", CEDAR),
        ("cedar/p_test.yaml", CASE),
    ];
    measured_of(&list, threshold)
}

fn results(outcome: CaseOutcome) -> Vec<CaseResult> {
    vec![CaseResult::new("p_test.yaml", 2, "a", outcome)]
}

/// What is printed on both streams, and how the command ends.
fn printed(
    results: &[CaseResult],
    measured: &Measured,
    format: ResultsFormat,
) -> (String, String, Exit) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = print(&mut out, &mut err, results, measured, format).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), exit)
}

#[track_caller]
fn check(outcome: CaseOutcome, threshold: Option<f64>, exit: Exit) -> String {
    let (text, _, seen) = printed(&results(outcome), &both(threshold), ResultsFormat::Pretty);
    assert_eq!(seen, exit, "{text}");
    text
}

#[test]
fn files_and_what_no_test_reaches_are_listed_with_their_places() {
    let text = check(CaseOutcome::Passed, None, Exit::Good);
    let expected = "1 passed, 0 failed, 0 skipped\n\n\
        coverage 50 % (Rego 50 %, 2 of 4 lines; Cedar 50 %, 3 of 6 outcomes)\n  \
        dir/cedar/p.cedar     50 %  3 of 6\n    \
        dir/cedar/p.cedar:3  `context.path == \"/a\"`: never false\n    \
        dir/cedar/p.cedar:3  `context.method == \"GET\"`: never false\n    \
        dir/cedar/p.cedar:5  policy `p.cedar#2`: never in scope\n  \
        dir/rego/p.rego       50 %  2 of 4\n    \
        dir/rego/p.rego:5  not reached\n    \
        dir/rego/p.rego:7  not reached\n";
    assert_eq!(text, expected);
}

#[test]
fn coverage_is_printed_when_tests_fail_too() {
    let text = check(CaseOutcome::errored("no"), Some(10.0), Exit::No);
    assert!(text.contains("0 passed, 1 failed") && text.contains("coverage 50 % ("), "{text}");
    assert!(!text.contains("threshold"), "{text}");
}

#[test]
fn below_the_threshold_is_a_no_that_names_both_numbers() {
    let line = "coverage 50 % is below the threshold of 50.5 %\n";
    assert!(check(CaseOutcome::Passed, Some(50.5), Exit::No).ends_with(line));
    assert!(check(CaseOutcome::errored("no"), Some(50.5), Exit::No).ends_with(line));
    assert!(!check(CaseOutcome::Passed, Some(50.0), Exit::Good).contains("threshold"));
}

#[test]
fn a_bundle_that_cannot_be_measured_meets_no_threshold() {
    let broken = measured_of(&[("p.rego", "package authz\nallow if {\n")], Some(0.0));
    let (text, _, exit) = printed(&results(CaseOutcome::Passed), &broken, ResultsFormat::Pretty);
    assert_eq!(exit, Exit::No);
    assert!(text.contains("coverage: nothing could be measured"), "{text}");
    assert!(text.contains("dir is not in these numbers: the bundle does not load"), "{text}");
    assert!(text.contains("which is below the threshold of 0 %"), "{text}");
}

#[test]
fn json_has_the_document_of_opa_with_cedar_and_the_whole_beside() {
    let results = results(CaseOutcome::Passed);
    let (text, err, exit) = printed(&results, &both(Some(90.0)), ResultsFormat::Json);
    assert_eq!((exit, err.as_str()), (Exit::No, "coverage 50 % is below the threshold of 90 %\n"));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["passed"], 1);
    let coverage = &document["coverage"];
    let file = &coverage["files"]["dir/rego/p.rego"];
    assert_eq!(file["covered"][0], serde_json::json!({"start": {"row": 3}, "end": {"row": 3}}));
    assert_eq!(file["not_covered"][1], serde_json::json!({"start": {"row": 7}, "end": {"row": 7}}));
    assert_eq!((&file["covered_lines"], &file["coverage"]), (&2.into(), &50.0.into()));
    assert_eq!((&coverage["not_covered_lines"], &coverage["coverage"]), (&2.into(), &50.0.into()));
    let policy = &coverage["cedar"]["policies"][0];
    assert_eq!((&policy["id"], &policy["line"]), (&"p".into(), &1.into()));
    let operand = &policy["conditions"][0]["operands"][1];
    assert_eq!(operand["text"], "context.method == \"GET\"");
    assert_eq!(operand["seen"], serde_json::json!({"true": true, "false": false, "error": false}));
    assert_eq!(coverage["total"]["coverage"], 50.0);
    assert_eq!(
        (&coverage["threshold"], &coverage["meets_threshold"]),
        (&90.0.into(), &false.into())
    );
}

#[test]
fn annotations_stand_at_their_lines() {
    let mut out = Vec::new();
    both(Some(90.0)).print_annotations(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let title = "title=portreeve policy coverage";
    let expected = [
        format!("::warning file=dir/rego/p.rego,line=7,endLine=7,{title}::not reached"),
        format!("::error {title}::coverage 50 %25 is below the threshold of 90 %25"),
    ];
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert_eq!(lines[4..], expected);
}

#[test]
fn names_of_files_and_policies_cannot_steer_a_terminal_or_forge_an_annotation() {
    let cedar = "permit (principal, action in Action::\"http\", resource) when { context.path == \"%0A::error::\" };";
    let rego = "package authz\nallow if input.request.path == \"/a\"\nother := 1\n";
    let list = [("a.cedar", cedar), ("b.rego", rego), ("p_test.yaml", CASE)];
    let mut measured = measured_of(&list, None);
    // No bundle has such paths; the folder that it stands in may.
    for file in measured.coverage.files_mut() {
        *file = file.replace("a.", "a,\u{1b}[2J.").replace("b.", "b\u{1b}.");
    }
    measured.miss(Path::new("c\u{1b}"), "d\u{1b}".to_owned());
    let mut out = Vec::new();
    measured.print_annotations(&mut out).unwrap();
    measured.print_pretty(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("file=dir/a%2C\\u{1b}[2J.cedar,line=1,"), "{text}");
    assert!(text.contains("dir/b\\u{1b}.rego:3  not reached"), "{text}");
}

#[test]
fn a_threshold_is_a_percentage() {
    for (text, expected) in [("0", Some(0.0)), ("90.5", Some(90.5)), ("100", Some(100.0))] {
        assert_eq!(percent(text).ok(), expected);
    }
    for text in ["-1", "100.1", "NaN", "inf", "many", "90%"] {
        assert!(percent(text).is_err(), "{text}");
    }
}
