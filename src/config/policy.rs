//! Where policy comes from: what git and ssh are given is checked here, before either is started.

use std::path::Path;
use std::time::Duration;

use portreeve_core::policy::UnboundedBuiltins;

use super::check::Check;
use super::place::At;
use super::quote::quoted;
use super::raw;
use super::scalars::PathText;
use crate::loader::Source;
use crate::store;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Https,
    Ssh,
    /// `file://` or an absolute path.
    File,
}

pub(super) fn policy(
    check: &mut Check<'_>,
    raw: &raw::Policy,
    state_dir: &Path,
) -> Option<store::Settings> {
    let at = At::root().key("policy");
    let interval = Duration::from_secs(1)..=DAY;
    let interval = check.duration(&at.key("interval"), &raw.interval, interval);
    let source = match (&raw.source.git, &raw.source.dir) {
        (Some(url), None) => git(check, &at, raw, url),
        (None, Some(dir)) => {
            refuse_git_fields(check, &at, raw);
            Some(Source::Dir(check.path(&at.key("source").key("dir"), dir)))
        }
        (Some(_), Some(_)) => {
            check.refuse(&at.key("source"), "`git` and `dir` exclude each other");
            None
        }
        (None, None) => {
            check.refuse(&at.key("source"), "either `git` or `dir` must be given");
            None
        }
    };
    Some(store::Settings {
        source: source?,
        interval,
        directory: state_dir.join("store"),
        unbounded_builtins: match raw.unbounded_builtins {
            raw::UnboundedBuiltins::Refuse => UnboundedBuiltins::Refuse,
            raw::UnboundedBuiltins::Pool => UnboundedBuiltins::Pool,
        },
    })
}

fn git(check: &mut Check<'_>, at: &At, raw: &raw::Policy, url: &str) -> Option<Source> {
    let scheme = match git_scheme(url) {
        Ok(scheme) => Some(scheme),
        Err((message, hint)) => {
            check.refuse_with(&at.key("source").key("git"), message, hint);
            None
        }
    };
    if matches!(scheme, Some(Scheme::Https | Scheme::Ssh)) && raw.verify.is_none() {
        let hint = "write `verify: none` to accept that whoever can push decides";
        check.refuse_with(&at.key("verify"), "missing", hint);
    }
    if let Err(message) = check_reference(&raw.reference) {
        check.refuse(&at.key("ref"), message);
    }
    if let Err(message) = check_subdir(&raw.subdir) {
        check.refuse(&at.key("subdir"), message);
    }
    let mut path_for = |key: &str, path: &Option<PathText>, only: Scheme, word: &str| {
        let path = path.as_ref()?;
        if scheme.is_some_and(|scheme| scheme != only) {
            check.refuse(&at.key(key), format!("is only for `{word}` repositories"));
        }
        Some(check.path(&at.key(key), path))
    };
    let known_hosts = path_for("known_hosts", &raw.known_hosts, Scheme::Ssh, "ssh");
    let ssh_key = path_for("ssh_key", &raw.ssh_key, Scheme::Ssh, "ssh");
    let token_file = path_for("token_file", &raw.token_file, Scheme::Https, "https");
    if scheme == Some(Scheme::Ssh) && known_hosts.is_none() {
        let hint = "a host is never trusted at first sight; `ssh-keyscan HOST` prints its keys";
        check.refuse_with(&at.key("known_hosts"), "missing", hint);
    }
    scheme.map(|_| Source::Git {
        url: url.to_owned(),
        reference: raw.reference.clone(),
        subdir: raw.subdir.clone(),
        known_hosts,
        ssh_key,
        token_file,
    })
}

fn refuse_git_fields(check: &mut Check<'_>, at: &At, raw: &raw::Policy) {
    let given = [
        ("subdir", !raw.subdir.is_empty()),
        ("known_hosts", raw.known_hosts.is_some()),
        ("ssh_key", raw.ssh_key.is_some()),
        ("token_file", raw.token_file.is_some()),
    ];
    for (key, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
        check.refuse(&at.key(key), "is only for `source.git`");
    }
}

