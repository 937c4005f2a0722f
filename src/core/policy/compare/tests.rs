//! What counts as a difference between two bundles, in both languages.

use super::super::{Bundle, Files, Outcome, Revision};
use super::{Aspect, How, Item, ItemKind, Outline, Place, Samples, compare, matrix, outline};

const REGO: &str = "package authz\n\ndefault allow := false\n\nallow if {\n\tis_read\n\t\
    input.source.spiffe_id == \"spiffe://td/web\"\n}\n\nallow if input.request.route == \"health\"\n\n\
    is_read if input.request.method in {\"GET\", \"HEAD\"}\n";
const CEDAR: &str = "@id(\"web\")\npermit (\n  principal == Workload::\"spiffe://td/web\",\n  \
    action in Action::\"http:read\",\n  resource\n)\nwhen { context.path == \"/a\" };\n\n\
    forbid (principal, action == Action::\"DELETE\", resource);\n";

fn files(list: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, text) in list {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    files
}

fn loaded(list: &[(&str, &str)]) -> Bundle {
    match Bundle::load(&files(list), Revision::default()) {
        Ok((bundle, _)) => bundle,
        Err(findings) => panic!("{findings}"),
    }
}

fn outlined(list: &[(&str, &str)]) -> Outline {
    outline(&loaded(list), &files(list))
}

/// `how kind name [aspects] (reaches)` of each difference.
fn seen(a: &[(&str, &str)], b: &[(&str, &str)]) -> Vec<String> {
    let (a, b) = (outlined(a), outlined(b));
    let of = |how: How| format!("{how:?}").to_lowercase();
    compare(&a.items, &b.items)
        .iter()
        .map(|c| {
            let was = c.was.as_ref().map(|was| format!(" from {was}")).unwrap_or_default();
            let aspects = c.aspects.join(",");
            format!(
                "{} {} {}{was} [{aspects}] {}",
                of(c.how),
                c.kind.as_str(),
                c.name,
                c.reaches.join(",")
            )
        })
        .collect()
}

#[track_caller]
fn check(a: &[(&str, &str)], b: &[(&str, &str)], expected: &[&str]) {
    let seen: Vec<String> = seen(a, b).iter().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(seen, expected);
}

#[test]
fn another_layout_is_no_difference() {
    let rego = REGO.replace('\t', "  ").replace("allow if {", "# why\nallow if {");
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &[]);
    let cedar = format!("// why\n{}", CEDAR.replace('\n', "\n\n"));
    check(&[("a.cedar", CEDAR)], &[("a.cedar", &cedar)], &[]);
}

#[test]
fn one_changed_condition_is_one_changed_definition() {
    let rego = REGO.replace("td/web", "td/shop");
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &["changed rule data.authz.allow []"]);
    let cedar = CEDAR.replace("\"/a\"", "\"/b\"");
    check(&[("a.cedar", CEDAR)], &[("a.cedar", &cedar)], &["changed policy web [conditions]"]);
    let cedar = CEDAR.replace("http:read", "http").replace("permit", "@why(\"x\")\npermit");
    let expected = ["changed policy web [action,@why]"];
    check(&[("a.cedar", CEDAR)], &[("a.cedar", &cedar)], &expected);
}

#[test]
fn defaults_helpers_and_entry_points_are_told_apart() {
    let rego = REGO.replace(":= false", ":= true");
    let expected = ["changed default data.authz.allow []"];
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &expected);
    let rego = REGO.replace("\"HEAD\"", "\"OPTIONS\"");
    let expected = ["changed rule data.authz.is_read [] data.authz.allow"];
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &expected);
    let manifest =
        r#"{"metadata": {"portreeve": {"entrypoint": "authz/allow", "audience": ["a"]}}}"#;
    let expected = ["changed manifest audience []", "changed manifest entrypoint []"];
    check(&[("a.rego", REGO)], &[("a.rego", REGO), (".manifest", manifest)], &expected);
    // What is said otherwise and means the default.
    let manifest = r#"{"roots": [""], "metadata": {"portreeve": {"entrypoint": "authz"}}}"#;
    check(&[("a.rego", REGO)], &[("a.rego", REGO), (".manifest", manifest)], &[]);
}

