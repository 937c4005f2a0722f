//! Finding the files to format, and writing them so that none is ever half there.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use portreeve_core::policy::format::is_formatted;

/// One more than the largest file that a bundle may hold.
const READ_LIMIT: u64 = (16 << 20) + 1;
/// Folders inside folders; people write five.
const MAX_DEPTH: usize = 32;
/// As many as a bundle may hold.
const MAX_FILES: usize = 20_000;

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
    let mut found = Vec::new();
    for path in paths {
        let metadata =
            fs::metadata(path).with_context(|| format!("failed to open `{}`", path.display()))?;
        if metadata.is_dir() {
            search(path, 0, &mut found)?;
        } else {
            let is_policy = is_formatted(&path.to_string_lossy());
            ensure!(is_policy, "`{}` ends neither in `.rego` nor in `.cedar`", path.display());
            found.push(path.clone());
        }
    }
    found.sort();
    found.dedup();
    ensure!(found.len() <= MAX_FILES, "these are more than {MAX_FILES} files");
    found.into_iter().map(read).collect()
}

/// A link is left alone: the file that it leads to is formatted where it stands.
fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
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
            found.push(path);
        }
    }
    Ok(())
}

fn read(path: PathBuf) -> anyhow::Result<Source> {
    let mut content = Vec::new();
    File::open(&path)
        .and_then(|file| file.take(READ_LIMIT).read_to_end(&mut content))
        .with_context(|| format!("failed to read `{}`", path.display()))?;
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
    let now = read(path.clone())?;
    let is_unchanged = now.content == source.content;
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