/// How a repository is reached, or what is wrong with its URL and what to do. The text itself is not
/// repeated where it may hold a password.
fn git_scheme(url: &str) -> Result<Scheme, (String, &'static str)> {
    const FORMS: &str = "use `https://`, `ssh://`, `file://` or an absolute path";
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(("holds a space or a control character".to_owned(), FORMS));
    }
    if url.starts_with('/') {
        return Ok(Scheme::File);
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        let hint = if url.contains('@') && url.contains(':') {
            "write `git@host:path` as `ssh://git@host/path`"
        } else {
            FORMS
        };
        return Err(("is not a repository's URL".to_owned(), hint));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let scheme = match (scheme, user) {
        ("https", None) => Scheme::Https,
        ("https", Some(_)) => {
            return Err(("holds a user or a password".to_owned(), "use `policy.token_file`"));
        }
        ("ssh", Some(user)) if user.contains(':') => {
            return Err(("holds a password".to_owned(), "use `policy.ssh_key`"));
        }
        // ssh would take a user or a host that starts with `-` for an option.
        ("ssh", Some(user)) if !is_word(user) => {
            return Err(("the user is malformed".into(), FORMS));
        }
        ("ssh", _) => Scheme::Ssh,
        ("file", None) if authority.is_empty() => Scheme::File,
        ("file", _) => return Err(("names a host".to_owned(), "write `file:///absolute/path`")),
        ("http" | "git", _) => {
            return Err(("is not authenticated".to_owned(), "use `https://` or `ssh://`"));
        }
        (other, _) => return Err((format!("the scheme {} is unknown", quoted(other)), FORMS)),
    };
    if scheme != Scheme::File && !is_host(host) {
        return Err(("the host is malformed".to_owned(), FORMS));
    }
    if path.is_empty() {
        return Err(("names no repository".to_owned(), "add its path"));
    }
    Ok(scheme)
}

fn is_word(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(legal)
}

fn is_host(text: &str) -> bool {
    if let Some((v6, port)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let port = port.strip_prefix(':').map_or(port.is_empty(), |p| p.parse::<u16>().is_ok());
        return port && v6.parse::<std::net::Ipv6Addr>().is_ok();
    }
    match text.split_once(':') {
        Some((name, port)) => is_word(name) && port.parse::<u16>().is_ok(),
        None => is_word(text),
    }
}

/// The rules of `git check-ref-format`, and no leading `-`, which git would take for an option.
fn check_reference(name: &str) -> Result<(), String> {
    let is_bad_char = |c: char| {
        c.is_control() || matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\' | '\u{7f}')
    };
    let is_bad = name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name == "@"
        || ["..", "//", "@{"].iter().any(|part| name.contains(part))
        || name.split('/').any(|part| part.starts_with('.') || part.ends_with(".lock"))
        || name.chars().any(is_bad_char);
    if is_bad {
        return Err(format!("{} is not the name of a branch, tag or commit", quoted(name)));
    }
    Ok(())
}

fn check_subdir(subdir: &str) -> Result<(), String> {
    if subdir.is_empty() {
        return Ok(());
    }
    let is_bad_part = |part: &str| matches!(part, "" | "." | "..") || part.starts_with('-');
    let is_bad = subdir.chars().any(|c| c.is_control() || c == '\\' || c == ':');
    if is_bad || subdir.split('/').any(is_bad_part) {
        return Err(format!(
            "{} is not a folder inside the repository, such as `policies/shop`",
            quoted(subdir)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_by_scheme() {
        for (url, scheme) in [
            ("https://git.example.org/shop/policy.git", Scheme::Https),
            ("https://git.example.org:8443/p", Scheme::Https),
            ("https://[::1]:8443/p", Scheme::Https),
            ("ssh://git@git.example.org:22/p.git", Scheme::Ssh),
            ("ssh://git.example.org/p.git", Scheme::Ssh),
            ("file:///srv/policy", Scheme::File),
            ("/srv/policy", Scheme::File),
        ] {
            assert_eq!(git_scheme(url), Ok(scheme), "{url}");
        }
    }

    #[test]
    fn what_git_or_ssh_would_take_for_an_option_is_refused() {
        for url in [
            "-upload-pack=x",
            "ssh://-oProxyCommand=x/p",
            "ssh://-a@host/p",
            "ssh://host/",
            "https://host",
            "ext::sh -c x",
            "ext::x",
            "http://host/p",
            "git://host/p",
            "git@host:p",
            "policies",
            "file://host/p",
            "https://ho st/p",
            "https://host:port/p",
        ] {
            assert!(git_scheme(url).is_err(), "{url}");
        }
        for name in ["-x", "a..b", "a b", "a~1", "x.lock", "a/.b", "/a", "a/", "@", "a:b", "a^"] {
            assert!(check_reference(name).is_err(), "{name}");
        }
        for name in ["main", "v1.2", "release/2026-11", "4f1c2d3e4f1c2d3e4f1c2d3e4f1c2d3e4f1c2d3e"]
        {
            assert_eq!(check_reference(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for url in ["https://user:hunter2@host/p", "ssh://user:hunter2@host/p", "ftp:hunter2"] {
            let (message, hint) = git_scheme(url).unwrap_err();
            assert!(!format!("{message}{hint}").contains("hunter2"), "{url}: {message}");
        }
    }

    #[test]
    fn a_subdir_stays_inside() {
        for subdir in ["policies", "a/b", "a.b"] {
            assert_eq!(check_subdir(subdir), Ok(()), "{subdir}");
        }
        for subdir in ["/a", "..", "a/../b", "a//b", "./a", "a:b", "-x"] {
            assert!(check_subdir(subdir).is_err(), "{subdir}");
        }
    }
}
