//! Finding the files to format, reading a batch of them at a time, and writing them so that none is
//! ever half there.

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
/// Files for one worker: a second of work.
const BATCH: usize = 200;
/// A batch that holds as much takes no further file: it and one more file of any size that a bundle
/// may hold are less than a bundle may hold.
const BATCH_BYTES: usize = 8 << 20;

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
/// One cannot be opened or is no policy, or they are too many.
pub(super) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
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
    let mut paths: Vec<_> = found.into_values().collect();
    paths.sort();
    Ok(paths)
}

fn add(path: PathBuf, found: &mut Found) -> anyhow::Result<()> {
    let place = path.canonicalize();
    let place = place.with_context(|| format!("failed to open `{}`", path.display()))?;
    found.entry(place).or_insert(path);
    ensure!(found.len() <= MAX_FILES, "these are more than {MAX_FILES} files");
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

/// Reads as many of the files as one worker is given; nothing where none is left.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn next_batch(
    paths: &mut impl Iterator<Item = PathBuf>,
) -> anyhow::Result<Option<Vec<Source>>> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < BATCH
        && bytes < BATCH_BYTES
        && let Some(path) = paths.next()
    {
        let source = read(path)?;
        bytes += source.content.len();
        batch.push(source);
    }
    Ok((!batch.is_empty()).then_some(batch))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How many files each batch holds where files of these sizes are read.
    #[track_caller]
    fn check(sizes: &[u64], expected: &[usize]) {
        let folder = tempfile::tempdir().unwrap();
        let make = |(index, size): (usize, &u64)| {
            let path = folder.path().join(format!("{index}.rego"));
            File::create(&path).unwrap().set_len(*size).unwrap();
            path
        };
        let paths: Vec<_> = sizes.iter().enumerate().map(make).collect();
        let mut left = paths.iter().cloned();
        let (mut batches, mut read) = (Vec::new(), Vec::new());
        while let Some(batch) = next_batch(&mut left).unwrap() {
            batches.push(batch.len());
            read.extend(batch.into_iter().map(|source| source.path));
        }
        assert_eq!((&*batches, read), (expected, paths));
    }

    #[test]
    fn a_batch_ends_with_its_count_or_its_bytes() {
        check(&[], &[]);
        check(&[9; 450], &[200, 200, 50]);
        check(&[4 << 20; 5], &[2, 2, 1]);
        check(&[1, (8 << 20) - 2, 16 << 20, 16 << 20, 17 << 20], &[3, 1, 1]);
    }

    #[test]
    fn files_are_counted_while_they_are_searched() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.rego", "b/c.rego", "b/d.rego"] {
            fs::create_dir_all(folder.path().join("b")).unwrap();
            fs::write(folder.path().join(name), "").unwrap();
        }
        let others = |count| (0..count).map(|n| (n.to_string().into(), PathBuf::new()));
        let mut found: Found = others(MAX_FILES - 3).collect();
        search(folder.path(), 0, &mut found).unwrap();
        assert_eq!(found.len(), MAX_FILES);
        let mut found: Found = others(MAX_FILES - 1).collect();
        let error = search(folder.path(), 0, &mut found).unwrap_err().to_string();
        assert_eq!(error, "these are more than 20000 files");
        assert_eq!(found.len(), MAX_FILES + 1, "the search ends there");
    }
}
