use super::*;

/// Of each small policy; the conformance suite tries more.
const INPUTS: usize = 12;

const EXPECTED_FAILURES: &str =
    include_str!("../../../../../conformance/evaluation/expected_failures.toml");

macro_rules! texts {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!(
            "../../../../../conformance/evaluation/cases/", $name, ".txt"
        )))),+]
    };
}

#[test]
fn policies_that_are_hard_on_an_index_mean_the_same_in_every_way() {
    let mut all = Evidence::default();
    let mut wrong = Vec::new();
    for (file, text) in texts!["entry", "errors", "gates", "order", "tests"] {
        for case in cases(text).unwrap() {
            let place = format!("{file}.txt:{} {}", case.line, case.name);
            let bundle = Bundle::load(&case.files, Revision::default());
            let (bundle, _) = bundle.unwrap_or_else(|findings| panic!("{place}\n{findings}"));
            let evidence = compare(&bundle, u64::from(case.line), INPUTS);
            let is_listed = EXPECTED_FAILURES.contains(&format!("\"{file}/{}\" = ", case.name));
            match evidence.differences.first() {
                Some(first) if !is_listed => wrong.push(format!("{place}: {first}")),
                None if is_listed => wrong.push(format!("{place}: nothing differs: unlist it")),
                Some(_) | None => {}
            }
            all.join(evidence);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let inputs = all.inputs;
    assert!(inputs > 1_500 && all.compared > inputs, "{all}");
    for outcome in [all.allows, all.denies, all.errors] {
        assert!(outcome > inputs / 20, "{all}");
    }
}
