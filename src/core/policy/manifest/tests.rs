use super::*;

/// The entry point and the findings that a manifest leads to.
fn read(manifest: &str, present: &[Language]) -> String {
    let mut files = Files::default();
    files.insert(FILE, manifest.as_bytes().to_vec()).unwrap();
    let mut findings = Findings::default();
    let manifest = Manifest::read(&files, &mut findings);
    manifest.check(present, &mut findings);
    let entrypoint = manifest.entrypoint(&mut findings);
    if findings.0.is_empty() { entrypoint } else { findings.to_string() }
}

#[track_caller]
fn check(ours: &str, expected: &str) {
    let manifest = format!(r#"{{"roots": ["a"], "metadata": {{"portreeve": {ours}}}}}"#);
    assert_eq!(read(&manifest, &[Language::Rego]), expected, "{ours}");
}

#[test]
fn an_entry_point_has_one_form() {
    check("{}", "data.authz");
    for written in ["data.shop.authz", "shop.authz", "shop/authz"] {
        check(&format!(r#"{{"entrypoint": "{written}"}}"#), "data.shop.authz");
    }
    let refused = "is not of the form `data.authz`";
    for written in ["", "a..b", "a b", "data.", "a[0]"] {
        let message = format!(".manifest:1:45: error: entry point `{written}` {refused}");
        check(&format!(r#"{{"entrypoint": "{written}"}}"#), &message);
    }
}

#[test]
fn an_unknown_key_of_ours_is_refused_and_opas_keys_are_not_ours() {
    check(
        r#"{"entry": "a"}"#,
        ".manifest:1:45: error: `metadata.portreeve`: unknown field `entry`, expected one of \
         `entrypoint`, `audience`, `languages`",
    );
    let opa = r#"{"rego_version": 1, "revision": "a", "metadata": {"other": 1}}"#;
    assert_eq!(read(opa, &[Language::Rego]), "data.authz");
    assert_eq!(read("{", &[Language::Rego]), ".manifest:1:1: error: EOF while parsing an object");
}

#[test]
fn the_claimed_languages_are_those_of_the_files() {
    check(r#"{"languages": ["rego"]}"#, "data.authz");
    check(
        r#"{"languages": ["rego", "cedar"]}"#,
        ".manifest:1:45: error: `languages` says cedar and rego, and the files are rego",
    );
    let entrypoint = r#"{"metadata": {"portreeve": {"entrypoint": "authz"}}}"#;
    let seen = read(entrypoint, &[Language::Cedar]);
    assert!(seen.contains("there is no `*.rego` file"), "{seen}");
}

#[test]
fn a_rego_version_that_is_not_1_is_refused_by_name() {
    let manifest = r#"{"rego_version": 0, "file_rego_versions": {"/a/*.rego": 0, "/b": 1}}"#;
    let expected = ".manifest:1:2: error: `rego_version` is 0: only Rego v1 is supported\n\
                    .manifest:1:44: error: `file_rego_versions[\"/a/*.rego\"]` is 0: only Rego v1 is \
                    supported";
    assert_eq!(read(manifest, &[Language::Rego]), expected);
    assert_eq!(read(r#"{"rego_version": 1}"#, &[Language::Rego]), "data.authz");
}

#[test]
fn roots_that_overlap_are_refused() {
    let roots = |roots: &str| read(&format!(r#"{{"roots": {roots}}}"#), &[Language::Rego]);
    assert_eq!(roots(r#"["a/b", "a/c", "ab"]"#), "data.authz");
    assert_eq!(
        roots(r#"["a/b/", "x", "/a"]"#),
        ".manifest:1:2: error: root `a/b/` lies inside root `/a`"
    );
    assert_eq!(roots(r#"["a", ""]"#), ".manifest:1:2: error: root `a` lies inside root ``");
    assert_eq!(roots("7"), ".manifest:1:2: error: `roots` is not a list of strings");
}
