//! Words of the commands that a person copies into a shell.

use std::borrow::Cow;
use std::path::Path;

use anyhow::Context as _;

/// This program as a person would write it: by the name that a shell finds, or by its path.
pub(super) fn program() -> anyhow::Result<String> {
    let path = std::env::current_exe().context("failed to find this program's own path")?;
    let typed = std::env::args_os().next().unwrap_or_default();
    let found_by_name = |name: &Path| {
        let search = std::env::var_os("PATH")?;
        let found = std::env::split_paths(&search).map(|dir| dir.join(name));
        let first = found.into_iter().find(|candidate| candidate.is_file())?;
        (std::fs::canonicalize(first).ok()? == path).then(|| name.to_str().map(str::to_owned))?
    };
    let typed = Path::new(&typed);
    if typed.components().count() == 1
        && typed.is_relative()
        && let Some(name) = found_by_name(typed)
    {
        return Ok(word(&name).into_owned());
    }
    let path = path.to_str().context("this program's path is not UTF-8")?;
    Ok(word(path).into_owned())
}

/// A text as one word of a POSIX shell.
pub(super) fn word(text: &str) -> Cow<'_, str> {
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// Means itself to a shell, to YAML and in a socket's address.
pub(super) fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '@' | ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_more_into_it() {
        assert_eq!(word("/usr/bin/portreeve-0.1"), "/usr/bin/portreeve-0.1");
        for text in ["a b", "$HOME", "it's", "`id`", "", "a;b", "*", "s|\"x\"|y|", "~", "a\nb"] {
            let command = format!("printf %s {}", word(text));
            let output = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text, "{command}");
        }
    }
}
