use super::*;
use crate::policy::Revision;

const POLICIES: &str = r#"@id("readers")
permit (principal, action in Action::"http", resource)
when { context.path == "/a" && context.headers.hasTag("x-tenant") };

@id("blocked")
forbid (principal == Workload::"spiffe://td/bad", action, resource);

@id("gate")
forbid (principal, action in Action::"http", resource)
unless {
  context.path == "/a" ||
  context.path == "/b"
};
"#;

fn measured(cases: &str) -> Coverage {
    measured_of(&[("p.cedar", POLICIES), ("p_test.yaml", cases)])
}

fn measured_of(list: &[(&str, &str)]) -> Coverage {
    let mut files = Files::default();
    for (path, text) in list {
        files.insert(path, text.as_bytes().to_vec()).unwrap();
    }
    let (bundle, _) = Bundle::load(&files, Revision::default()).unwrap();
    measure(&files, &bundle, &|_| true).unwrap()
}

fn letters(seen: Seen) -> String {
    let letters = [(seen.r#true, 't'), (seen.r#false, 'f'), (seen.error, 'e')];
    letters.into_iter().filter(|(is_seen, _)| *is_seen).map(|(_, letter)| letter).collect()
}

/// Each policy as `id:line scope satisfied`, its conditions as `word:line seen [operand:line seen]`.
fn texts(coverage: &Coverage) -> Vec<String> {
    let operand = |o: &OperandCoverage| format!(" [{}:{} {}]", o.text, o.line, letters(o.seen));
    let clause = |c: &ClauseCoverage| {
        let operands: String = c.operands.iter().map(operand).collect();
        format!("; {}:{} {}{operands}", c.clause.as_str(), c.line, letters(c.seen))
    };
    let policy = |p: &PolicyCoverage| {
        let clauses: String = p.clauses.iter().map(clause).collect();
        format!("{}:{} {} {}{clauses}", p.id, p.line, p.was_in_scope, p.was_satisfied)
    };
    coverage.cedar.iter().map(policy).collect()
}

#[track_caller]
fn check(requests: &[&str], expected: &[&str], percent: &str) {
    let case = |request: &&str| format!("- name: a\n  request: {request}\n  expect: allow\n");
    let cases: String = requests.iter().map(case).collect();
    let coverage = measured(&format!("cases:\n{cases}"));
    assert_eq!(texts(&coverage), expected);
    assert_eq!(coverage.total().to_string(), percent);
}

#[test]
fn a_policy_that_no_test_makes_false_is_not_wholly_covered() {
    let allowed = "{source: spiffe://td/web, path: /a, headers: {x-tenant: t}}";
    check(
        &[allowed],
        &[
            "readers:1 true true; when:3 t [context.path == \"/a\":3 t] \
             [context.headers.hasTag(\"x-tenant\"):3 t]",
            "blocked:5 false false",
            "gate:8 true false; unless:10 t [context.path == \"/a\":11 t] [context.path == \"/b\":12 ]",
        ],
        "36.3 %",
    );
    // Its twin: the same tests and those that make each condition false.
    check(
        &[
            allowed,
            "{source: spiffe://td/web, path: /a}",
            "{source: spiffe://td/bad, path: /b}",
            "{source: spiffe://td/web, path: /c}",
        ],
        &[
            "readers:1 true true; when:3 tf [context.path == \"/a\":3 tf] \
             [context.headers.hasTag(\"x-tenant\"):3 tf]",
            "blocked:5 true true",
            "gate:8 true true; unless:10 tf [context.path == \"/a\":11 tf] [context.path == \"/b\":12 tf]",
        ],
        "100 %",
    );
}

#[test]
fn what_stands_behind_a_false_operand_is_not_evaluated() {
    check(
        &["{source: spiffe://td/web, path: /b}"],
        &[
            "readers:1 true false; when:3 f [context.path == \"/a\":3 f] \
             [context.headers.hasTag(\"x-tenant\"):3 ]",
            "blocked:5 false false",
            "gate:8 true false; unless:10 t [context.path == \"/a\":11 f] [context.path == \"/b\":12 t]",
        ],
        "27.2 %",
    );
}

/// A test in Cedar's format, of a request with that many segments.
fn cedar_test(segments: i64) -> String {
    let context = format!(
        r#"{{"direction": "inbound", "method": "GET", "scheme": "https", "host": "h", "path": "/a",
        "segments": [], "segment_count": {segments}, "protocol": "HTTP/2",
        "query": {{"__entity": {{"type": "Query", "id": "q"}}}},
        "headers": {{"__entity": {{"type": "Headers", "id": "h"}}}},
        "source_ip": {{"__extn": {{"fn": "ip", "arg": "10.0.0.7"}}}},
        "now": {{"__extn": {{"fn": "datetime", "arg": "2026-11-21T10:00:00.000Z"}}}}}}"#
    );
    format!(
        r#"[{{"name": "a", "entities": [], "decision": "allow", "reason": [], "num_errors": 0,
        "request": {{"principal": "Workload::\"spiffe://td/web\"", "action": "Action::\"GET\"",
        "resource": "Route::\"r\"", "context": {context}}}}}]"#
    )
}

