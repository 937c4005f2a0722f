//! The socket: never open to more users than asked for, never taken from a server that answers.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use tokio::net::UnixListener;

use crate::identity::EndpointError;
use crate::identity::endpoint::check_length;

/// Callers that wait to be accepted; more are refused by the kernel.
const BACKLOG: i32 = 128;

/// Who may open the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The user of this process (0600).
    Owner,
    /// Every user of the machine (0666).
    Everyone,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("the socket cannot have this path")]
    Path { source: EndpointError },
    #[error("`{path}` exists and is not a socket")]
    NotASocket { path: PathBuf },
    #[error("another server answers on `{path}`")]
    Taken { path: PathBuf },
    #[error("failed to {what} `{path}`")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

/// A bound socket; its file goes when this does, unless it has become another's.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) path: PathBuf,
    inode: u64,
}

/// Binds the path and listens. The file has its mode before anybody can connect.
pub(super) fn bind(path: &Path, access: Access) -> Result<(UnixListener, Bound), SocketError> {
    check_length(path).map_err(|source| SocketError::Path { source })?;
    remove_stale(path)?;
    let failed = |what| move |source| SocketError::Io { what, path: path.to_owned(), source };
    let mode = match access {
        Access::Owner => 0o600,
        Access::Everyone => 0o666,
    };
    let unlistened = unlistened(path).map_err(failed("bind"))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(failed("set the mode of"))?;
    rustix::net::listen(&unlistened, BACKLOG)
        .map_err(io::Error::from)
        .map_err(failed("listen on"))?;
    let listener = UnixListener::from_std(unlistened.into()).map_err(failed("listen on"))?;
    let inode = std::fs::symlink_metadata(path).map_err(failed("look at"))?.ino();
    Ok((listener, Bound { path: path.to_owned(), inode }))
}

fn unlistened(path: &Path) -> io::Result<std::os::fd::OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Removes a socket on which nobody answers.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            return Err(SocketError::Io { what: "look at", path: path.to_owned(), source });
        }
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket { path: path.to_owned() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|source| SocketError::Io {
                what: "remove",
                path: path.to_owned(),
                source,
            })
        }
        Ok(_) | Err(_) => Err(SocketError::Taken { path: path.to_owned() }),
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|now| now.ino() == self.inode);
        if ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let (_listener, _bound) = bind(&path, Access::Owner).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind(&path, Access::Owner), Err(SocketError::Taken { .. })));
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes.txt");
        std::fs::write(&path, "keep me").unwrap();
        assert!(matches!(bind(&path, Access::Owner), Err(SocketError::NotASocket { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "keep me");
    }

    #[tokio::test]
    async fn only_our_own_socket_is_removed_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("api.sock");
        let (_listener, first) = bind(&path, Access::Everyone).unwrap();
        let moved = dir.path().join("moved.sock");
        std::fs::rename(&path, &moved).unwrap();
        let (_second_listener, second) = bind(&path, Access::Owner).unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
    }
}
