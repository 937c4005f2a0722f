//! Whole runs over folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::super::work::here;
use super::*;

const UGLY: &str = "package a\nallow   if  input.x\n";
const PRETTY: &str = "package a\n\nallow if input.x\n";
const BROKEN: &str = "package a\n\nallow if {\n";

fn args(folder: &Path, check: bool, diff: bool) -> Args {
    let stdin_name = "stdin.rego".to_owned();
    Args { paths: vec![folder.to_owned()], check, diff, stdin_name }
}

/// A run over a folder with these files: how it ended, what it printed with the folder left out.
fn run(folder: &Path, files: &[(&str, &str)], check: bool, diff: bool) -> (Exit, String) {
    for (name, text) in files {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    let args = args(folder, check, diff);
    let mut out = Vec::new();
    let paths = files::find(&args.paths).unwrap();
    let format = |files: &Files| Ok(here(Task::Format, files));
    let exit = report(&mut out, &args, paths, &format).unwrap();
    let prefix = format!("{}/", folder.display());
    (exit, String::from_utf8(out).unwrap().replace(&prefix, ""))
}

/// The only file that is found, as it is read.
fn source(path: &Path) -> Source {
    let mut paths = files::find(&[path.to_owned()]).unwrap().into_iter();
    files::next_batch(&mut paths).unwrap().unwrap().remove(0)
}

#[test]
fn files_that_change_are_written_and_keep_their_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.rego"), UGLY).unwrap();
    fs::set_permissions(path.join("a.rego"), fs::Permissions::from_mode(0o640)).unwrap();
    let cedar = "permit(principal,action,resource);";
    let files =
        [("b/b.cedar", cedar), ("c.rego", PRETTY), (".hidden.rego", UGLY), ("d.json", "{ }")];
    assert_eq!(run(path, &files, false, false), (Exit::Good, "a.rego\nb/b.cedar\n".to_owned()));
    let text = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(text("a.rego"), PRETTY);
    assert_eq!(text("b/b.cedar"), "permit (principal, action, resource);\n");
    assert_eq!(text(".hidden.rego"), UGLY);
    assert_eq!(text("d.json"), "{ }");
    assert_eq!(fs::metadata(path.join("a.rego")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(path).unwrap().count(), 5, "nothing is left beside the files");
    assert_eq!(run(path, &[], false, false), (Exit::Good, String::new()));
}

#[test]
fn a_check_names_what_would_change_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.rego", UGLY), ("b.rego", PRETTY)];
    assert_eq!(run(folder.path(), &files, true, false), (Exit::No, "a.rego\n".to_owned()));
    assert_eq!(fs::read_to_string(folder.path().join("a.rego")).unwrap(), UGLY);
    let other = tempfile::tempdir().unwrap();
    assert_eq!(run(other.path(), &[("b.rego", PRETTY)], true, false), (Exit::Good, String::new()));
}

#[test]
fn a_diff_shows_what_would_change_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let expected = "@@ -1,2 +1,3 @@\n package a\n-allow   if  input.x\n+\n+allow if input.x\n";
    let (exit, text) = run(folder.path(), &[("a.rego", UGLY)], false, true);
    assert!(exit == Exit::Good && text.ends_with(expected), "{text}");
    assert_eq!(run(folder.path(), &[], true, true).0, Exit::No);
    assert_eq!(fs::read_to_string(folder.path().join("a.rego")).unwrap(), UGLY);
}

#[test]
fn a_file_that_does_not_parse_is_named_and_the_others_are_formatted() {
    let folder = tempfile::tempdir().unwrap();
    let v0 = "package a\n\nallow { input.x }\n";
    let files = [("a.rego", BROKEN), ("b.rego", UGLY), ("c.rego", v0), ("d.cedar", "permit(;")];
    let (exit, text) = run(folder.path(), &files, false, false);
    assert_eq!(exit, Exit::No);
    assert!(text.contains("a.rego:4"), "{text}");
    assert!(text.contains("\nb.rego\n"), "{text}");
    assert!(text.contains("c.rego:3:7: error: this is Rego v0 syntax"), "{text}");
    assert!(text.contains("d.cedar:1:"), "{text}");
    for (name, expected) in [("a.rego", BROKEN), ("b.rego", PRETTY), ("c.rego", v0)] {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), expected);
    }
}

#[test]
fn a_file_that_ends_the_worker_is_named_and_the_others_are_formatted() {
    let sources = ["a.rego", "b.rego", "c.rego"]
        .map(|name| Source { path: name.into(), content: UGLY.as_bytes().to_vec() });
    let format = |files: &Files| match files.get("1.rego") {
        Some(_) => {
            let end = "was killed".to_owned();
            let place = Some("1.rego".to_owned());
            Err(Failure::Crashed { end, last_words: String::new(), place })
        }
        None => Ok(here(Task::Format, files)),
    };
    let answers = formatted(&sources, &format).unwrap();
    let texts: Vec<_> = answers.iter().map(|answer| answer.as_deref().ok()).collect();
    assert_eq!(texts, [Some(PRETTY), None, Some(PRETTY)]);
    let findings = answers[1].as_ref().unwrap_err().to_string();
    assert!(findings.contains("formatting crashed (was killed)"), "{findings}");
}

