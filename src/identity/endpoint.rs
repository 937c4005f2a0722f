//! Where the Workload API listens, as people write it in `SPIFFE_ENDPOINT_SOCKET`.

use std::path::{Path, PathBuf};

/// `sockaddr_un` holds 108 bytes, the last of them a zero.
pub const MAX_SOCKET_PATH_BYTES: usize = 107;

/// Why an address is none of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("the Workload API's address is empty: write `unix:///run/spire/agent/api.sock`")]
    Empty,
    #[error(
        "`{0}` names `{1}` as a host: a Unix socket has none, write three slashes: `unix:///{1}{2}`"
    )]
    Host(String, String, String),
    #[error("`{0}` is not an absolute path: write `unix:///path/to/api.sock`")]
    Relative(String),
    #[error("`{0}` lacks the two slashes of an address: write `unix://{1}`")]
    NoSlashes(String, String),
    #[error("`{0}`: the Workload API over TCP is not supported, only a Unix socket is")]
    Tcp(String),
    #[error("`{0}` is neither `unix:///path` nor an absolute path")]
    Scheme(String),
    #[error("`{0}` has a query, a fragment or a percent-encoding, which a socket's address cannot")]
    NotAPath(String),
    #[error("`{path}` is {bytes} bytes long: the path of a Unix socket holds at most 107")]
    TooLong { path: String, bytes: usize },
}

/// Reads `unix:///path/to/api.sock` or a plain absolute path (Workload Endpoint §4).
///
/// # Errors
/// The value is neither, or the path is too long for a socket.
pub fn endpoint_path(value: &str) -> Result<PathBuf, EndpointError> {
    let whole = || value.to_owned();
    if value.is_empty() {
        return Err(EndpointError::Empty);
    }
    let path = if let Some(rest) = value.strip_prefix("unix://") {
        if rest.contains(['?', '#', '%']) {
            return Err(EndpointError::NotAPath(whole()));
        }
        absolute_after_scheme(value, rest)?
    } else if let Some(rest) = value.strip_prefix("unix:") {
        return Err(if rest.starts_with('/') {
            EndpointError::NoSlashes(whole(), rest.to_owned())
        } else {
            EndpointError::Relative(whole())
        });
    } else if value.starts_with("tcp:") {
        return Err(EndpointError::Tcp(whole()));
    } else if value.contains("://") {
        return Err(EndpointError::Scheme(whole()));
    } else if value.starts_with('/') {
        value
    } else {
        return Err(EndpointError::Relative(whole()));
    };
    check_length(path.as_ref())?;
    Ok(path.into())
}

/// Refuses a path that no Unix socket can have.
pub(crate) fn check_length(path: &Path) -> Result<(), EndpointError> {
    let bytes = path.as_os_str().len();
    if bytes > MAX_SOCKET_PATH_BYTES {
        return Err(EndpointError::TooLong { path: path.display().to_string(), bytes });
    }
    Ok(())
}

fn absolute_after_scheme<'a>(value: &str, rest: &'a str) -> Result<&'a str, EndpointError> {
    match rest.split_once('/') {
        Some(("", path)) if !path.is_empty() => Ok(rest),
        Some(("", _)) | None => Err(EndpointError::Relative(value.to_owned())),
        Some((host, path)) => {
            let path = if path.is_empty() { String::new() } else { format!("/{path}") };
            Err(EndpointError::Host(value.to_owned(), host.to_owned(), path))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Result<&str, &str>) {
        let seen = endpoint_path(value).map_err(|error| error.to_string());
        match expected {
            Ok(path) => assert_eq!(seen, Ok(PathBuf::from(path)), "{value}"),
            Err(words) => {
                let error = seen.expect_err(value);
                assert!(error.contains(words), "{value}: {error}");
            }
        }
    }

    #[test]
    fn a_socket_address_and_a_plain_path_are_read() {
        check("unix:///run/spire/agent/api.sock", Ok("/run/spire/agent/api.sock"));
        check("/run/spire/agent/api.sock", Ok("/run/spire/agent/api.sock"));
        check("/run/a%20b?.sock", Ok("/run/a%20b?.sock"));
    }

    #[test]
    fn what_people_mistype_is_explained() {
        check("", Err("is empty"));
        check("unix://tmp/api.sock", Err("write three slashes: `unix:///tmp/api.sock`"));
        check("unix://tmp", Err("not an absolute path"));
        check("unix:///", Err("not an absolute path"));
        check("unix://", Err("not an absolute path"));
        check("unix:/tmp/api.sock", Err("write `unix:///tmp/api.sock`"));
        check("unix:tmp", Err("not an absolute path"));
        check("tmp/api.sock", Err("not an absolute path"));
        check("./api.sock", Err("not an absolute path"));
        check("tcp://127.0.0.1:8081", Err("over TCP is not supported"));
        check("tcp:127.0.0.1:8081", Err("over TCP is not supported"));
        check("https://td/api", Err("neither `unix:///path` nor an absolute path"));
        check("unix:///tmp/a?b", Err("a query"));
    }

    #[test]
    fn a_path_that_does_not_fit_a_socket_is_refused_at_the_first_byte_over() {
        let longest = format!("/{}", "a".repeat(MAX_SOCKET_PATH_BYTES - 1));
        check(&longest, Ok(&longest));
        check(&format!("{longest}a"), Err("108 bytes long"));
        check(&format!("unix://{longest}a"), Err("108 bytes long"));
    }
}
