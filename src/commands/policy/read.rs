//! A folder on disk as the files of a bundle.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use portreeve_core::policy::Files;

/// One more than the largest file that a bundle may hold, so that a larger one is still noticed.
const READ_LIMIT: u64 = (16 << 20) + 1;
/// Folders inside folders; people write five.
const MAX_DEPTH: usize = 32;
/// Hidden files belong to editors and version control, but for OPA's manifest.
const MANIFEST: &str = ".manifest";

/// Reads a folder whole: no hidden files but `.manifest`, no link that leaves the folder.
///
/// # Errors
/// The folder or a file of it cannot be read, or breaks a limit of [`Files`].
pub(crate) fn files_of(folder: &Path) -> anyhow::Result<Files> {
    let root = folder
        .canonicalize()
        .with_context(|| format!("failed to open folder `{}`", folder.display()))?;
    ensure!(root.is_dir(), "`{}` is not a folder", folder.display());
    let mut files = Files::default();
    read_folder(&root, &root, String::new(), 0, &mut files)
        .with_context(|| format!("failed to read folder `{}`", folder.display()))?;
    files.check_case()?;
    Ok(files)
}

fn read_folder(
    root: &Path,
    folder: &Path,
    prefix: String,
    depth: usize,
    files: &mut Files,
) -> anyhow::Result<()> {
    ensure!(depth <= MAX_DEPTH, "folder `{prefix}` is more than {MAX_DEPTH} levels deep");
    for entry in fs::read_dir(folder).with_context(|| format!("failed to list `{prefix}`"))? {
        let entry = entry.with_context(|| format!("failed to list `{prefix}`"))?;
        let Ok(name) = entry.file_name().into_string() else {
            bail!("a file name in `{prefix}` is not UTF-8");
        };
        if name.starts_with('.') && name != MANIFEST {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().with_context(|| format!("failed to look at `{path}`"))?;
        if kind.is_dir() {
            let inner = format!("{path}/");
            read_folder(root, &entry.path(), inner, depth.saturating_add(1), files)?;
            continue;
        }
        let file =
            if kind.is_symlink() { followed(root, &entry.path(), &path)? } else { entry.path() };
        files.insert(&path, read_file(&file, &path)?)?;
    }
    Ok(())
}

/// Where a link ends; only a file of the same folder may be meant.
fn followed(root: &Path, link: &Path, path: &str) -> anyhow::Result<PathBuf> {
    let end = link.canonicalize().with_context(|| format!("failed to follow link `{path}`"))?;
    ensure!(end.starts_with(root), "link `{path}` leaves the folder");
    ensure!(!end.is_dir(), "link `{path}` leads to a folder, and only links to files are followed");
    Ok(end)
}

/// Reads a file, of one that is too large a byte more than a bundle may hold; `path` names it in
/// errors.
///
/// # Errors
/// It is no regular file, or cannot be read.
pub(super) fn read_file(file: &Path, path: &str) -> anyhow::Result<Vec<u8>> {
    let metadata = fs::metadata(file).with_context(|| format!("failed to look at `{path}`"))?;
    // A pipe or a device would block or never end.
    ensure!(metadata.is_file(), "`{path}` is not a regular file");
    let mut content = Vec::new();
    File::open(file)
        .and_then(|file| file.take(READ_LIMIT).read_to_end(&mut content))
        .with_context(|| format!("failed to read `{path}`"))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// The paths that are read after `make` has filled a folder, or the error's chain.
    fn seen(make: impl Fn(&Path)) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let files = files_of(folder.path()).map_err(|error| format!("{error:#}"))?;
        Ok(files.iter().map(|(path, _)| path.to_owned()).collect())
    }

    #[track_caller]
    fn check(make: impl Fn(&Path), expected: Result<&[&str], &str>) {
        match (seen(make), expected) {
            (Ok(seen), Ok(expected)) => assert_eq!(seen, expected),
            (Err(seen), Err(expected)) => assert!(seen.contains(expected), "{seen}"),
            (seen, expected) => panic!("{seen:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn hidden_files_are_left_out_but_for_the_manifest() {
        let make = |folder: &Path| {
            fs::create_dir_all(folder.join("a/b")).unwrap();
            fs::create_dir_all(folder.join(".git")).unwrap();
            for file in ["a/b/x.rego", "a/.manifest", ".manifest", ".git/config", ".x.swp"] {
                fs::write(folder.join(file), "").unwrap();
            }
        };
        check(make, Ok(&[".manifest", "a/.manifest", "a/b/x.rego"]));
    }

    #[test]
    fn a_link_inside_is_read_and_one_that_leaves_is_refused() {
        let inside = |folder: &Path| {
            fs::write(folder.join("x.rego"), "").unwrap();
            symlink("x.rego", folder.join("y.rego")).unwrap();
        };
        check(inside, Ok(&["x.rego", "y.rego"]));
        check(|folder| symlink("/etc/passwd", folder.join("x")).unwrap(), Err("leaves the folder"));
        check(|folder| symlink(".", folder.join("loop")).unwrap(), Err("leads to a folder"));
        check(|folder| symlink("absent", folder.join("x")).unwrap(), Err("failed to follow"));
    }

    #[test]
    fn what_is_no_regular_file_or_too_large_is_refused() {
        let socket = |folder: &Path| {
            std::os::unix::net::UnixListener::bind(folder.join("s")).unwrap();
        };
        check(socket, Err("not a regular file"));
        let large = |folder: &Path| {
            File::create(folder.join("x.json")).unwrap().set_len(17 << 20).unwrap();
        };
        check(large, Err("larger than"));
        let case = |folder: &Path| {
            fs::write(folder.join("a"), "").unwrap();
            fs::write(folder.join("A"), "").unwrap();
        };
        check(case, Err("differ only in case"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = format!("{:#}", files_of(Path::new("/nonexistent/policies")).unwrap_err());
        assert!(error.contains("`/nonexistent/policies`"), "{error}");
    }
}