#[track_caller]
fn check_cedar_test(policies: &str, segments: i64, expected: &[&str]) {
    let test = cedar_test(segments);
    let coverage = measured_of(&[("p.cedar", policies), ("p.cedar-tests.json", &test)]);
    assert_eq!(texts(&coverage), expected);
}

#[test]
fn an_error_is_seen_as_one_and_ends_the_policy() {
    let policy = "@id(\"p\") permit (principal, action in Action::\"http\", resource)\nwhen { \
                  context.segment_count * 2 == 4 } unless { context.path == \"/b\" };";
    check_cedar_test(policy, i64::MAX, &["p:1 true false; when:2 e; unless:2 "]);
    check_cedar_test(policy, 2, &["p:1 true true; when:2 t; unless:2 f"]);
    check_cedar_test(policy, 3, &["p:1 true false; when:2 f; unless:2 "]);
}

#[test]
fn a_policy_is_in_scope_where_its_scope_matches() {
    for (scope, is_in_scope) in [
        ("principal, action, resource", true),
        ("principal == Workload::\"spiffe://td/web\", action == Action::\"GET\", resource", true),
        ("principal is Workload, action in Action::\"http\", resource is Route", true),
        ("principal, action in [Action::\"PUT\", Action::\"GET\"], resource", true),
        ("principal == Workload::\"spiffe://td/other\", action, resource", false),
        ("principal in TrustDomain::\"td\", action, resource", false),
        ("principal is Anonymous, action, resource", false),
        ("principal, action == Action::\"PUT\", resource", false),
        ("principal, action, resource == Route::\"other\"", false),
        ("principal, action, resource is Service", false),
    ] {
        let policy = format!("@id(\"p\") permit ({scope});");
        check_cedar_test(&policy, 1, &[&format!("p:1 {is_in_scope} {is_in_scope}")]);
    }
}

#[test]
fn a_template_is_satisfied_where_one_of_its_links_is() {
    let template = "@id(\"t\") permit (principal == ?principal, action, resource);";
    let link = |id: &str, name: &str| {
        format!(
            r#"{{"template_id": "t", "link_id": "{id}",
            "args": {{"?principal": "Workload::\"spiffe://td/{name}\""}}}}"#
        )
    };
    let case =
        "cases:\n- name: a\n  request: {source: spiffe://td/web, path: /a}\n  expect: allow\n";
    for (links, expected) in [
        (format!("[{}, {}]", link("a", "other"), link("b", "web")), "t:1 true true"),
        (format!("[{}]", link("a", "other")), "t:1 false false"),
    ] {
        let coverage = measured_of(&[
            ("p.cedar", template),
            ("templates.json", &links),
            ("p_test.yaml", case),
        ]);
        assert_eq!(texts(&coverage), [expected]);
    }
}

#[test]
fn both_languages_count_in_one_bundle() {
    let cedar = "@id(\"p\") permit (principal, action in Action::\"http\", resource) when { context.path == \"/a\" };";
    let rego = "package authz\nallow if input.request.path == \"/a\"\nother := 1\n";
    let case =
        "cases:\n- name: a\n  request: {source: spiffe://td/web, path: /a}\n  expect: allow\n";
    let coverage = measured_of(&[("p.cedar", cedar), ("p.rego", rego), ("p_test.yaml", case)]);
    assert_eq!(coverage.lines(), Count { covered: 1, total: 2 });
    assert_eq!(coverage.outcomes(), Count { covered: 2, total: 3 });
    assert_eq!(coverage.total(), Count { covered: 3, total: 5 });
}
