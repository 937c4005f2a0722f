#[test]
fn zz_cedar() {
    let mut ok = 0; let mut same = 0;
    for path in std::fs::read_to_string("/tmp/fmt/cedars").unwrap().lines() {
        let text = std::fs::read_to_string(path).unwrap();
        match super::format("a.cedar", text.as_bytes()) {
            Ok(t) => { ok += 1; if t == text { same += 1 } else if path.contains("policies/cedar") { eprintln!("{t}") } }
            Err(e) => eprintln!("{path} {e}"),
        }
    }
    panic!("ok {ok} same {same}");
}
