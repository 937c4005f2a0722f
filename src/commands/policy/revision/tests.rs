//! Folders, bundle files and revisions, told apart; the repository is a real one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::*;

/// A repository of the test's own, without a network and without the settings of who runs it.
pub(in crate::commands::policy) struct Fixture {
    pub(in crate::commands::policy) folder: tempfile::TempDir,
}

impl Fixture {
    pub(in crate::commands::policy) fn new() -> Self {
        let fixture = Self { folder: tempfile::tempdir().unwrap() };
        fixture.git(&["init", "--quiet", "--initial-branch=main"]);
        fixture
    }

    pub(in crate::commands::policy) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(in crate::commands::policy) fn write(&self, files: &[(&str, &str)]) {
        for (file, text) in files {
            let path = self.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    pub(in crate::commands::policy) fn commit(&self, files: &[(&str, &str)]) {
        self.write(files);
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty-message", "--message="]);
    }

    pub(in crate::commands::policy) fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(["-c", "user.name=a", "-c", "user.email=a@b.c"]);
        command.args(arguments).env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR");
        assert!(command.status().unwrap().success(), "git {arguments:?}");
    }
}

/// A bundle file as `opa build` writes it: names rooted at `/`.
pub(in crate::commands::policy) fn bundle(path: &Path, files: &[(&str, &str)]) {
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, text) in files {
        let mut header = Header::new_gnu();
        let name = format!("/{name}");
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    fs::write(path, builder.into_inner().unwrap().finish().unwrap()).unwrap();
}

/// `label: files` and where `a.rego` is, or the error's chain.
fn seen(text: &str, here: &Path) -> String {
    match Side::read(text, here) {
        Ok(side) => {
            let files: Vec<&str> = side.files.iter().map(|(path, _)| path).collect();
            format!("{} at {}", files.join(" "), side.place("a.rego"))
        }
        Err(error) => format!("{error:#}"),
    }
}

#[track_caller]
fn check(text: &str, here: &Path, expected: &str) {
    let seen = seen(text, here);
    assert!(seen.contains(expected), "`{text}`: {seen}");
}

#[test]
fn a_revision_is_read_from_git_and_a_folder_from_disk() {
    let repo = Fixture::new();
    repo.commit(&[
        ("a.rego", "1"),
        ("p/b.rego", "1"),
        (".github/x.yaml", "1"),
        (".manifest", "{}"),
    ]);
    repo.commit(&[("p/c.rego", "1")]);
    let (top, below) = (repo.path().to_owned(), repo.path().join("p"));
    repo.write(&[("p/d.rego", "1")]);
    check("main", &top, ".manifest a.rego p/b.rego p/c.rego at main:a.rego");
    check("HEAD~1", &top, ".manifest a.rego p/b.rego at HEAD~1:a.rego");
    check("main", &below, "b.rego c.rego at main:p/a.rego");
    check("HEAD^:p", &below, "b.rego at HEAD^:p/a.rego");
    check("main:", &below, ".manifest a.rego p/b.rego p/c.rego at main:a.rego");
    check("main:./", &below, "b.rego c.rego at main:p/a.rego");
    check("p", &top, "b.rego c.rego d.rego at p/a.rego");
    check(".", &below, "b.rego c.rego d.rego at ./a.rego");
}

#[test]
fn a_bundle_file_is_read_with_its_rooted_names() {
    let folder = tempfile::tempdir().unwrap();
    bundle(&folder.path().join("b.tar.gz"), &[("a.rego", "package a"), ("data.json", "{}")]);
    check("b.tar.gz", folder.path(), "a.rego data.json at b.tar.gz:a.rego");
    fs::write(folder.path().join("b.txt"), "text").unwrap();
    check("b.txt", folder.path(), "`b.txt` is a file and no bundle: a bundle file is a `.tar.gz`");
    let whole = fs::read(folder.path().join("b.tar.gz")).unwrap();
    fs::write(folder.path().join("cut.tar.gz"), &whole[..whole.len() / 2]).unwrap();
    check("cut.tar.gz", folder.path(), "failed to read bundle file `cut.tar.gz`: ");
    bundle(&folder.path().join("evil.tar.gz"), &[("../a.rego", "package a")]);
    check("evil.tar.gz", folder.path(), "path `../a.rego` is not a plain relative path");
}

#[test]
fn what_names_nothing_or_two_things_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    check(
        "main",
        outside.path(),
        "`main` is neither a folder, a bundle file nor a revision: there",
    );
    let repo = Fixture::new();
    let top: PathBuf = repo.path().to_owned();
    check(
        "main",
        &top,
        "`main` is neither a folder, a bundle file nor a revision of this repository",
    );
    repo.commit(&[("main/a.rego", "1")]);
    check("gone:main", &top, "it has no revision `gone`");
    check("HEAD~9", &top, "`HEAD~9` is neither");
    check("main:gone", &top, "there is no directory `gone` in the commit");
    check("main:main/a.rego", &top, "there is no directory `main/a.rego` in the commit");
    check("main:../..", &top, "there is no directory `../..` in the commit");
    check("main", &top, "write `./main` for the folder, or `main:./` for the revision");
    check("./main", &top, "a.rego at ./main/a.rego");
    check("main:./", &top, "main/a.rego at main:a.rego");
    for text in ["--help", "-C", "main..HEAD", ":/x", "main\n", "", "HEAD --all"] {
        let error = seen(text, &top.join("main"));
        assert!(error.contains("is neither") || text.is_empty(), "{text:?}: {error}");
    }
}

#[test]
fn what_a_tree_may_not_hold_is_refused_by_name() {
    let repo = Fixture::new();
    std::os::unix::fs::symlink("/etc/passwd", repo.path().join("data.json")).unwrap();
    repo.commit(&[("a.rego", "1")]);
    check("main", repo.path(), "`data.json` is a symbolic link (mode 120000)");
    check("main", repo.path(), "`main:FOLDER` is a folder of it");
}

#[test]
fn nothing_of_the_repository_is_run() {
    let repo = Fixture::new();
    repo.commit(&[("a.rego", "1"), (".gitattributes", "*.rego filter=evil diff=evil\n")]);
    let mark = repo.path().join("mark");
    let touch = format!("touch {}", mark.display());
    for setting in ["filter.evil.smudge", "diff.evil.textconv", "core.fsmonitor", "core.pager"] {
        repo.git(&["config", setting, &touch]);
    }
    repo.git(&["config", "core.hooksPath", "hooks"]);
    repo.write(&[("hooks/post-checkout", &format!("#!/bin/sh\n{touch}\n"))]);
    check("main", repo.path(), "a.rego at main:a.rego");
    assert!(!mark.exists());
}

#[test]
fn a_repository_that_cannot_be_read_is_an_error_in_gits_words() {
    let repo = Fixture::new();
    repo.commit(&[("a.rego", "1")]);
    check("gone", repo.path(), "`gone` is neither");
    let id = fs::read_to_string(repo.path().join(".git/refs/heads/main")).unwrap();
    let (folder, name) = id.trim().split_at(2);
    let object = repo.path().join(".git/objects").join(folder).join(name);
    fs::remove_file(&object).unwrap();
    fs::write(&object, "no object").unwrap();
    check("main", repo.path(), "failed to look up `main`: `git rev-parse` failed (");
    check("main", repo.path(), "is corrupt");
    fs::remove_file(repo.path().join(".git/HEAD")).unwrap();
    check("main", repo.path(), "not a git repository");
}
