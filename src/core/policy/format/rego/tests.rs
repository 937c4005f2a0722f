
#[test]
fn zz_compare() {
    let mut same = 0; let mut differ = 0; let mut refused = 0;
    for entry in std::fs::read_dir("/tmp/fmt/in").unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let Ok(expected) = std::fs::read_to_string(format!("/tmp/fmt/out/{name}")) else { continue };
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let mine = format!("/tmp/fmt/mine/{name}");
        let _ = std::fs::remove_file(&mine);
        let _ = std::fs::remove_file(format!("{mine}.err"));
        match super::super::format(&name, text.as_bytes()) {
            Ok(text) if text == expected => same += 1,
            Ok(text) => { differ += 1; std::fs::write(mine, text).unwrap(); }
            Err(e) => { refused += 1; std::fs::write(format!("{mine}.err"), e.to_string()).unwrap(); }
        }
    }
    panic!("same {same} differ {differ} refused {refused}");
}
