use super::bundles::{SMALL, TYPICAL, TYPICAL_DATA, files, load};
use super::{Evidence, cases, compare, reference};
use crate::policy::{Bundle, Revision};

#[track_caller]
fn check(name: &str, evidence: &Evidence) {
    println!("{name:60} {evidence}");
    for difference in &evidence.differences {
        println!("{}\n  {}\n  {}\n  {}", difference.way, difference.meaning, difference.seen, difference.input);
    }
    assert_eq!(evidence.differing, 0, "{name}");
}

#[test]
fn the_typical_policies_mean_the_same_in_every_way() {
    for (name, text) in TYPICAL {
        let bundle = load(&files(&[("authz.rego", text), ("data.json", TYPICAL_DATA)]));
        check(name, &compare(&bundle, 1, 64));
    }
}

#[test]
fn the_reference_policies_mean_the_same_in_every_way() {
    for (name, text) in [("plain", reference::plain(50)), ("mixed", reference::mixed(50))] {
        let bundle = load(&files(&[("authz.rego", &text), ("data.json", &reference::data(50))]));
        check(name, &compare(&bundle, 1, 200));
    }
}

#[test]
fn the_small_policies_mean_the_same_in_every_way() {
    let mut all = Evidence::default();
    for (file, text) in SMALL {
        for case in cases(text).unwrap() {
            match Bundle::load(&case.files, Revision::default()) {
                Ok((bundle, _)) => {
                    let evidence = compare(&bundle, 1, 48);
                    check(&format!("{file}:{} {}", case.line, case.name), &evidence);
                    all.join(evidence);
                }
                Err(findings) => println!("REFUSED {file}:{} {}\n{findings}", case.line, case.name),
            }
        }
    }
    check("all", &all);
}
