use portreeve_core::policy::*;
fn main() {
    for dir in std::env::args().skip(1) {
        let mut files = Files::default();
        fn walk(root: &std::path::Path, at: &std::path::Path, files: &mut Files) {
            for e in std::fs::read_dir(at).unwrap() {
                let p = e.unwrap().path();
                if p.is_dir() {
                    walk(root, &p, files)
                } else {
                    files
                        .insert(
                            p.strip_prefix(root).unwrap().to_str().unwrap(),
                            std::fs::read(&p).unwrap(),
                        )
                        .unwrap();
                }
            }
        }
        let root = std::path::Path::new(&dir);
        walk(root, root, &mut files);
        let t = std::time::Instant::now();
        let seen = match Bundle::load(&files, Revision::default()) {
            Ok((_, f)) => f,
            Err(f) => f,
        };
        println!("@@ {} {:?}", root.file_name().unwrap().to_str().unwrap(), t.elapsed());
        for f in seen.0.iter().take(40) {
            println!("{f}{}", f.hint.as_ref().map(|h| format!(" [{h}]")).unwrap_or_default());
        }
    }
}
