//! A revision of a repository on this machine, for whoever works on policy in it.
//!
//! It is read as a mirror is: objects by their ids, nothing is checked out, and no hook, filter, link
//! or setting of the repository or its user starts a program.

use std::fs;
use std::path::{Path, PathBuf};

use portreeve_core::policy::Files;

use super::FetchError;
use super::git::Git;
use super::tree;

/// A revision is a name, an id or one with `~2` behind it.
const MAX_REVISION_BYTES: usize = 255;
/// What `rev-parse --verify --quiet` ends with; whatever else is wrong is 128.
const NO_SUCH_REVISION: i32 = 1;
/// `gitdir: ` and a path.
const MAX_LINK_BYTES: usize = 8 << 10;

/// A repository that holds a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    git: PathBuf,
    /// The folder's place in the repository, `/`-separated; empty at its top.
    pub place: String,
}

/// Why a revision's files cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RevisionError(#[from] FetchError);

impl Repository {
    /// The repository around a folder that exists.
    #[must_use]
    pub fn around(folder: &Path) -> Option<Self> {
        let folder = folder.canonicalize().ok()?;
        for outer in folder.ancestors() {
            let Some(git) = git_folder(outer) else { continue };
            let place = folder.strip_prefix(outer).ok()?.to_str()?.to_owned();
            return Some(Self { git, place });
        }
        None
    }

    /// The commit that a revision means; `None` where it means none.
    ///
    /// # Errors
    /// git cannot be run, or cannot read the repository.
    pub fn commit(&self, revision: &str) -> Result<Option<String>, RevisionError> {
        let is_plain = !revision.is_empty()
            && revision.len() <= MAX_REVISION_BYTES
            && !revision.starts_with('-')
            && !revision.contains([':', '\\'])
            && !revision.chars().any(|c| c.is_control() || c.is_whitespace());
        if !is_plain {
            return Ok(None);
        }
        let commit = format!("{revision}^{{commit}}");
        let asked = ["--verify", "--quiet", "--end-of-options", &commit];
        match Git::local(&self.git).run("rev-parse", &asked) {
            // `rev-parse` repeats `--end-of-options`.
            Ok(answer) => {
                let answer = String::from_utf8_lossy(&answer);
                let last = answer.lines().last().unwrap_or_default().trim();
                Ok(Some(last.to_owned()).filter(|id| !id.is_empty()))
            }
            Err(FetchError::Git(failure)) if failure.code == Some(NO_SUCH_REVISION) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The files of a commit under `subdir`, but for hidden ones: editors' and version control's.
    ///
    /// # Errors
    /// There is no such folder, or something in it is not a plain file within the limits.
    pub fn files(&self, commit: &str, subdir: &str) -> Result<Files, RevisionError> {
        Ok(tree::read(&Git::local(&self.git), commit, subdir, is_shown)?)
    }
}

/// Whether a path is a bundle's for whoever works on it: hidden files belong to editors and version
/// control, but for OPA's manifest.
pub(super) fn is_shown(path: &str) -> bool {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_hidden = |part: &str| part.starts_with('.');
    !folders.split('/').any(is_hidden) && (name == ".manifest" || !is_hidden(name))
}

/// Where the objects of a working tree are, or a bare repository itself.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let entry = folder.join(".git");
    if entry.is_dir() {
        return Some(entry);
    }
    if entry.is_file() {
        // A linked working tree, or a submodule.
        let link = fs::read(&entry).ok().filter(|link| link.len() <= MAX_LINK_BYTES)?;
        let target = std::str::from_utf8(&link).ok()?.strip_prefix("gitdir:")?.trim();
        return folder.join(target).canonicalize().ok();
    }
    let is_bare = folder.join("HEAD").is_file()
        && folder.join("objects").is_dir()
        && folder.join("refs").is_dir();
    is_bare.then(|| folder.to_owned())
}