#[test]
fn what_is_gone_and_what_is_new_is_named() {
    let rego = REGO.replace("allow if input.request.route == \"health\"\n", "");
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &["removed rule data.authz.allow []"]);
    check(&[("a.rego", &rego)], &[("a.rego", REGO)], &["added rule data.authz.allow []"]);
    let only_web: String = CEDAR.split("forbid").next().unwrap().to_owned();
    check(&[("a.cedar", CEDAR)], &[("a.cedar", &only_web)], &["removed policy a.cedar#2 []"]);
}

#[test]
fn a_policy_in_front_of_unnamed_ones_is_one_new_policy() {
    let unnamed = CEDAR.replace("@id(\"web\")\n", "");
    let more = format!("permit (principal, action == Action::\"PUT\", resource);\n{unnamed}");
    check(&[("a.cedar", &unnamed)], &[("a.cedar", &more)], &["added policy a.cedar#1 []"]);
}

#[test]
fn another_name_or_file_is_told_from_another_policy() {
    let cedar = CEDAR.replace("\"web\"", "\"shop\"");
    check(&[("a.cedar", CEDAR)], &[("a.cedar", &cedar)], &["renamed policy shop from web []"]);
    let expected = ["moved policy b.cedar#2 []", "moved policy web []"];
    check(&[("a.cedar", CEDAR)], &[("b.cedar", CEDAR)], &expected);
    let (first, second) = REGO.split_at(REGO.find("is_read if").unwrap());
    let second = format!("package authz\n{second}");
    let expected = ["moved rule data.authz.is_read [] data.authz.allow"];
    check(&[("a.rego", REGO)], &[("a.rego", first), ("b.rego", &second)], &expected);
    let rego = REGO.replace("is_read", "is_safe");
    let expected = [
        "changed rule data.authz.allow []",
        "renamed rule data.authz.is_safe from data.authz.is_read [] data.authz.allow",
    ];
    check(&[("a.rego", REGO)], &[("a.rego", &rego)], &expected);
}

#[test]
fn data_entities_and_tests_are_compared() {
    let test =
        |expect: &str| format!("cases:\n- name: t\n  request: {{path: /a}}\n  expect: {expect}\n");
    check(
        &[
            ("a.rego", REGO),
            ("data.json", r#"{"a": [1, 2], "b": 1.0}"#),
            ("a_test.yaml", &test("deny")),
        ],
        &[
            ("a.rego", REGO),
            ("data.json", r#"{"b": 1, "a": [1, 3]}"#),
            ("a_test.yaml", &test("allow")),
        ],
        &["changed data data.a []", "changed test t []"],
    );
    let group = |path: &str| {
        format!(
            r#"[{{"uid": {{"type": "Workload", "id": "spiffe://td/{path}"}}, "attrs": {{}},
            "parents": [{{"type": "Group", "id": "g"}}]}}]"#
        )
    };
    let mut groups = seen(
        &[("a.cedar", CEDAR), ("entities.json", &group("a"))],
        &[("a.cedar", CEDAR), ("entities.json", &group("b"))],
    );
    groups.sort();
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert!(groups[0].starts_with("added entity Workload::\"spiffe://td/b\""), "{groups:?}");
    assert!(groups[1].starts_with("removed entity Workload::\"spiffe://td/a\""), "{groups:?}");
}

/// The lines of all differences between two bundles with one file of tests.
fn lines_of_tests(policy: (&str, &str), file: &str, a: &str, b: &str) -> String {
    let (a, b) = (outlined(&[policy, (file, a)]), outlined(&[policy, (file, b)]));
    let changes = compare(&a.items, &b.items);
    assert!(matches!(&*changes, [change] if change.kind == ItemKind::Test), "{changes:?}");
    format!("{:?}", changes[0].lines)
}

