//! What is wrong with a policy, where, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that an author should change, or know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Relative to the bundle's root; empty when the whole bundle is meant.
    pub file: String,
    /// From 1; 0 when the whole file is meant.
    pub line: u32,
    /// In characters from 1; 0 when the whole line is meant.
    pub column: u32,
    /// One sentence in lower case without a final period.
    pub message: String,
    /// What to do, if it can be said.
    pub hint: Option<String>,
    /// The line itself, as it stands in the file.
    pub source: Option<String>,
    /// The kind of error, in OPA's words; Rego only.
    pub code: Option<Code>,
}

/// OPA's names for what it refuses to compile; its test cases expect them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    RegoParseError,
    RegoCompileError,
    RegoTypeError,
    RegoUnsafeVarError,
    RegoRecursionError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle is not loaded.
    Error,
    Warning,
}

/// All findings of one load; the error type of everything that reads policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub fn error(&mut self, file: &str, line: u32, column: u32, message: impl Into<String>) {
        self.0.push(Finding::new(Severity::Error, file, line, column, message.into()));
    }

    pub fn warning(&mut self, file: &str, line: u32, column: u32, message: impl Into<String>) {
        self.0.push(Finding::new(Severity::Warning, file, line, column, message.into()));
    }
}

impl Finding {
    #[must_use]
    pub fn new(severity: Severity, file: &str, line: u32, column: u32, message: String) -> Self {
        let file = file.to_owned();
        Self { severity, file, line, column, message, hint: None, source: None, code: None }
    }
}

/// `orders.rego:7:3: error: …`, the place first, as compilers do.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.file.is_empty() {
            write!(f, "{}", self.file)?;
            if self.line > 0 {
                write!(f, ":{}", self.line)?;
            }
            if self.column > 0 {
                write!(f, ":{}", self.column)?;
            }
            write!(f, ": ")?;
        }
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}", self.message)
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}
