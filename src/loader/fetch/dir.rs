//! A directory as files: plain files only, no link followed, hidden git data left out.

use std::fs::{self, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use portreeve_core::policy::Files;
use rustix::fs::OFlags;

use super::FetchError;

/// Far deeper than policies are filed.
const MAX_DEPTH: usize = 32;

/// Reads a directory whole.
///
/// # Errors
/// It cannot be read, or holds something that is not a plain file within the limits.
pub(super) fn read(root: &Path) -> Result<Files, FetchError> {
    let mut files = Files::default();
    let mut folders = vec![(root.to_path_buf(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let error = |source| FetchError::Read { path: folder.clone(), source };
        for entry in fs::read_dir(&folder).map_err(error)? {
            let entry = entry.map_err(error)?;
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let Some(name) = name.to_str() else {
                let path = entry.path().as_os_str().as_encoded_bytes().escape_ascii().to_string();
                return Err(FetchError::NotUtf8 { path });
            };
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().map_err(error)?;
            if kind.is_dir() && depth < MAX_DEPTH {
                folders.push((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() {
                read_file(&mut files, &entry.path(), &path)?;
            } else {
                let what = match (kind.is_dir(), kind.is_symlink()) {
                    (true, _) => "nested too deep",
                    (_, true) => "a symbolic link",
                    _ => "not a plain file",
                };
                return Err(FetchError::Kind { path, what });
            }
        }
    }
    files.check_case().map_err(FetchError::Files)?;
    Ok(files)
}

/// Between the listing and this a file may have become a link or a pipe: neither is waited for.
fn read_file(files: &mut Files, file: &Path, path: &str) -> Result<(), FetchError> {
    let error = |source| FetchError::Read { path: PathBuf::from(file), source };
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(error)?;
    let metadata = opened.metadata().map_err(error)?;
    if !metadata.is_file() {
        return Err(FetchError::Kind { path: path.to_owned(), what: "not a plain file" });
    }
    let bytes = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    files.check(path, bytes).map_err(FetchError::Files)?;
    let mut content = Vec::with_capacity(bytes);
    // One byte more tells a file that grew, which is then checked again.
    opened.take(metadata.len() + 1).read_to_end(&mut content).map_err(error)?;
    files.insert(path, content).map_err(FetchError::Files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_read_whole_without_git_data() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/b")).unwrap();
        fs::create_dir_all(root.path().join(".git")).unwrap();
        fs::write(root.path().join("a/b/p.rego"), "package p").unwrap();
        fs::write(root.path().join(".manifest"), "{}").unwrap();
        fs::write(root.path().join(".git/HEAD"), "ref").unwrap();
        let files = read(root.path()).unwrap();
        let paths: Vec<&str> = files.iter().map(|(path, _)| path).collect();
        assert_eq!(paths, [".manifest", "a/b/p.rego"]);
    }

    #[test]
    fn a_link_a_pipe_and_a_missing_directory_are_refused() {
        let root = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.path().join("data.json")).unwrap();
        let error = read(root.path()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`data.json` is a symbolic link, which a bundle may not hold"
        );
        fs::remove_file(root.path().join("data.json")).unwrap();
        let socket = root.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(read(root.path()).unwrap_err().to_string().contains("`socket` is not a plain"));
        assert!(read(&root.path().join("gone")).is_err());
    }
}