#[test]
fn the_lines_of_a_changed_case_have_no_credentials() {
    let case = |secret: &str, path: &str| {
        format!(
            "cases:\n- name: t\n  request: {{path: {path}, headers: {{authorization: {secret}}}, \
             jwt: {{claims: {{sub: {secret}}}}}}}\n  expect: deny\n"
        )
    };
    let lines = |a: &str, b: &str| lines_of_tests(("a.rego", REGO), "a_test.yaml", a, b);
    let seen = lines(&case("S3cretA", "/a?k=S3cretA"), &case("S3cretB", "/b?k=S3cretA"));
    assert!(seen.contains("/a?k=***") && seen.contains("/b?k=***"), "{seen}");
    assert!(seen.contains("***") && !seen.contains("S3cret"), "{seen}");
    // A change of a credential alone is a change, and nothing of it is shown.
    assert_eq!(lines(&case("S3cretA", "/a"), &case("S3cretB", "/a")), "[]");
}

#[test]
fn the_lines_of_a_changed_cedar_test_have_no_credentials() {
    let test = |secret: &str, decision: &str| {
        format!(
            r#"[{{"name": "t", "decision": "{decision}", "request": {{"context":
            {{"headers": {{"x-api-key": "{secret}"}}}}}}, "entities": [{{"uid": {{"type": "Headers",
            "id": "request"}}, "tags": {{"x-api-key": ["{secret}"]}}}}, {{"uid": {{"type": "Group",
            "id": "g"}}, "tags": {{"team": "shop"}}}}]}}]"#
        )
    };
    let file = format!("a{}", super::super::cases::CEDAR_TESTS_SUFFIX);
    let lines = |a: &str, b: &str| lines_of_tests(("a.cedar", CEDAR), &file, a, b);
    let seen = lines(&test("S3cretA", "allow"), &test("S3cretB", "deny"));
    assert!(seen.contains("allow") && seen.contains("deny"), "{seen}");
    assert!(!seen.contains("S3cret"), "{seen}");
    assert_eq!(lines(&test("S3cretA", "allow"), &test("S3cretB", "allow")), "[]");
    let outline = outlined(&[("a.cedar", CEDAR), (&file, &test("S3cretA", "allow"))]);
    let text = &outline.items.iter().find(|item| item.kind == ItemKind::Test).unwrap().text;
    assert!(text.contains("shop") && text.contains("***") && !text.contains("S3cret"), "{text}");
}

#[test]
fn the_lines_of_a_changed_rego_test_have_no_credentials() {
    let test = |secret: &str, method: &str| {
        format!(
            "package authz_test\n\nimport data.authz\n\ntest_web if {{\n\tauthz.allow with input as \
             {{\"request\": {{\"method\": \"{method}\", \"headers\": {{\"authorization\": \
             [\"{secret}\"]}}}}}}\n}}\n"
        )
    };
    let lines = |a: &str, b: &str| lines_of_tests(("a.rego", REGO), "a_test.rego", a, b);
    let seen = lines(&test("S3cretA", "GET"), &test("S3cretB", "PUT"));
    assert!(seen.contains("GET") && seen.contains("PUT") && seen.contains("***"), "{seen}");
    assert!(!seen.contains("S3cret"), "{seen}");
    assert_eq!(lines(&test("S3cretA", "GET"), &test("S3cretB", "GET")), "[]");
}

