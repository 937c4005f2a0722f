//! Whole tables of folders in both languages, and the published form of samples.

use std::fs;

use clap::ValueEnum as _;

use super::super::work::here;
use super::*;

const CEDAR: &str = "permit (principal == Workload::\"spiffe://td/web\", \
                     action == Action::\"GET\", resource == Route::\"orders\");\n";
const REGO: &str = "package authz\n\ndefault allow := false\n\nallow if {\n\t\
    input.source.spiffe_id == \"spiffe://td/web\"\n\tinput.request.method == \"GET\"\n\t\
    input.request.route == \"orders\"\n}\n";
const CASES: &str = "cases:\n- name: a\n  request: {source: spiffe://td/web, path: /orders/1, \
                     route: orders}\n  expect: allow\n- name: b\n  request: {method: PUT, path: \
                     /orders/1, route: orders}\n  expect: deny\n";

fn answered(files: &[(&str, &str)], samples: SampleArgs) -> (String, Exit) {
    answered_as(TableFormat::Csv, files, samples)
}

fn answered_as(format: TableFormat, files: &[(&str, &str)], samples: SampleArgs) -> (String, Exit) {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in files {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let args = Args { folder: folder.path().to_owned(), samples, format };
    let run = |task: &Task, files: &Files, _| Ok(here(task.clone(), files));
    let (text, exit) = answer(&args, run).unwrap();
    (String::from_utf8(text).unwrap(), exit)
}

#[test]
fn the_same_table_comes_of_either_language() {
    for policy in [("a.cedar", CEDAR), ("a.rego", REGO)] {
        let (text, exit) = answered(&[policy, ("a_test.yaml", CASES)], SampleArgs::default());
        let rows: Vec<String> = text
            .lines()
            .skip(1)
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                format!("{} {} {}", fields[1], fields[3], fields[7])
            })
            .collect();
        let expected = [
            "td/web GET /orders/1 (orders) allow",
            "td/web PUT /orders/1 (orders) deny",
            "td/stranger GET /orders/1 (orders) deny",
            "td/stranger PUT /orders/1 (orders) deny",
            "anonymous GET /orders/1 (orders) deny",
            "anonymous PUT /orders/1 (orders) deny",
        ];
        assert_eq!((rows, exit), (expected.map(str::to_owned).to_vec(), Exit::Good));
    }
}

#[test]
fn no_format_has_a_credential_of_a_request_but_what_is_asked() {
    let cases = "cases:\n- name: a\n  request: {source: spiffe://td/web, path: \"/orders/1?token=\
                 Qu3ryT0ken&all\", route: orders, headers: {authorization: Bearer H3aderT0ken, \
                 accept: text/plain}, jwt: {claims: {sub: Cl4imV4lue}}}\n  expect: allow\n";
    for format in TableFormat::value_variants() {
        let files = [("a.cedar", CEDAR), ("a_test.yaml", cases)];
        let (text, exit) = answered_as(*format, &files, SampleArgs::default());
        assert_eq!(exit, Exit::Good);
        for secret in ["Qu3ryT0ken", "H3aderT0ken", "Cl4imV4lue"] {
            assert!(!text.contains(secret), "`{secret}` in\n{text}");
        }
        let plain = text.replace('\\', "");
        assert!(plain.contains("GET /orders/1?token=***&all (orders) +authorization"), "{text}");
        assert!(plain.contains("allow"), "{text}");
    }
    let files = [("a.cedar", CEDAR), ("a_test.yaml", cases)];
    let (text, _) = answered_as(TableFormat::Json, &files, SampleArgs::default());
    assert!(text.contains("\"accept\": \"text/plain\""), "{text}");
    assert!(text.contains("\"authorization\": \"***\""), "{text}");
}

#[test]
fn a_bundle_that_does_not_load_has_no_table() {
    let (text, exit) = answered(&[("a.cedar", "permit (")], SampleArgs::default());
    assert_eq!((text.as_str(), exit), ("", Exit::CouldNotRun));
}

#[test]
fn the_form_of_samples_is_published() {
    let schema = include_str!("../../../../schemas/policy-matrix.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (text, is_valid) in [
        (r#"{}"#, true),
        (r#"{"peers": [{"name": "a"}, {"spiffe_id": "spiffe://td/a"}]}"#, true),
        (r#"{"peers": [{"name": "a", "spiffe_id": null, "source_ip": "10.0.0.1"}]}"#, true),
        (r#"{"peers": [{"source_ip": "10.0.0.1"}]}"#, false),
        (r#"{"peers": [{"name": ""}]}"#, false),
        (r#"{"peers": [{"name": "a", "source": "spiffe://td/a"}]}"#, false),
        (r#"{"requests": [{"path": "/a", "headers": {"x": ["a"], "y": "b"}}]}"#, true),
        (r#"{"requests": [{"name": "a", "method": "GET"}]}"#, false),
        (r#"{"requests": [{"name": "a", "path": "/", "source": "spiffe://td/a"}]}"#, false),
        (r#"{"request": []}"#, false),
        (r#"{"peers": {}}"#, false),
    ] {
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), is_valid, "{text}");
        // JSON is YAML: both readers must agree with the schema.
        for is_json in [true, false] {
            let read = Samples::read(text, is_json).and_then(|samples| samples.check());
            assert_eq!(read.is_ok(), is_valid, "{text}: {read:?}");
        }
    }
}
