//! Archives as `opa build` writes them, and as someone would who means harm.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

use super::*;

const FILE: EntryType = EntryType::Regular;

/// An archive of entries of a kind, name and content, as anyone could write it.
fn packed(entries: &[(EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (kind, name, content) in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        if matches!(*kind, EntryType::Symlink | EntryType::Link) {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

fn chain(error: &ArchiveError) -> String {
    portreeve_core::words::chain(error)
}

#[track_caller]
fn check(packed: &[u8], expected: Result<&[&str], &str>) {
    match (read_archive(packed), expected) {
        (Ok(files), Ok(names)) => {
            assert_eq!(files.iter().map(|(path, _)| path).collect::<Vec<_>>(), names);
        }
        (Err(error), Err(expected)) => {
            assert!(chain(&error).contains(expected), "{}", chain(&error));
        }
        (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
    }
}

#[test]
fn names_may_be_rooted_at_the_bundle() {
    let entries = [
        (EntryType::Directory, "/a/", b"".as_slice()),
        (FILE, "/a/p.rego", b"package p"),
        (FILE, "/data.json", b"{}"),
        (FILE, "/.manifest", b"{}"),
        (FILE, "./x.cedar", b""),
        (FILE, "y.cedar", b""),
    ];
    check(&packed(&entries), Ok(&[".manifest", "a/p.rego", "data.json", "x.cedar", "y.cedar"]));
    check(&packed(&[]), Ok(&[]));
}

#[test]
fn hidden_files_are_left_out_but_for_the_manifest() {
    let entries = [
        (FILE, "./._a.rego", b"1".as_slice()),
        (FILE, "/a/.x.swp", b"1"),
        (FILE, "/.git/config", b"1"),
        (EntryType::Symlink, ".git/link", b""),
        (FILE, "/a/.manifest", b"{}"),
        (FILE, "/a/b.c.rego", b"1"),
    ];
    check(&packed(&entries), Ok(&["a/.manifest", "a/b.c.rego"]));
    check(&packed(&[(FILE, ".git/../../a", b"")]), Err("is not a plain relative path"));
}

#[test]
fn a_name_that_leaves_the_bundle_is_refused() {
    for name in
        ["../a", "/../a", "a/../../b", "//etc/passwd", "a//b", "a/./b", "./", "a\\b", "a\nb"]
    {
        let shown = name.trim_start_matches("./").escape_debug().to_string();
        let shown = shown.strip_prefix('/').unwrap_or(&shown);
        let expected = format!("path `{shown}` is not a plain relative path");
        check(&packed(&[(FILE, name, b"")]), Err(&expected));
    }
}

#[test]
fn what_is_no_plain_file_is_refused_by_name() {
    for (kind, what) in [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::Continuous, "not a plain file"),
    ] {
        check(&packed(&[(kind, "a/b", b"")]), Err(&format!("`a/b` is {what}")));
    }
    check(&packed(&[(FILE, "/a", b"1"), (FILE, "a", b"2")]), Err("`a` stands twice"));
    check(&packed(&[(FILE, "a", b"1"), (FILE, "A", b"2")]), Err("differ only in case"));
    check(&packed(&[(FILE, "/patch.json", b"{}")]), Err("a delta bundle"));
}

#[test]
fn limits_hold_before_memory_is_spent() {
    let zeros = vec![0; 15 << 20];
    let bomb = packed(&[(FILE, "a", &zeros)]);
    check(&bomb, Err("which is far more than it is packed"));
    let mut noise = 1_u32;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    })
    .take(17 << 20)
    .collect();
    check(&packed(&[(FILE, "a", &content)]), Err("file `a` is larger than 16777216 bytes"));
    let part = &content[..14 << 20];
    let parts: Vec<_> = (0..5).map(|n| format!("f{n}")).collect();
    let large: Vec<_> = parts.iter().map(|name| (FILE, name.as_str(), part)).collect();
    check(&packed(&large), Err("the archive is larger than 67108864 bytes"));
    let names: Vec<_> = (0..=20_000).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (FILE, name.as_str(), b"".as_slice())).collect();
    check(&packed(&many), Err("more than 20000 files"));
    let folders = vec![(EntryType::Directory, "f/", b"".as_slice()); MAX_ENTRIES + 1];
    check(&packed(&folders), Err(""));
}

#[test]
fn a_cut_or_changed_archive_is_refused() {
    let whole = packed(&[(FILE, "a", b"content")]);
    check(&whole[..whole.len() / 2], Err("broken"));
    check(&whole[..whole.len() - 4], Err("broken"));
    let mut changed = whole;
    let checksum = changed.len() - 8;
    changed[checksum] ^= 1;
    check(&changed, Err("the archive is broken"));
    check(b"no archive", Err("broken"));
    assert!(!is_archive(b"no archive"));
    let mut text = GzEncoder::new(Vec::new(), Compression::fast());
    text.write_all(&[7; 1024]).unwrap();
    check(&text.finish().unwrap(), Err("entry 0 of the archive is broken"));
}