#[test]
fn a_file_that_is_too_large_is_named_and_the_others_are_formatted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (name, bytes) in [("b.rego", 17 << 20), ("c.rego", (16 << 20) + 1)] {
        fs::File::create(path.join(name)).unwrap().set_len(bytes).unwrap();
    }
    let (exit, text) = run(path, &[("a.rego", UGLY), ("d.rego", UGLY)], false, false);
    let expected = "a.rego\n\
                    b.rego: error: file `b.rego` is larger than 16777216 bytes\n\
                    c.rego: error: file `c.rego` is larger than 16777216 bytes\n\
                    d.rego\n";
    assert_eq!((exit, &*text), (Exit::No, expected));
    for name in ["a.rego", "d.rego"] {
        assert_eq!(fs::read_to_string(path.join(name)).unwrap(), PRETTY);
    }
    assert_eq!(fs::metadata(path.join("b.rego")).unwrap().len(), 17 << 20);
    let large = Source { path: "my.rego".into(), content: vec![b'\n'; 16 << 20] };
    assert!(too_large(&large).is_none(), "a bundle may hold it");
}

#[test]
fn files_that_are_too_large_together_are_formatted_one_worker_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let comment = format!("{UGLY}# {}\n", "x".repeat(15 << 20));
    let names = ["a.rego", "b.rego", "c.rego", "d.rego", "e.rego"];
    for name in names {
        fs::write(folder.path().join(name), &comment).unwrap();
    }
    let paths = files::find(&[folder.path().to_owned()]).unwrap();
    let calls = std::cell::Cell::new(0);
    let format = |files: &Files| {
        calls.set(calls.get() + 1);
        let one = |(name, content): (&str, &[u8])| {
            (name.to_owned(), Ok(String::from_utf8(content.to_vec()).unwrap()))
        };
        Ok(Answer::Formatted(files.iter().map(one).collect()))
    };
    let args = args(folder.path(), true, false);
    assert_eq!(report(&mut Vec::new(), &args, paths, &format).unwrap(), Exit::Good);
    assert_eq!(calls.get(), names.len());
}

#[test]
fn a_link_is_left_alone_in_a_folder_and_followed_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("a.rego"), UGLY).unwrap();
    let link = folder.path().join("a.rego");
    symlink(outside.path().join("a.rego"), &link).unwrap();
    assert_eq!(run(folder.path(), &[], false, false), (Exit::Good, String::new()));
    files::write(&source(&link), PRETTY).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(outside.path().join("a.rego")).unwrap(), PRETTY);
}

#[test]
fn a_file_that_changed_meanwhile_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.rego");
    fs::write(&path, UGLY).unwrap();
    let source = source(&path);
    fs::write(&path, BROKEN).unwrap();
    let error = files::write(&source, PRETTY).unwrap_err().to_string();
    assert!(error.contains("was changed meanwhile"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), BROKEN);
}

#[test]
fn what_is_no_policy_or_is_not_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), "{}").unwrap();
    for (name, expected) in [("a.json", "ends neither in `.rego`"), ("b.rego", "failed to open")] {
        let error = files::find(&[folder.path().join(name)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_file_that_is_named_twice_is_formatted_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::write(path.join("a.rego"), UGLY).unwrap();
    fs::create_dir(path.join("b")).unwrap();
    symlink("../a.rego", path.join("b/link.rego")).unwrap();
    let twice = [path.to_owned(), path.join("b/../a.rego"), path.join("b/link.rego")];
    assert_eq!(files::find(&twice).unwrap(), [path.join("a.rego")]);
    fs::write(path.join("c.rego"), UGLY).unwrap();
    assert_eq!(files::find(&twice).unwrap().len(), 2, "equal files are two");
}

#[test]
fn what_is_no_regular_file_is_refused_before_it_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("a.rego");
    let (kind, mode) = (rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600));
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
    let error = files::find(std::slice::from_ref(&pipe)).unwrap_err().to_string();
    assert!(error.ends_with("a.rego` is not a regular file"), "{error}");
    assert_eq!(run(folder.path(), &[("b.rego", PRETTY)], false, false).0, Exit::Good);
    // As one that takes the place of a file after it was found.
    let source = Source { path: pipe, content: Vec::new() };
    let error = files::write(&source, PRETTY).unwrap_err().to_string();
    assert!(error.ends_with("is not a regular file"), "{error}");
}
