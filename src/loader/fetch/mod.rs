//! The fetch worker: one look at the source, and a candidate file if it holds something new.
//!
//! Enters: the source and the commits that were dealt with. Leaves: `unchanged`, a candidate written
//! whole under its digest, or why not. It never checks anything out, never follows a link, and never
//! parses a policy.

mod dir;
mod git;
mod remote;
mod tree;
mod local;
mod archive;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portreeve_core::policy::{Files, FilesError};
use portreeve_core::words::chain;

use super::protocol::{FetchRequest, Fetched, Job, bounded};
use super::{Assignment, LoaderError, Place, Source, disk, sandbox, worker};
pub use archive::{ArchiveError, MAX_ARCHIVE_BYTES, is_archive, read_archive};
use git::{Git, GitFailure};
pub use local::{Repository, RevisionError};
use remote::{Reference, Remote};

/// Our own name for what was fetched last; a force-push, a moved tag or another branch replaces it.
const TRACKING: &str = "refs/portreeve/head";

/// Why a look at the source gives no candidate.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("the repository's URL is refused: {reason}")]
    Url { reason: &'static str },
    #[error("`{text}` is not a branch, tag or full commit id")]
    Reference { text: String },
    #[error("`{path}` of `{field}` is not a plain absolute path")]
    Path { field: &'static str, path: PathBuf },
    #[error("an ssh repository needs `known_hosts`")]
    KnownHosts,
    #[error("the source is not a git repository")]
    NotGit,
    #[error("failed to read the token in `{path}`")]
    Token { path: PathBuf, source: io::Error },
    #[error("failed to start `git`")]
    NoGit(#[source] io::Error),
    #[error("failed to speak with git")]
    Pipe(#[source] io::Error),
    #[error("`git {verb}` wrote more than {bytes} bytes")]
    Output { verb: String, bytes: u64 },
    #[error(transparent)]
    Git(Box<GitFailure>),
    #[error("there is no branch or tag `{reference}`")]
    NoReference { reference: String },
    #[error("`{reference}` is a branch and a tag: write `refs/heads/…` or `refs/tags/…`")]
    Ambiguous { reference: String },
    #[error("`{reference}` is not a commit")]
    NotCommit { reference: String },
    #[error("there is no directory `{subdir}` in the commit")]
    NoSubdir { subdir: String },
    #[error("git listed `{line}`")]
    Listing { line: String },
    #[error("git answered `{header}` for `{path}`")]
    Object { path: String, header: String },
    #[error("`{path}` is {what} (mode {mode}), which a bundle may not hold")]
    Mode { path: String, what: &'static str, mode: String },
    #[error("`{path}` is {what}, which a bundle may not hold")]
    Kind { path: String, what: &'static str },
    #[error("the path `{path}` is not UTF-8")]
    NotUtf8 { path: String },
    #[error("the files are refused")]
    Files(#[source] FilesError),
    #[error("failed to read `{path}`")]
    Read { path: PathBuf, source: io::Error },
    #[error("failed to write the candidate")]
    Write(#[source] io::Error),
}

impl FetchError {
    /// The fault lies in what the source holds, so that trying the same again is of no use.
    const fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::NoSubdir { .. }
                | Self::Mode { .. }
                | Self::Kind { .. }
                | Self::NotUtf8 { .. }
                | Self::Files(_)
        )
    }
}

/// Runs a fetch worker: one job on standard input, one answer on standard output.
///
/// # Errors
/// The keeper breaks the protocol.
pub fn main() -> Result<(), LoaderError> {
    let Job { assignment, request } = worker::job::<FetchRequest>()?;
    sandbox::confine_fetch();
    let mut commit = String::new();
    let answer = fetch(&assignment, &request.known, &mut commit).unwrap_or_else(|error| {
        let text = bounded(&chain(&error));
        if error.is_refusal() {
            Fetched::Refused { commit, text }
        } else {
            Fetched::Failed { text }
        }
    });
    worker::reply(&answer)
}

/// Sets `commit` as soon as it is known, for the refusal of what it holds.
fn fetch(
    assignment: &Assignment,
    known: &[String],
    commit: &mut String,
) -> Result<Fetched, FetchError> {
    let files = match &assignment.source {
        Source::Dir(path) => dir::read(path)?,
        Source::Git { url, reference, subdir, .. } => {
            let remote = Remote::parse(url)?;
            let git = Git::new(&assignment.source, &remote, &assignment.store)?;
            match bring(&git, &remote, reference, known)? {
                Brought::Known(known) => return Ok(Fetched::Unchanged { known }),
                Brought::Commit(brought) => *commit = brought,
            }
            tree::read(&git, commit, subdir, |_| true)?
        }
    };
    let digest = files.digest();
    if commit.is_empty() && known.contains(&digest) {
        return Ok(Fetched::Unchanged { known: digest });
    }
    write(&assignment.store, &files, &digest).map_err(FetchError::Write)?;
    Ok(Fetched::Candidate { commit: commit.clone(), digest, files: files.len() })
}

enum Brought {
    Known(String),
    Commit(String),
}

/// Brings the reference's whole history into the mirror, unless its commit is known.
fn bring(
    git: &Git,
    remote: &Remote,
    reference: &str,
    known: &[String],
) -> Result<Brought, FetchError> {
    let (name, id) = match Reference::parse(reference)? {
        Reference::Commit(id) => (id.clone(), id),
        Reference::Named(names) => {
            prepare(git, None)?;
            look_up(git, remote, reference, &names)?
        }
    };
    if known.contains(&id) {
        return Ok(Brought::Known(id));
    }
    prepare(git, Some(id.len()))?;
    let specification = format!("+{name}:{TRACKING}");
    if download(git, remote, &specification).is_err() {
        // A worker that was killed may leave locks and half a mirror. The source has answered, so
        // the mirror is made anew, and the second failure is the one to report.
        fs::remove_dir_all(git.mirror()).map_err(FetchError::Write)?;
        prepare(git, Some(id.len()))?;
        download(git, remote, &specification)?;
    }
    let commit = format!("{TRACKING}^{{commit}}");
    let commit = git
        .run("rev-parse", &["--verify", "--end-of-options", &commit])
        .map_err(|_| FetchError::NotCommit { reference: reference.to_owned() })?;
    // `rev-parse` repeats `--end-of-options`, as git does where it does not know a word.
    let commit = String::from_utf8_lossy(&commit);
    let commit = commit.lines().last().unwrap_or_default().trim().to_owned();
    Ok(Brought::Commit(commit))
}

/// Makes the mirror if there is none, or if its object ids have another length.
fn prepare(git: &Git, id_length: Option<usize>) -> Result<(), FetchError> {
    let format = match id_length {
        Some(64) => "sha256",
        _ => "sha1",
    };
    let found = git.run("rev-parse", &["--show-object-format"]);
    let found = found.ok().map(|found| String::from_utf8_lossy(&found).trim().to_owned());
    if found.as_deref() == Some(format) || (found.is_some() && id_length.is_none()) {
        return Ok(());
    }
    if git.mirror().exists() {
        fs::remove_dir_all(git.mirror()).map_err(FetchError::Write)?;
    }
    let format = format!("--object-format={format}");
    git.run("init", &["--bare", "--quiet", "--template=", "--initial-branch=none", &format])?;
    Ok(())
}

/// The full name and the commit id that a reference has at the source now.
fn look_up(
    git: &Git,
    remote: &Remote,
    reference: &str,
    names: &[String],
) -> Result<(String, String), FetchError> {
    let peeled: Vec<String> = names.iter().map(|name| format!("{name}^{{}}")).collect();
    let mut arguments = upload_pack(remote);
    arguments.extend(["--end-of-options", &remote.url]);
    arguments.extend(names.iter().chain(&peeled).map(String::as_str));
    let listed = git.run("ls-remote", &arguments)?;
    let listed = String::from_utf8_lossy(&listed);
    let id_of = |wanted: &str| {
        let mut lines = listed.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(_, name)| *name == wanted).map(|(id, _)| id.to_owned())
    };
    let mut found = names.iter().zip(&peeled).filter_map(|(name, peeled)| {
        id_of(peeled).or_else(|| id_of(name)).map(|id| (name.clone(), id))
    });
    match (found.next(), found.next()) {
        (None, _) => Err(FetchError::NoReference { reference: reference.to_owned() }),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(FetchError::Ambiguous { reference: reference.to_owned() }),
    }
}

fn download(git: &Git, remote: &Remote, specification: &str) -> Result<(), FetchError> {
    let mut arguments =
        vec!["--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"];
    arguments.extend(upload_pack(remote));
    arguments.extend(["--end-of-options", &remote.url, specification]);
    git.run("fetch", &arguments).map(drop)
}

/// A repository that another user owns is served only if it is named as safe; the configuration names
/// it by being the source. For other schemes the server decides.
fn upload_pack(remote: &Remote) -> Vec<&'static str> {
    match remote.scheme {
        "file" => vec!["--upload-pack=git -c safe.directory=* upload-pack"],
        _ => Vec::new(),
    }
}

fn write(store: &Path, files: &Files, digest: &str) -> io::Result<()> {
    let path = disk::bundle_path(store, Place::Candidates, digest);
    disk::write_atomically(&path.ok_or(io::ErrorKind::InvalidInput)?, &files.to_bytes())
}
