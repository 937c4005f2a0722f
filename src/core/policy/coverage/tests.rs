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

#[test]
fn an_error_is_seen_as_one_and_ends_the_policy() {
    let policy = "permit (principal, action in Action::\"http\", resource)\nwhen { \
                  context.headers.getTag(\"x\") == \"a\" } when { true };";
    let text = policy.replace("when { context", "when { context.headers.hasTag(\"y\") || context");
    assert!(
        Bundle::load(&files_of(&text), Revision::default()).is_err(),
        "validation stays strict"
    );
    let overflow = "permit (principal, action in Action::\"http\", resource)\n\
                    when { context.port + 9223372036854775807 > 0 }\nunless { false };";
    let _ = overflow;
}

fn files_of(text: &str) -> Files {
    let mut files = Files::default();
    files.insert("p.cedar", text.as_bytes().to_vec()).unwrap();
    files
}
