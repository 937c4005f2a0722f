//! What is wrong with a configuration, every finding with its place and field.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::place::{At, Place};

/// Findings that are told; a file with more is not a configuration with mistakes but another file.
const MAX_ERRORS: usize = 100;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("failed to read the configuration `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the configuration has errors\n{}", errors.in_file(path))]
    Invalid { path: PathBuf, errors: ConfigErrors },
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfigError {
    pub line: u32,
    pub column: u32,
    /// The environment variable that the value came from; line and column are then those of the
    /// field that it replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<&'static str>,
    /// Such as `listeners[0].address`; empty for the whole file.
    pub field: String,
    pub message: String,
    /// What to do about it, if that can be said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Every finding, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
    /// Findings beyond [`MAX_ERRORS`].
    left_out: usize,
}

impl ConfigError {
    pub(super) fn at(place: Place, at: &At, message: impl Into<String>) -> Self {
        Self {
            line: place.line,
            column: place.column,
            variable: None,
            field: at.to_string(),
            message: message.into(),
            hint: None,
        }
    }
}

impl ConfigErrors {
    pub(super) fn new(mut errors: Vec<ConfigError>) -> Self {
        errors.sort_by(|a, b| (a.line, a.column, &a.field).cmp(&(b.line, b.column, &b.field)));
        let left_out = errors.len().saturating_sub(MAX_ERRORS);
        errors.truncate(MAX_ERRORS);
        Self { errors, left_out }
    }

    #[must_use]
    pub fn as_slice(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The findings with the file's name before each.
    #[must_use]
    pub fn in_file<'a>(&'a self, path: &'a Path) -> impl fmt::Display + 'a {
        Listed { errors: self, path }
    }
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_file(Path::new("portreeve.yaml")).fmt(f)
    }
}

struct Listed<'a> {
    errors: &'a ConfigErrors,
    path: &'a Path,
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, error) in self.errors.errors.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            match error.variable {
                Some(variable) => write!(f, "{variable}: {error}")?,
                None => {
                    let ConfigError { line, column, .. } = error;
                    write!(f, "{}:{line}:{column}: {error}", self.path.display())?;
                }
            }
        }
        if self.errors.left_out > 0 {
            write!(f, "\nand {} more", self.errors.left_out)?;
        }
        Ok(())
    }
}

/// Without the place: `listeners[0].adress: unknown key; did you mean `address`?`.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}
