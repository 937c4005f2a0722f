//! What is refused before a parser sees it, and what is let through on a small stack.

use super::*;

/// Half of what serving and loading threads have; frames of an unoptimised build are ten times those
/// of an optimised one.
const SMALL_STACK: usize = 4 << 20;

fn when(condition: &str) -> String {
    format!("permit(principal, action in Action::\"http\", resource) when {{\n{condition}\n}};")
}

fn nested(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn chain(link: &str, last: &str, times: usize) -> String {
    format!("{}{last}", link.repeat(times))
}

/// Shapes that grow with a number: for which numbers they load and decide, tried on a small stack up
/// to the first that is refused.
#[track_caller]
fn check(name: &str, shape: fn(usize) -> String, least: usize, place: &str) {
    let decide_one = move |count: usize| -> Result<String, String> {
        let texts = shape(count);
        let loaded = load(&[("a.cedar", &texts)]);
        let (bundle, _) = loaded.map_err(|findings| findings.to_string())?;
        Ok(decided(&bundle, &json!({"path": "/"})))
    };
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK).spawn(move || {
        for count in [1, 4, 5, 20, 48, 60, 62, 63, 64, 99, 101, 200, 5_000] {
            match decide_one(count) {
                // Cedar's own guard speaks up where frames are large, and denies.
                Ok(seen) if seen.contains("recursion limit reached") => {}
                Ok(seen) if seen.starts_with("error") => return Err((count, seen)),
                Ok(_) => {}
                Err(findings) => return Ok((count, findings)),
            }
        }
        Err((0, "nothing is refused".to_owned()))
    });
    match thread.unwrap().join().unwrap() {
        Ok((count, findings)) => {
            assert!(count > least, "{name}: {count} is refused: {findings}");
            assert!(findings.starts_with(place), "{name}: {count}: {findings}");
        }
        Err((count, seen)) => panic!("{name}: {count} decides `{seen}`"),
    }
}

#[test]
fn every_shape_of_nesting_is_refused_at_its_place_or_decides_on_a_small_stack() {
    check("parentheses", |n| when(&nested("(", "true", ")", n)), 60, "a.cedar:2:");
    check("negations", |n| when(&nested("!(", "true", ")", n)), 60, "a.cedar:2:");
    check(
        "minus",
        |n| when(&format!("{} < 9", nested("-(", "context.segment_count", ")", n))),
        20,
        "a.cedar:2:",
    );
    check("sets", |n| when(&format!("{0} == {0}", nested("[", "1", "]", n))), 60, "a.cedar:2:");
    check(
        "records",
        |n| when(&format!("{0} == {0}", nested("{a: ", "1", "}", n))),
        60,
        "a.cedar:2:",
    );
    check(
        "conditions",
        |n| when(&chain("if context.path == \"/\" then true else ", "true", n)),
        48,
        "a.cedar:2:",
    );
    check(
        "inner conditions",
        |n| when(&nested("if (", "true", ") then true else false", n)),
        20,
        "a.cedar:2:",
    );
    check(
        "calls",
        |n| when(&nested("[1].contains(if ", "true", " then 1 else 2)", n)),
        20,
        "a.cedar:2:",
    );
}

#[test]
fn every_shape_of_chain_is_refused_at_its_place_or_decides_on_a_small_stack() {
    check("exclamation marks", |n| when(&chain("!", "true", n)), 4, "a.cedar:2:");
    check(
        "minus signs",
        |n| when(&format!("{} < 9", chain("-", "context.segment_count", n))),
        4,
        "a.cedar:2:",
    );
    check(
        "sums",
        |n| when(&format!("{} > 0", chain("1 + ", "context.segment_count", n))),
        48,
        "a.cedar:2:",
    );
    check(
        "products",
        |n| when(&format!("{} > 0", chain("1 * ", "context.segment_count", n))),
        48,
        "a.cedar:2:",
    );
    check("ands", |n| when(&chain("context.path == \"/\" && ", "true", n)), 99, "a.cedar:2:");
    check("ors", |n| when(&chain("context.path == \"/x\" || ", "true", n)), 99, "a.cedar:2:");
    check(
        "clauses",
        |n| format!("permit(principal, action, resource)\n{};", "when { true } ".repeat(n)),
        60,
        "a.cedar:2:",
    );
    check(
        "refusals",
        |n| format!("permit(principal, action, resource)\n{};", "unless { false } ".repeat(n)),
        60,
        "a.cedar:2:",
    );
}

#[test]
fn nesting_in_schema_and_entities_is_refused_or_decides_on_a_small_stack() {
    let type_of = |n: usize| nested("{a: ", "Long", "}", n);
    let value_of = |n: usize| nested("{\"a\": ", "1", "}", n);
    let work = move || {
        let policy =
            ("p.cedar", "permit(principal, action, resource) when { E::\"e\" == E::\"e\" };");
        let mut refused = Vec::new();
        for count in [1, 9, 12, 20, 60, 80, 200, 5_000] {
            let schema = format!("entity E = {{r: {}}};", type_of(count));
            let entity = value_of(count);
            let entities = format!(
                "[\n{{\"uid\": {{\"type\": \"E\", \"id\": \"e\"}}, \"attrs\": {{\"r\": {entity}}}, \"parents\": []}}]"
            );
            let texts = [policy, ("s.cedarschema", &schema), ("entities.json", &entities)];
            match load(&texts) {
                Ok((bundle, _)) => {
                    let seen = decided(&bundle, &json!({"path": "/"}));
                    assert_eq!(seen, "allow allowed p.cedar#1:p.cedar:1");
                }
                Err(findings) => refused.push((count, findings.to_string())),
            }
        }
        refused
    };
    let thread = std::thread::Builder::new().stack_size(SMALL_STACK).spawn(work);
    let refused = thread.unwrap().join().unwrap();
    let counts: Vec<_> = refused.iter().map(|(count, _)| *count).collect();
    assert_eq!(counts, [12, 20, 60, 80, 200, 5_000]);
    for (count, findings) in refused {
        assert!(findings.starts_with("s.cedarschema:1:"), "{count}: {findings}");
    }
}
