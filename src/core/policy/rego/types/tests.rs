use super::super::super::{Bundle, Files, Findings, Revision};

/// The findings for a rule of package `p`, with their hints.
#[track_caller]
fn check(rule: &str, expected: &str) {
    let mut files = Files::default();
    let module = format!("package p\n{rule}\n");
    files.insert("p.rego", module.into_bytes()).unwrap();
    let manifest = br#"{"metadata": {"portreeve": {"entrypoint": "data.p"}}}"#;
    files.insert(".manifest", manifest.to_vec()).unwrap();
    let findings = match Bundle::load(&files, Revision::default()) {
        Ok((_, findings)) | Err(findings) => findings,
    };
    assert_eq!(lines(&findings), expected, "{rule}");
}

fn lines(findings: &Findings) -> String {
    let line = |finding: &super::Finding| match &finding.hint {
        Some(hint) => format!("{finding} [{hint}]"),
        None => finding.to_string(),
    };
    findings.0.iter().map(line).collect::<Vec<_>>().join("\n")
}

const LIST: &str = "[it holds every value: index it with `[_]`, or use `some v in …`]";

#[test]
fn a_field_that_does_not_exist_is_named_with_the_nearest() {
    check(
        "allow if input.sorce.path == \"/x\"",
        "p.rego:2:16: error: `input` has no field `sorce` [did you mean `source`?]",
    );
    check(
        "allow if input.request.header.host",
        "p.rego:2:24: error: `input.request` has no field `header` [did you mean `headers`?]",
    );
    check(
        "allow if input[\"request\"][\"methd\"] == \"GET\"",
        "p.rego:2:28: error: `input.request` has no field `methd` [did you mean `method`?]",
    );
    check("allow if input.user == \"a\"", "p.rego:2:16: error: `input` has no field `user`");
    check(
        "allow if input.source.path.foo == 1",
        "p.rego:2:28: error: `input.source.path` is a string and has no field `foo`",
    );
    check(
        "allow if input.request.segments.first == \"a\"",
        &format!(
            "p.rego:2:33: error: `input.request.segments` is a list and has no field `first` {}",
            LIST.replace("it holds every value: ", "")
        ),
    );
}

#[test]
fn imports_and_local_aliases_are_followed() {
    check(
        "import input.request as r\nallow if r.metod == \"GET\"",
        "p.rego:3:12: error: `r` has no field `metod` [did you mean `method`?]",
    );
    check(
        "allow if { r := input.request; r.metod == \"GET\" }",
        "p.rego:2:34: error: `r` has no field `metod` [did you mean `method`?]",
    );
    check("allow if f(input.source)\nf(input_) if input_.anything == 1", "");
    check(
        "import input.request as r\nallow if f(1)\nf(r) if r.anything == 1",
        "p.rego:2:8: warning: the import `r` is not used",
    );
}

#[test]
fn a_header_name_that_never_matches_is_refused() {
    check(
        "allow if input.request.headers[\"X-Tenant\"][_] == \"a\"",
        "p.rego:2:33: error: `X-Tenant` never matches: header names are in lower case \
         [write `x-tenant`]",
    );
    check("allow if input.request.headers[\"x-tenant\"][_] == \"a\"", "");
}

#[test]
fn a_list_is_no_string() {
    check(
        "allow if startswith(input.request.headers[\"x-tenant\"], \"a\")",
        &format!(
            "p.rego:2:21: error: `startswith` takes a string here, and \
             `input.request.headers[\"x-tenant\"]` is a list {LIST}"
        ),
    );
    check("allow if startswith(input.request.headers[\"x-tenant\"][_], \"a\")", "");
    check(
        "allow if not input.request.headers.host == \"a\"",
        &format!(
            "p.rego:2:14: error: `input.request.headers.host`, a list, is compared with a string \
             {LIST}"
        ),
    );
    check("allow if { some v in input.request.headers.host; v == \"a\" }", "");
    check(
        "allow if input.request.headers.host in [\"a\", \"b\"]",
        &format!(
            "p.rego:2:10: error: `input.request.headers.host`, a list, is never in a collection of \
             which each item is a string {LIST}"
        ),
    );
    check("allow if input.request.host in [\"a\", \"b\"]", "");
}

#[test]
fn operands_of_different_kinds_are_refused() {
    check(
        "allow if input.destination.address.port == \"443\"",
        "p.rego:2:10: error: `input.destination.address.port`, a number, is compared with a string",
    );
    check("allow if input.destination.address.port == 443", "");
    check(
        "allow if { some v in input.request.headers.host; v == 1 }",
        "p.rego:2:50: error: `v`, a string, is compared with a number",
    );
    check(
        "allow if \"x-a\" in input.request.headers",
        "p.rego:2:11: error: a string is never in a collection of which each item is a list [`in` \
         looks at the values: read a key as `object[key]`]",
    );
    check(
        "allow if lower(null) == \"\"",
        "p.rego:2:16: error: `lower` takes a string here, and this is null",
    );
    check(
        "allow if input.time + 1 > 5",
        "p.rego:2:10: error: arithmetic takes numbers, and `input.time` is a string",
    );
    check("allow if input.source.spiffe_id == null", "");
}

#[test]
fn what_is_open_or_not_known_is_never_reported() {
    for rule in [
        "allow if input.request.body.x.y == 1",
        "allow if input.source.jwt.claims.groups[_] == \"a\"",
        "allow if input.attributes.request.http.headers.host == \"a\"",
        "allow if input.attributes.source.principal == \"a\"",
        "allow if input.parsed_path[0] == \"a\"",
        "allow if { input.parsed_query.a[0] == \"x\"; input.parsed_body.a.b }",
        "allow if { some h; input.request.headers[h][_] == \"x\" }",
        "allow if count(input.request.segments) == 2",
        "allow if input.request.headers[\"x-a\"] == [\"b\"]",
        "allow if regex.match(\"^a\", input.request.body.x)",
        "allow if every v in input.request.headers.host { v == \"a\" }",
        "allow if input.x == 1 with input as input.request.body",
    ] {
        check(rule, "");
    }
}

#[test]
fn a_replaced_input_with_unknown_fields_is_a_warning() {
    check(
        "allow if data.q.ok with input as {\"request\": {\"pth\": 1}}",
        "p.rego:2:48: warning: the document has no field `pth` [did you mean `path`?]",
    );
    check("allow if data.q.ok with input as {\"request\": {\"path\": \"/\"}}", "");
}
