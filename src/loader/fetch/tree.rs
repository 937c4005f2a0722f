//! A commit's tree as files, read object by object: nothing is ever checked out.

use std::io::{BufRead, BufReader, Read, Write};

use portreeve_core::policy::Files;

use super::FetchError;
use super::git::Git;

/// One line of `ls-tree`: a mode, a type, an id, a padded size, and a path that is bounded below.
const MAX_ENTRY_BYTES: u64 = 8 << 10;

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    id: String,
    bytes: usize,
    path: String,
}

/// Reads the files under `subdir` of a commit whose path there is wanted. A file's limits are checked
/// on its listed size, before a byte of its content is read.
///
/// # Errors
/// Something in the tree is not a plain file within the limits, or git failed.
pub(super) fn read(
    git: &Git,
    commit: &str,
    subdir: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Files, FetchError> {
    let subdir = subdir.trim_matches('/');
    let tree = format!("{commit}:{subdir}");
    if !subdir.is_empty() {
        let missing = || FetchError::NoSubdir { subdir: subdir.to_owned() };
        Files::default().check(subdir, 0).map_err(|_| missing())?;
        let kind = git.run("cat-file", &["-t", &tree]).map_err(|_| missing())?;
        if kind != b"tree\n" {
            return Err(missing());
        }
    }
    let arguments = ["-r", "-z", "-l", "--full-tree", "--end-of-options", &tree];
    let mut listing = git.start("ls-tree", &arguments)?;
    let mut objects = git.start("cat-file", &["--batch"])?;
    let mut files = Files::default();
    let mut lines = BufReader::new(&mut listing.stdout);
    let mut contents = BufReader::new(&mut objects.stdout);
    loop {
        let mut line = Vec::new();
        let limited = (&mut lines).take(MAX_ENTRY_BYTES).read_until(0, &mut line);
        if limited.map_err(FetchError::Pipe)? == 0 {
            break;
        }
        let Some(entry) = parse(&line, &is_wanted)? else { continue };
        files.check(&entry.path, entry.bytes).map_err(FetchError::Files)?;
        writeln!(objects.stdin, "{}", entry.id).map_err(FetchError::Pipe)?;
        let content = content(&mut contents, &entry)?;
        files.insert(&entry.path, content).map_err(FetchError::Files)?;
    }
    listing.finish()?;
    objects.finish()?;
    files.check_case().map_err(FetchError::Files)?;
    Ok(files)
}

/// One object of `cat-file --batch`: a header line, the bytes, a line feed.
fn content(contents: &mut impl BufRead, entry: &Entry) -> Result<Vec<u8>, FetchError> {
    let mut header = String::new();
    contents.take(MAX_ENTRY_BYTES).read_line(&mut header).map_err(FetchError::Pipe)?;
    let header = header.trim_end();
    if header != format!("{} blob {}", entry.id, entry.bytes) {
        return Err(FetchError::Object { path: entry.path.clone(), header: header.to_owned() });
    }
    let mut content = vec![0; entry.bytes.saturating_add(1)];
    contents.read_exact(&mut content).map_err(FetchError::Pipe)?;
    content.pop();
    Ok(content)
}

/// Reads `<mode> <type> <id> <size>\t<path>\0`; `None` where the path is not wanted.
fn parse(line: &[u8], is_wanted: impl Fn(&str) -> bool) -> Result<Option<Entry>, FetchError> {
    let listing = || FetchError::Listing { line: line.escape_ascii().to_string() };
    let line_text = line.strip_suffix(b"\0").ok_or_else(listing)?;
    let tab = line_text.iter().position(|byte| *byte == b'\t').ok_or_else(listing)?;
    let (facts, path) = line_text.split_at_checked(tab).ok_or_else(listing)?;
    let path = path.strip_prefix(b"\t").ok_or_else(listing)?;
    let facts = std::str::from_utf8(facts).map_err(|_| listing())?;
    let mut facts = facts.split_ascii_whitespace();
    let (Some(mode), Some(kind), Some(id), Some(bytes), None) =
        (facts.next(), facts.next(), facts.next(), facts.next(), facts.next())
    else {
        return Err(listing());
    };
    if std::str::from_utf8(path).is_ok_and(|path| !is_wanted(path)) {
        return Ok(None);
    }
    let what = match mode {
        "100644" | "100755" => None,
        "120000" => Some("a symbolic link"),
        "160000" => Some("a submodule"),
        _ => Some("not a plain file"),
    };
    let name = path.escape_ascii().to_string();
    if let Some(what) = what {
        return Err(FetchError::Mode { path: name, what, mode: mode.to_owned() });
    }
    let path = std::str::from_utf8(path).map_err(|_| FetchError::NotUtf8 { path: name })?;
    if kind != "blob" || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(listing());
    }
    let bytes = bytes.parse().map_err(|_| listing())?;
    Ok(Some(Entry { id: id.to_owned(), bytes, path: path.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[u8], expected: &str) {
        let outcome = match parse(line, |path| !path.starts_with('.')) {
            Ok(None) => "not wanted".to_owned(),
            Ok(Some(entry)) => format!("{} {} {}", entry.id, entry.bytes, entry.path),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(outcome, expected);
    }

    #[test]
    fn plain_files_are_listed() {
        check(b"100644 blob abc1      12\ta/b c.rego\0", "abc1 12 a/b c.rego");
        check(b"100755 blob abc1       0\tx\0", "abc1 0 x");
        check(b"120000 blob abc1      12\t.hidden\0", "not wanted");
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        check(
            b"120000 blob abc1      12\tkeys\0",
            "error: `keys` is a symbolic link (mode 120000), which a bundle may not hold",
        );
        check(
            b"160000 commit abc1       -\tlib\0",
            "error: `lib` is a submodule (mode 160000), which a bundle may not hold",
        );
        check(
            b"100664 blob abc1       1\tx\0",
            "error: `x` is not a plain file (mode 100664), which a bundle may not hold",
        );
        check(b"100644 blob abc1 1\t\xff.rego\0", r"error: the path `\xff.rego` is not UTF-8");
    }

    #[test]
    fn a_listing_that_git_would_not_write_is_refused() {
        for line in [&b"100644 blob abc1 1\tx"[..], b"100644 blob abc1 1 x\0", b"\0", b"a\tb\0"] {
            assert!(matches!(parse(line, |_| true), Err(FetchError::Listing { .. })));
        }
        check(b"100644 blob abc1 -1\tx\0", r"error: git listed `100644 blob abc1 -1\tx\x00`");
        check(b"100644 blob --all 1\tx\0", r"error: git listed `100644 blob --all 1\tx\x00`");
    }
}
