//! Where Cedar cases come from: the program, a folder, a `.tar.gz`, or a folder with some of those.
//!
//! Each is a root of its own: paths in a test file are taken from the root that it stands in.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use flate2::read::MultiGzDecoder;
use portreeve_core::policy::Files;
use portreeve_core::policy::cases::CaseResult;
use tar::{Archive, Entry, EntryType};

use super::embedded;
use crate::commands::policy::read;

const ARCHIVE: &str = ".tar.gz";
/// All suites of Cedar's corpus are 31,236 files.
const MAX_ENTRIES: usize = 200_000;
/// Those of the corpus are below 1 MiB.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// Unpacked, headers and padding included; the corpus is 49 MB of content.
const MAX_UNPACKED_BYTES: u64 = 256 << 20;
/// Packed; the corpus is 4 MB.
const MAX_ARCHIVE_BYTES: u64 = 64 << 20;

/// The files of one root.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// The archive with a slash, or nothing.
    prefix: String,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

impl Source {
    /// A file's name with that of its archive.
    pub(super) fn shown(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) fn unreadable(&self, name: &str, error: &serde_json::Error) -> CaseResult {
        CaseResult::unreadable(&self.shown(name), 0, error.to_string())
    }
}

/// The files under `cases`, or those that come with the program.
///
/// # Errors
/// A file or folder cannot be read, or an archive breaks a limit.
pub(super) fn of(cases: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    let Some(path) = cases else {
        let file = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
        let files = embedded::CEDAR.iter().map(file).collect();
        return Ok(vec![Source { prefix: String::new(), files }]);
    };
    if path.is_file() {
        let shown = path.display().to_string();
        let file = std::fs::File::open(path);
        let mut packed = Vec::new();
        file.and_then(|file| file.take(MAX_ARCHIVE_BYTES + 1).read_to_end(&mut packed))
            .with_context(|| format!("failed to read cases `{shown}`"))?;
        let is_small = u64::try_from(packed.len()).is_ok_and(|bytes| bytes <= MAX_ARCHIVE_BYTES);
        ensure!(is_small, "archive `{shown}` is larger than {MAX_ARCHIVE_BYTES} bytes");
        return Ok(vec![unpacked(&shown, &packed)?]);
    }
    let mut plain = Source::default();
    let mut sources = Vec::new();
    for (name, content) in read::files_of(path)?.iter() {
        if name.ends_with(ARCHIVE) {
            sources.push(unpacked(name, content)?);
        } else {
            plain.files.insert(name.to_owned(), content.to_vec());
        }
    }
    sources.insert(0, plain);
    Ok(sources)
}

/// Reads an archive whole: regular files with plain relative paths, each once, within the limits.
fn unpacked(name: &str, packed: &[u8]) -> anyhow::Result<Source> {
    let mut source = Source { prefix: format!("{name}/"), files: BTreeMap::new() };
    // Every read below ends here, also that of a name which the archive says is long.
    let mut unpacked = MultiGzDecoder::new(packed).take(MAX_UNPACKED_BYTES);
    let read = read_entries(&mut unpacked, &mut source.files);
    // Behind the last entry is the checksum.
    let read = read.and_then(|()| Ok(std::io::copy(&mut unpacked, &mut std::io::sink())?));
    let is_whole = unpacked.limit() > 0;
    ensure!(is_whole, "archive `{name}` unpacked is larger than {MAX_UNPACKED_BYTES} bytes");
    read.with_context(|| format!("failed to read archive `{name}`"))?;
    Ok(source)
}

