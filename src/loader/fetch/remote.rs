//! What the configuration names, checked before git sees a byte of it.

use std::path::Path;

use super::FetchError;

/// A repository's address in the one form that git is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// `https`, `ssh` or `file`: the only one that git may use.
    pub scheme: &'static str,
    pub url: String,
    /// Scheme, host and port: what a token is sent to, and nothing else.
    pub origin: String,
}

impl Remote {
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let refuse = |reason| Err(FetchError::Url { reason });
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return refuse("it has blanks or control characters");
        }
        if text.starts_with('/') {
            return Ok(Self::file(format!("file://{text}")));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return refuse("it is neither `https://`, `ssh://`, `file://` nor an absolute path");
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        match (scheme, user) {
            ("file", None) if authority.is_empty() && path.starts_with('/') => {
                return Ok(Self::file(text.to_owned()));
            }
            ("file", _) => return refuse("a `file://` URL has an absolute path and no host"),
            ("https", None) | ("ssh", _) => {}
            ("https", Some(_)) => {
                return refuse("it has a user or a password; use `token_file`");
            }
            _ => return refuse("its scheme is not `https`, `ssh` or `file`"),
        }
        if !user.is_none_or(is_plain) {
            return refuse("its user is more than a plain name");
        }
        if !is_host(host) {
            return refuse("its host is not a plain name or address");
        }
        let scheme = if scheme == "ssh" { "ssh" } else { "https" };
        Ok(Self { scheme, url: text.to_owned(), origin: format!("{scheme}://{host}") })
    }

    fn file(url: String) -> Self {
        Self { scheme: "file", url, origin: String::new() }
    }
}

/// A name that ssh and git can only take for a name, never for an option.
fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_address = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok());
    (is_address || is_plain(name)) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// What to follow in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reference {
    /// A full commit id.
    Commit(String),
    /// Full names to look for, such as `refs/heads/main` and `refs/tags/main`.
    Named(Vec<String>),
}

impl Reference {
    /// Takes what `git check-ref-format` takes, so that no name is a pattern or an option.
    pub(super) fn parse(text: &str) -> Result<Self, FetchError> {
        let is_id = matches!(text.len(), 40 | 64)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_id {
            return Ok(Self::Commit(text.to_owned()));
        }
        let is_part = |part: &str| {
            !part.is_empty() && !part.starts_with(['.', '-']) && !part.ends_with(".lock")
        };
        let is_name = text.len() <= 255
            && text.bytes().all(|byte| byte > b' ' && byte != 0x7f && !b"~^:?*[\\".contains(&byte))
            && !text.contains("..")
            && !text.contains("@{")
            && !text.ends_with('.')
            && text != "@"
            && text.split('/').all(is_part);
        if !is_name {
            return Err(FetchError::Reference { text: text.escape_debug().to_string() });
        }
        if text == "HEAD" || text.starts_with("refs/") {
            return Ok(Self::Named(vec![text.to_owned()]));
        }
        Ok(Self::Named(vec![format!("refs/heads/{text}"), format!("refs/tags/{text}")]))
    }
}

/// A path that may stand in ssh's command line, which a shell and ssh itself both read.
pub(super) fn plain_path<'a>(field: &'static str, path: &'a Path) -> Result<&'a str, FetchError> {
    let is_plain = |text: &&str| {
        text.starts_with('/')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:,=".contains(&byte))
    };
    path.to_str()
        .filter(is_plain)
        .ok_or_else(|| FetchError::Path { field, path: path.to_path_buf() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        let outcome = match Remote::parse(url) {
            Ok(remote) => format!("{} {}", remote.scheme, remote.url),
            Err(error) => error.to_string(),
        };
        assert!(outcome.contains(expected), "`{url}`: {outcome}");
    }

    #[test]
    fn urls_of_the_three_schemes_are_taken() {
        check("https://git.example/a/b.git", "https https://git.example/a/b.git");
        check("https://[2001:db8::1]:8443/b", "https https://[2001:db8::1]:8443/b");
        check("ssh://git@git.example:22/b.git", "ssh ssh://git@git.example:22/b.git");
        check("file:///srv/policies", "file file:///srv/policies");
        check("/srv/policies", "file file:///srv/policies");
    }

    #[test]
    fn urls_that_carry_credentials_commands_or_options_are_refused() {
        check("https://me@git.example/b", "use `token_file`");
        check("https://me:secret@git.example/b", "use `token_file`");
        check("ssh://git:secret@git.example/b", "more than a plain name");
        check("ssh://-oProxyCommand=x/b", "not a plain name or address");
        check("ssh://-l@git.example/b", "more than a plain name");
        check("https://git.example:http/b", "not a plain name or address");
        check("file://host/b", "no host");
        check("http://git.example/b", "scheme");
        check("ext::sh -c x", "blanks");
        check("ext::x", "neither");
        check("git.example:b", "neither");
        check("--upload-pack=x", "neither");
    }

    #[test]
    fn no_error_repeats_a_password() {
        for url in ["https://me:secret@git.example/b", "ssh://git:secret@h/b", "ftp://a:secret@h"] {
            assert!(!Remote::parse(url).unwrap_err().to_string().contains("secret"));
        }
    }

    #[test]
    fn a_reference_is_a_name_or_a_full_commit_id() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(Reference::parse(id).unwrap(), Reference::Commit(id.to_owned()));
        let named = Reference::parse("release/1").unwrap();
        let names = ["refs/heads/release/1", "refs/tags/release/1"].map(str::to_owned);
        assert_eq!(named, Reference::Named(names.to_vec()));
        for text in ["", "-x", "a b", "a..b", "a*", "a^{}", "a/.b", "a.lock", "@", "a//b", "a\n"] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
    }
}
