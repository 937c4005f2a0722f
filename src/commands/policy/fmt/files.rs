//! Finding the files to format, and writing them so that none is ever half there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use portreeve_core::policy::format::is_formatted;

use super::super::read::read_file;

/// Folders inside folders; people write five.
const MAX_DEPTH: usize = 32;
/// As many as a bundle may hold.
const MAX_FILES: usize = 20_000;

/// What files are called, by where they are: two names of one file, or a link to it, are one.
type Found = BTreeMap<PathBuf, PathBuf>;

/// A file as it stands.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
}

/// The files that are named and those in the folders that are named, each once, sorted.
///
/// # Errors
/// One cannot be read, or a file is named that is no policy.
pub(super) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let mut found = Found::new();
    for path in paths {
        let shown = path.display();
        let metadata = fs::metadata(path).with_context(|| format!("failed to open `{shown}`"))?;
        if metadata.is_dir() {
            search(path, 0, &mut found)?;
        } else {
            let is_policy = is_formatted(&path.to_string_lossy());
            ensure!(is_policy, "`{shown}` ends neither in `.rego` nor in `.cedar`");
            // A pipe or a device would block or never end.
            ensure!(metadata.is_file(), "`{shown}` is not a regular file");
            add(path.clone(), &mut found)?;
        }
    }
    ensure!(found.len() <= MAX_FILES, "these are more than {MAX_FILES} files");
    let mut paths: Vec<_> = found.into_values().collect();
    paths.sort();
    paths.into_iter().map(read).collect()
}

fn add(path: PathBuf, found: &mut Found) -> anyhow::Result<()> {
    let place = path.canonicalize();
    let place = place.with_context(|| format!("failed to open `{}`", path.display()))?;
    found.entry(place).or_insert(path);
    Ok(())
}

/// A link is left alone: the file that it leads to is formatted where it stands.
fn search(folder: &Path, depth: usize, found: &mut Found) -> anyhow::Result<()> {
    let shown = folder.display();
    ensure!(depth <= MAX_DEPTH, "folder `{shown}` is more than {MAX_DEPTH} levels deep");
    for entry in fs::read_dir(folder).with_context(|| format!("failed to list `{shown}`"))? {
        let entry = entry.with_context(|| format!("failed to list `{shown}`"))?;
        let kind = entry.file_type().with_context(|| format!("failed to look into `{shown}`"))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') {
            continue;
        }
        // `.` is not part of a name that people know.
        let path = if folder == Path::new(".") { name.as_ref().into() } else { entry.path() };
        if kind.is_dir() {
            search(&path, depth + 1, found)?;
        } else if kind.is_file() && is_formatted(&name) {
            add(path, found)?;
        }
    }
    Ok(())
}

fn read(path: PathBuf) -> anyhow::Result<Source> {
    let content = read_file(&path, &path.display().to_string())?;
    Ok(Source { path, content })
}

/// Writes beside the file, then takes its place: a crash leaves the old text or the new one.
///
/// # Errors
/// The file has changed since it was read, or its folder cannot be written to.
pub(super) fn write(source: &Source, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write `{}`", source.path.display());
    // Where a link was named, what it leads to is replaced.
    let path = source.path.canonicalize().with_context(failed)?;
    let is_unchanged = read(path.clone())?.content == source.content;
    ensure!(is_unchanged, "`{}` was changed meanwhile and is left alone", source.path.display());
    let folder = path.parent().with_context(failed)?;
    let mut beside = tempfile::Builder::new()
        .prefix(".portreeve-fmt-")
        .tempfile_in(folder)
        .with_context(failed)?;
    let mode = fs::metadata(&path).with_context(failed)?.permissions();
    beside
        .write_all(text.as_bytes())
        .and_then(|()| beside.as_file().set_permissions(mode))
        .and_then(|()| beside.as_file().sync_all())
        .with_context(failed)?;
    beside.persist(&path).with_context(failed)?;
    // The name is safe once its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)
}