fn read_entries(
    unpacked: &mut impl Read,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<()> {
    for (number, entry) in Archive::new(unpacked).entries()?.enumerate() {
        ensure!(number < MAX_ENTRIES, "it has more than {MAX_ENTRIES} entries");
        let entry = entry.with_context(|| format!("entry {number} is broken"))?;
        let path = entry.path_bytes();
        let shown = String::from_utf8_lossy(&path).escape_debug().to_string();
        add(entry, files).with_context(|| format!("failed to read entry `{shown}`"))?;
    }
    Ok(())
}

fn add(
    mut entry: Entry<'_, impl Read>,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<()> {
    match entry.header().entry_type() {
        EntryType::Regular => {}
        // `git archive` says which commit it packed.
        EntryType::Directory | EntryType::XGlobalHeader => return Ok(()),
        _ => bail!("it is not a regular file"),
    }
    let path =
        String::from_utf8(entry.path_bytes().into_owned()).context("its name is not UTF-8")?;
    // `tar -c .` writes names so.
    let path = path.strip_prefix("./").unwrap_or(&path);
    Files::default().check(path, 0)?;
    ensure!(entry.size() <= MAX_FILE_BYTES, "it is larger than {MAX_FILE_BYTES} bytes");
    let mut content = Vec::new();
    entry.read_to_end(&mut content)?;
    let is_first = files.insert(path.to_owned(), content).is_none();
    ensure!(is_first, "the archive holds it twice");
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};
    use tar::{Builder, Header};

    use super::*;

    /// An archive of entries of a kind, name and content, as anyone could write it.
    fn packed(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (kind, name, content) in entries {
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[track_caller]
    fn check(packed: &[u8], expected: Result<&[&str], &str>) {
        let seen = unpacked("a.tar.gz", packed).map_err(|error| format!("{error:#}"));
        match (seen, expected) {
            (Ok(seen), Ok(names)) => {
                assert_eq!(seen.files.keys().collect::<Vec<_>>(), names);
                assert_eq!(seen.shown("b"), "a.tar.gz/b");
            }
            (Err(seen), Err(expected)) => assert!(seen.contains(expected), "{seen}"),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    const FILE: EntryType = EntryType::Regular;

    #[test]
    fn regular_files_are_read_under_their_names() {
        let entries = [
            (EntryType::Directory, "a/", b"".as_slice()),
            (FILE, "a/b.json", b"{}"),
            (FILE, "./c", b"x"),
        ];
        check(&packed(&entries), Ok(&["a/b.json", "c"]));
        check(&packed(&[]), Ok(&[]));
    }

    #[test]
    fn what_leaves_the_archive_or_is_no_file_is_refused_by_name() {
        for name in ["/etc/passwd", "../a", "a/../../b", "a//b", "./", "a\\b"] {
            let shown = name.escape_debug().to_string();
            check(&packed(&[(FILE, name, b"")]), Err(&format!("failed to read entry `{shown}`: ")));
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo, EntryType::Char] {
            let expected = "failed to read entry `a`: it is not a regular file";
            check(&packed(&[(kind, "a", b"")]), Err(expected));
        }
        check(&packed(&[(FILE, "a", b"1"), (FILE, "./a", b"2")]), Err("`./a`: the archive holds"));
    }

    #[test]
    fn limits_hold_before_memory_is_spent() {
        let large = vec![0; 5 << 20];
        check(&packed(&[(FILE, "a", &large)]), Err("entry `a`: it is larger than 4194304 bytes"));
        let part = vec![0; 4 << 20];
        let parts: Vec<_> = (0..70).map(|n| format!("f{n}")).collect();
        let bomb: Vec<_> = parts.iter().map(|name| (FILE, name.as_str(), &part[..])).collect();
        check(&packed(&bomb), Err("archive `a.tar.gz` unpacked is larger than 268435456 bytes"));
    }

    #[test]
    fn a_cut_or_changed_archive_is_refused() {
        let whole = packed(&[(FILE, "a", b"content")]);
        check(&whole[..whole.len() / 2], Err("archive `a.tar.gz`"));
        check(&whole[..whole.len() - 4], Err("archive `a.tar.gz`"));
        let mut changed = whole;
        let checksum = changed.len() - 8;
        changed[checksum] ^= 1;
        check(&changed, Err("archive `a.tar.gz`"));
        check(b"no archive", Err("archive `a.tar.gz`"));
        let mut text = GzEncoder::new(Vec::new(), Compression::fast());
        text.write_all(&[7; 1024]).unwrap();
        check(&text.finish().unwrap(), Err("entry 0 is broken"));
    }
}