#[test]
fn samples_are_what_the_files_mention() {
    let test = "cases:\n- name: t\n  request: {source: spiffe://other/x, jwt: null, path: /a, headers: \
                {x-a: b}}\n  expect: deny\n- name: u\n  request: {path: /a, headers: {x-a: b}}\n  \
                expect: deny\n- name: v\n  request: {path: no}\n  expect: deny\n";
    let samples = Samples::derive(&files(&[("a.rego", REGO), ("a_test.yaml", test)]));
    let names = |list: &[super::Sample]| {
        list.iter().map(|sample| sample.name.clone()).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(
        names(&samples.peers),
        "other/x, td/web, other/stranger, td/stranger, other/x (t), anonymous"
    );
    assert_eq!(names(&samples.requests), "GET /a +x-a");
    assert_eq!(samples.check(), Ok(()));
    assert_eq!(names(&Samples::derive(&files(&[("a.rego", REGO)])).requests), "GET /");
}

#[test]
fn requests_that_differ_in_what_is_masked_are_told_apart() {
    let read = |requests: &str| Samples::read(&format!("requests:\n{requests}"), false).unwrap();
    let samples = read("- {path: /a?token=S3cr3t}\n- {path: /a?token=0ther}\n- {path: /a}\n");
    let names: Vec<&str> = samples.requests.iter().map(|sample| sample.name.as_str()).collect();
    assert_eq!(names, ["GET /a?token=***", "GET /a?token=*** #2", "GET /a"]);
    assert_eq!(samples.check(), Ok(()));
    let named = read("- {name: a, path: /a?token=S3cr3t}\n- {name: a, path: /b}\n");
    assert_eq!(named.check().unwrap_err().to_string(), "the name `a` is given twice");
    assert_eq!(samples.requests[0].facts["path"], "/a?token=S3cr3t");
    assert_eq!(samples.shown().requests[0].facts["path"], "/a?token=***");
}

#[test]
fn every_peer_asks_every_request() {
    let samples = Samples::read(
        "peers:\n- {name: web, spiffe_id: \"spiffe://td/web\"}\n- {name: nobody}\n\
         requests:\n- {path: /x}\n- {name: asks, path: /x, route: health, method: PUT}\n",
        false,
    );
    let samples = samples.unwrap();
    let matrix = matrix(&loaded(&[("a.rego", REGO)]), &samples);
    let words: Vec<Outcome> = matrix.cells.iter().map(|cell| cell.outcome).collect();
    assert_eq!(words, [Outcome::Allow, Outcome::Allow, Outcome::Deny, Outcome::Allow]);
    assert_eq!(matrix.policies[matrix.cells[0].policies[0]].line, 5);
    assert_eq!(matrix.cells[2].reason, "not_allowed");
}

#[test]
fn samples_that_no_request_could_be_are_refused_by_name() {
    let error = |text: &str| {
        let samples = Samples::read(text, text.starts_with('{'));
        samples.and_then(|samples| samples.check()).unwrap_err().to_string()
    };
    assert!(error("peers: 1\n").starts_with("peers: must be a list"));
    assert!(error("peers:\n- {spiffe: x}\n").contains("peers[0]: unknown key `spiffe`"));
    assert!(error("{\"peers\": [], \"peers\": []}").contains("stands twice"));
    assert!(error("peers:\n- {name: a}\n- {name: a}\n").contains("`a` is given twice"));
    assert!(error("peers:\n- {spiffe_id: \"http://x\"}\n").contains("`http://x` cannot be asked"));
    assert!(error("requests:\n- {name: a, path: /../b}\n").contains("`a` cannot be asked"));
    assert!(error("requests: [\n").starts_with("line "));
}

#[test]
fn definitions_of_more_words_than_are_compared_are_taken_in_their_order() {
    let item = |number: usize, count: usize| {
        let words: Vec<String> = (0..count).map(|n| format!("w{}", n * 600 + number)).collect();
        Item {
            kind: ItemKind::Rule,
            name: "data.p.allow".to_owned(),
            is_named: true,
            aspects: vec![Aspect { name: String::new(), meaning: words.join(" ") }],
            text: String::new(),
            file: "a.rego".to_owned(),
            line: u32::try_from(number).unwrap(),
            reaches: Vec::new(),
        }
    };
    let pairs = |count: usize| {
        let a: Vec<Item> = (0..200).map(|number| item(number, count)).collect();
        let b: Vec<Item> = (0..200).rev().map(|number| item(number, count + 1)).collect();
        let changes = compare(&a, &b);
        let line = |place: &Option<Place>| place.as_ref().map(|place| place.line);
        assert!(changes.iter().all(|change| change.how == How::Changed));
        changes.iter().filter(|change| line(&change.a) == line(&change.b)).count()
    };
    // 200 × 200 × (60 + 61) words are looked at, and 200 × 200 × (1,000 + 1,000) are not.
    assert_eq!(pairs(60), 200);
    assert_eq!(pairs(2_000), 0);
}
