use super::super::super::super::{Bundle, Files, Revision};

/// Whether a package with these rules is refused for what it may hold.
fn is_refused(rules: &str) -> bool {
    let mut files = Files::default();
    let module = format!("package authz\n\ndefault allow := false\n\n{rules}");
    files.insert("p.rego", module.into_bytes()).unwrap();
    match Bundle::load(&files, Revision::default()) {
        Ok(_) => false,
        Err(findings) => {
            let text = findings.to_string();
            assert!(text.contains("this may hold more than"), "{text}");
            true
        }
    }
}

#[track_caller]
fn passes(rules: &str) {
    assert!(!is_refused(rules), "{rules}");
}

#[track_caller]
fn refused(rules: &str) {
    assert!(is_refused(rules), "{rules}");
}

/// `x0` is a value, and each of the others holds the one before twice.
fn doubling(times: usize, join: impl Fn(usize) -> String) -> String {
    (1..=times).map(|n| format!("x{n} := {}\n", join(n - 1))).collect()
}

#[test]
fn rules_that_double_are_refused_where_it_shows() {
    let pair = |n| format!("[x{n}, x{n}]");
    refused(&format!("x0 := [1]\n{}", doubling(40, pair)));
    passes(&format!("x0 := [1]\n{}", doubling(8, pair)));
    refused(&format!("x0 := {{1}}\n{}", doubling(40, |n| format!("{{\"a\": x{n}, \"b\": x{n}}}"))));
    refused(&format!("x0 := {{1}}\n{}", doubling(40, |n| format!("{{[x{n}], [x{n}, 1]}}"))));
}

#[test]
fn locals_and_functions_that_double_are_refused() {
    let body = doubling(40, |n| format!("[x{n}, x{n}]"));
    refused(&format!("allow if {{\n\tx0 := [1]\n{body}\tx40 == x39\n}}"));
    let backwards: String = body.lines().rev().map(|line| format!("{line}\n")).collect();
    refused(&format!("allow if {{\n{backwards}\tx0 := [1]\n\tx40 == x39\n}}"));
    let calls = doubling(40, |n| format!("f(x{n})"));
    refused(&format!("f(x) := [x, x]\nallow if {{\n\tx0 := [1]\n{calls}\tx40 == x39\n}}"));
    let concat = doubling(40, |n| format!("array.concat([x{n}], [x{n}])"));
    refused(&format!("x0 := [1]\n{concat}"));
}

#[test]
fn a_loop_that_repeats_what_a_loop_collected_is_refused() {
    let all = "all := [v | some v in data.values]\n";
    refused(&format!("{all}rows := [all | some _ in data.values]"));
    refused(&format!("{all}rows contains all if some _ in data.values"));
    refused(&format!("{all}rows[k] := all if some k in data.values"));
    refused(&format!("{all}f(_) := all\nrows := [f(v) | some v in data.values]"));
    refused(
        "rows := [[b | some _ in data.v] | some i in data.v; b := [[i, c] | some c in data.v]]",
    );
    refused(&format!(
        "{all}allow if {{\n\tsome i in data.values\n\t[[all | some _ in all] | some _ in all] == i\n}}"
    ));
}

#[test]
fn what_a_loop_makes_anew_or_takes_out_passes() {
    passes(
        "roles := {r | some r in data.bindings[input.source.spiffe_id]}
perms := {p | some r in roles; some p in data.roles[r]}
levels := {l | some p in perms; some l in data.levels[p]}
allow if input.request.method in levels",
    );
    passes(
        "members := {t: m | some t in data.tenants; m := {u | some u in data.users; u.tenant == t}}
allow if input.source.spiffe_id in members[input.request.host]",
    );
    passes(
        "parts(p) := [s | some s in split(p, \"/\"); s != \"\"]
rules := [{\"path\": x, \"name\": r.name} | some r in data.rules; x := parts(r.path)]
allow if {
    some r in rules
    r.path == parts(input.request.path)
}",
    );
    passes(
        "table := {k: v | some k, v in data.table}
picked := {r: object.get(table, r, []) | some r in data.names}
deny contains {\"rule\": r, \"why\": sprintf(\"%v\", [table])} if some r in data.rules",
    );
    passes(
        "a := {\"x\": input.request, \"y\": data.y}
b := {\"a\": a, \"c\": [a, a]}
c := {\"b\": b, \"d\": [b.a, b.c]}
allow if c.b.a.x.method == \"GET\"",
    );
    passes(
        "hits := [i | some i, v in data.values; v == input.request.host]
first := data.values[hits[0]]
allow if first == \"a\"
allow if {
    some i
    data.values[i].name == first
    rest := array.concat(hits, [i])
    count(rest) > 1
}",
    );
}
