//! Why a source gives nothing, in words that a person can act on.

use std::error::Error as _;
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use tonic::Code;

use super::source::Trouble;
use super::{FileError, UpdateError};

/// One try at a source that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error(
        "there is no socket at `{path}`: is the agent running, and is the socket's directory mounted \
         here?"
    )]
    Missing { path: PathBuf },
    #[error(
        "there is no directory `{}` for the socket `{path}`: is it mounted here, and is the path right?",
        directory.display()
    )]
    NoDirectory { path: PathBuf, directory: PathBuf },
    #[error("`{path}` is not a socket: give the path of the Workload API's own socket")]
    NotASocket { path: PathBuf },
    #[error("this user may not open `{path}`: it needs write permission on the socket")]
    Forbidden { path: PathBuf, source: io::Error },
    #[error(
        "nobody listens on `{path}`: has the agent stopped? (if it has restarted since, the socket's \
         file is mounted here: mount its directory instead)"
    )]
    Refused { path: PathBuf },
    #[error("failed to connect to `{path}`")]
    Connect { path: PathBuf, source: io::Error },
    #[error("the connection to `{path}` broke: does a SPIFFE Workload API listen there?")]
    Lost { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the Workload API at `{path}` did not answer within {seconds} s")]
    Silent { path: PathBuf, seconds: u64 },
    #[error(
        "no identity issued: is there a registration entry for this process? (the Workload API at \
         `{path}` says `{message}`)"
    )]
    Denied { path: PathBuf, message: String },
    #[error("the Workload API at `{path}` calls our request invalid: `{message}`")]
    Invalid { path: PathBuf, message: String },
    #[error("what listens on `{path}` is no SPIFFE Workload API: `{message}`")]
    Unimplemented { path: PathBuf, message: String },
    #[error("the Workload API at `{path}` is unavailable: `{message}`")]
    Unavailable { path: PathBuf, message: String },
    #[error("the Workload API at `{path}` failed: `{message}` ({})", code.description())]
    Status { path: PathBuf, code: Code, message: String },
    #[error(
        "the update of the Workload API at `{path}` is larger than we take: do fewer trust domains need \
         to be federated with us? (`{message}`)"
    )]
    TooLarge { path: PathBuf, message: String },
    #[error("the Workload API at `{path}` closed the stream")]
    Ended { path: PathBuf },
    #[error("the Workload API at `{path}` sent an update that cannot be used")]
    Update { path: PathBuf, source: UpdateError },
    #[error("the files cannot be used")]
    Files { source: FileError },
}

impl Failure {
    pub(super) fn of_connect(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        // Connecting to a plain file is refused as if nobody listened.
        let socket = std::fs::metadata(&path).map(|found| found.file_type().is_socket());
        match source.kind() {
            io::ErrorKind::NotFound => match path.parent() {
                Some(directory) if !directory.exists() => {
                    Self::NoDirectory { directory: directory.to_owned(), path }
                }
                _ => Self::Missing { path },
            },
            io::ErrorKind::ConnectionRefused if matches!(socket, Ok(false)) => {
                Self::NotASocket { path }
            }
            io::ErrorKind::ConnectionRefused => Self::Refused { path },
            io::ErrorKind::PermissionDenied => Self::Forbidden { path, source },
            _ => Self::Connect { path, source },
        }
    }

    pub(super) fn of_status(path: &Path, status: tonic::Status) -> Self {
        let (path, message) = (path.to_owned(), status.message().to_owned());
        // A status with a cause was made on this side, because the connection broke. How it shows
        // itself is for programmers: its message and the first of its causes say all.
        if let Some(cause) = status.source() {
            let mut first = cause;
            while let Some(cause) = first.source() {
                first = cause;
            }
            let first = Some(first.to_string()).filter(|first| !message.contains(first));
            let words = [Some(message), first].into_iter().flatten().collect::<Vec<_>>();
            return Self::Lost { path, source: words.join(": ").into() };
        }
        match status.code() {
            Code::PermissionDenied => Self::Denied { path, message },
            Code::InvalidArgument => Self::Invalid { path, message },
            Code::Unimplemented => Self::Unimplemented { path, message },
            Code::Unavailable => Self::Unavailable { path, message },
            // How tonic refuses a message over its limit.
            Code::OutOfRange => Self::TooLarge { path, message },
            code => Self::Status { path, code, message },
        }
    }

    /// The stable code of what this means for us.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Update { .. } | Self::TooLarge { .. } | Self::Files { .. } => Trouble::REJECTED,
            Self::Denied { .. } => Trouble::WITHDRAWING,
            Self::Missing { .. }
            | Self::NoDirectory { .. }
            | Self::NotASocket { .. }
            | Self::Forbidden { .. }
            | Self::Refused { .. }
            | Self::Connect { .. }
            | Self::Lost { .. }
            | Self::Silent { .. }
            | Self::Invalid { .. }
            | Self::Unimplemented { .. }
            | Self::Unavailable { .. }
            | Self::Status { .. }
            | Self::Ended { .. } => Trouble::LOST,
        }
    }

    /// Whether trying again soon is of no use: the two ends do not understand each other.
    pub(super) const fn needs_a_person(&self) -> bool {
        matches!(self, Self::Invalid { .. } | Self::Unimplemented { .. })
    }

    /// Whether nobody listened: the agent was not asked anything.
    pub(super) const fn is_unheard(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Refused { .. } | Self::Connect { .. })
    }

    /// The error and its causes in one line.
    pub(crate) fn words(&self) -> String {
        let mut words = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            words.push_str(": ");
            words.push_str(&error.to_string());
            cause = error.source();
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("http2 error")]
    struct Outer(#[source] io::Error);

    #[test]
    fn a_broken_connection_is_told_in_words_and_not_in_types() {
        let path = Path::new("/run/api.sock");
        let cause = Outer(io::Error::other("frame with invalid size"));
        let mut status = tonic::Status::internal("h2 protocol error: http2 error");
        status.set_source(std::sync::Arc::new(cause));
        assert_eq!(
            Failure::of_status(path, status).words(),
            "the connection to `/run/api.sock` broke: does a SPIFFE Workload API listen there?: \
             h2 protocol error: http2 error: frame with invalid size"
        );
        let status = tonic::Status::data_loss("gone");
        assert_eq!(
            Failure::of_status(path, status).words(),
            "the Workload API at `/run/api.sock` failed: `gone` (Unrecoverable data loss or corruption)"
        );
    }

    #[test]
    fn what_files_hold_is_told_once() {
        let trust_domain = portreeve_core::spiffe::TrustDomain::parse("a.test").unwrap();
        let source = FileError::Update { source: UpdateError::EmptyBundle { trust_domain } };
        assert_eq!(
            Failure::Files { source }.words(),
            "the files cannot be used: the bundle of our own trust domain `a.test` is empty"
        );
    }
}
