//! What a person names to be compared: a folder, a bundle file or a revision of the repository around.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use portreeve_core::policy::Files;

use super::read;
use crate::loader::{MAX_ARCHIVE_BYTES, Repository, is_archive, read_archive};

/// As much of a commit's id as people read.
const SHORT_ID: usize = 12;

/// The files that were named, and how their places are told.
#[derive(Debug)]
pub(super) struct Side {
    /// As it was named.
    pub(super) label: String,
    pub(super) files: Files,
    place: Place,
}

/// What stands before a path of the files, so that it can be opened from here.
#[derive(Debug)]
enum Place {
    Folder(PathBuf),
    /// `bundle.tar.gz:` or `main:policies/`.
    Prefix(String),
}

/// What a text may name, each beside the others.
#[derive(Debug, PartialEq, Eq)]
enum OnDisk {
    Folder,
    File,
    Nothing,
}

impl Side {
    /// Reads what a text names, looked at from a folder.
    ///
    /// A path that begins with `/`, `./` or `../` is a path and nothing else, and what has a `:` is
    /// taken for a revision where no such file is there. Any other text that is both is refused.
    ///
    /// # Errors
    /// It names nothing, or two things; what it names cannot be read.
    pub(super) fn read(text: &str, here: &Path) -> anyhow::Result<Self> {
        let path = here.join(text);
        let on_disk = match (path.is_dir(), path.exists()) {
            (true, _) => OnDisk::Folder,
            (false, true) => OnDisk::File,
            (false, false) => OnDisk::Nothing,
        };
        let is_path = matches!(text, "." | "..")
            || ["/", "./", "../"].iter().any(|start| text.starts_with(start));
        let revision = if is_path { None } else { Revision::find(text, here)? };
        match (on_disk, revision) {
            (OnDisk::Nothing, None) => bail!("{}", nothing(text, here)),
            (OnDisk::Nothing, Some(revision)) => revision.read(text),
            (OnDisk::Folder, None) => Self::folder(text, &path),
            (OnDisk::File, None) => Self::archive(text, &path),
            (on_disk, Some(_)) => {
                let what = if on_disk == OnDisk::Folder { "folder" } else { "file" };
                bail!(
                    "`{text}` is a {what} and a revision of this repository: write `./{text}` for \
                     the {what}, or `{text}:./` for the revision"
                )
            }
        }
    }

    fn folder(text: &str, path: &Path) -> anyhow::Result<Self> {
        let files = read::files_of(path)?;
        Ok(Self { label: text.to_owned(), files, place: Place::Folder(PathBuf::from(text)) })
    }

    fn archive(text: &str, path: &Path) -> anyhow::Result<Self> {
        let reading = || format!("failed to read bundle file `{text}`");
        if !path.is_file() {
            bail!("`{text}` is neither a folder nor a regular file");
        }
        let mut packed = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_ARCHIVE_BYTES + 1).read_to_end(&mut packed))
            .with_context(reading)?;
        if !is_archive(&packed) {
            bail!("`{text}` is a file and no bundle: a bundle file is a `.tar.gz`");
        }
        let files = read_archive(&packed).with_context(reading)?;
        Ok(Self { label: text.to_owned(), files, place: Place::Prefix(format!("{text}:")) })
    }

    /// A path of the files, as it can be opened: in git's own form where it is in a revision.
    pub(super) fn place(&self, file: &str) -> String {
        match &self.place {
            Place::Folder(folder) if file.is_empty() => folder.display().to_string(),
            Place::Folder(folder) => folder.join(file).display().to_string(),
            Place::Prefix(prefix) => format!("{prefix}{file}"),
        }
    }
}

/// A commit, and a folder of its tree.
#[derive(Debug)]
struct Revision {
    repository: Repository,
    name: String,
    commit: String,
    subdir: String,
}

impl Revision {
    /// `REV` is the folder that is worked in, `REV:SUBDIR` counts from the repository's top and
    /// `REV:./SUBDIR` from the folder, as with git.
    fn find(text: &str, here: &Path) -> anyhow::Result<Option<Self>> {
        let Some(repository) = Repository::around(here) else { return Ok(None) };
        let (name, subdir) = text.split_once(':').unwrap_or((text, "./"));
        let found = repository.commit(name);
        let Some(commit) = found.with_context(|| format!("failed to look up `{name}`"))? else {
            return Ok(None);
        };
        let subdir = match subdir.strip_prefix("./").or((subdir == ".").then_some("")) {
            Some(below) => format!("{}/{below}", repository.place),
            None => subdir.to_owned(),
        };
        let subdir = subdir.trim_matches('/').to_owned();
        Ok(Some(Self { name: name.to_owned(), repository, commit, subdir }))
    }

    fn read(self, text: &str) -> anyhow::Result<Side> {
        let Self { repository, name, commit, subdir } = self;
        let files = repository.files(&commit, &subdir);
        let files = files.with_context(|| {
            let id: String = commit.chars().take(SHORT_ID).collect();
            let hint = match subdir.is_empty() {
                true => format!("; `{name}:FOLDER` is a folder of it"),
                false => String::new(),
            };
            format!("failed to read revision `{text}` (commit {id}{hint})")
        })?;
        let prefix = match subdir.as_str() {
            "" => format!("{name}:"),
            subdir => format!("{name}:{subdir}/"),
        };
        Ok(Side { label: text.to_owned(), files, place: Place::Prefix(prefix) })
    }
}

/// Why a text names nothing.
fn nothing(text: &str, here: &Path) -> String {
    let neither = format!("`{text}` is neither a folder, a bundle file nor a revision");
    match (Repository::around(here), text.split_once(':')) {
        (None, _) => format!("{neither}: there is no repository around this folder"),
        (Some(_), Some((name, _))) => {
            format!("{neither} of this repository: it has no revision `{name}`")
        }
        (Some(_), None) => format!("{neither} of this repository"),
    }
}

#[cfg(test)]
pub(super) mod tests;
