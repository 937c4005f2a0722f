//! The published limits are those of the source.

use std::fs;
use std::path::Path;

#[test]
fn every_published_limit_is_that_of_its_constant() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/policy-limits.md")).unwrap();
    let rows = page.lines().filter(|line| line.ends_with(".rs` |"));
    let mut count = 0;
    for row in rows {
        let mut cells = row.rsplit('|').map(|cell| cell.trim().trim_matches('`')).skip(1);
        let [source, constant, limit] = [(); 3].map(|()| cells.next().unwrap());
        let text = fs::read_to_string(root.join(source)).unwrap();
        let declared = text.lines().find(|line| line.contains(&format!("const {constant}: ")));
        let declared = declared.unwrap_or_else(|| panic!("{source} has no `{constant}`"));
        assert!(declared.contains(&format!("= {limit};")), "{source}: {declared}, not {limit}");
        count += 1;
    }
    assert!(count > 30, "{count} rows");
}
