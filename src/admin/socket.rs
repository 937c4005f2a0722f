//! A Unix socket that only our own user and root can connect to, from its first moment on.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::serve::ServeError;

/// People ask one thing at a time.
const BACKLOG: i32 = 16;
const OTHERS_MAY_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// A listening socket; its file goes with it.
#[derive(Debug)]
pub(super) struct PrivateSocket {
    pub(super) listener: UnixListener,
    pub(super) file: SocketFile,
}

#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode: another socket that took the name is not ours to remove.
    identity: (u64, u64),
}

impl PrivateSocket {
    /// Makes the folder, mode 0700, if there is none, and listens with mode 0600. A socket that is
    /// there already is replaced only if nobody answers on it.
    pub(super) fn bind(path: &Path) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: path.display().to_string(), source };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
            warn_of_shared_folder(folder).map_err(failed)?;
        }
        let listener = match listen(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                listen(path)
            }
            outcome => outcome,
        };
        let listener = listener.map_err(failed)?;
        let file = fs::symlink_metadata(path).map_err(failed)?;
        let file = SocketFile { path: path.to_owned(), identity: (file.dev(), file.ino()) };
        Ok(Self { listener, file })
    }
}

/// Linux gives the file the mode of the socket, so there is no moment at which others may connect.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

fn remove_stale(path: &Path) -> Result<(), ServeError> {
    let failed = |source| ServeError::Listen { address: path.display().to_string(), source };
    let file = fs::symlink_metadata(path).map_err(failed)?;
    if !file.file_type().is_socket() {
        return Err(ServeError::NotASocket { path: path.to_owned() });
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(source) => Err(failed(source)),
        Ok(_) => Err(ServeError::Taken { path: path.to_owned() }),
    }
}

/// Whoever may write to the folder could put a socket of his own in our place.
fn warn_of_shared_folder(folder: &Path) -> io::Result<()> {
    let mode = fs::metadata(folder)?.mode();
    if mode & OTHERS_MAY_WRITE != 0 && mode & STICKY == 0 {
        let folder = folder.display();
        tracing::warn!(%folder, "others may write to the folder of the admin socket");
    }
    Ok(())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.identity);
        if is_ours {
            // Left behind, it is stale and replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}
