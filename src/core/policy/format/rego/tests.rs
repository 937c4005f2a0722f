
#[test]
fn zz_compare() {
    for n in ["", "2", "3", "4", "5"] { compare(n); }
    panic!();
}
fn compare(n: &str) {
    let mut same = 0; let mut differ = 0; let mut refused = 0;
    for entry in std::fs::read_dir(format!("/tmp/fmt/in{n}")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let Ok(expected) = std::fs::read_to_string(format!("/tmp/fmt/out{n}/{name}")) else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let mine = format!("/tmp/fmt/mine{n}/{name}");
        let _ = std::fs::remove_file(&mine);
        let _ = std::fs::remove_file(format!("{mine}.err"));
        match super::super::format(&name, text.as_bytes()) {
            Ok(text) if text == expected => same += 1,
            Ok(text) => { differ += 1; std::fs::write(mine, text).unwrap(); }
            Err(e) => { refused += 1; if let Some(t) = super::pass(&name, &text, true, &mut Default::default()) { let o = |t: &str| super::outline(&name, t, &mut Default::default()).unwrap_or_default().replace("(;", "\n(;"); std::fs::write(format!("{mine}.o1"), o(&text)).unwrap(); std::fs::write(format!("{mine}.o2"), o(&t)).unwrap(); std::fs::write(format!("{mine}.tried"), t).unwrap(); } std::fs::write(format!("{mine}.err"), e.to_string()).unwrap(); }
        }
    }
    eprintln!("set {n} same {same} differ {differ} refused {refused}");
}
