//! What keeper and workers are asked and what they answer; every text in an answer is bounded.

use std::path::PathBuf;

use portreeve_core::policy::{Finding, Findings, UnboundedBuiltins};
use serde::{Deserialize, Serialize};

use super::{Place, SandboxReport};

/// Enough for an author to start with; the rest is counted.
const MAX_FINDINGS: usize = 100;
/// Longer texts (a source line, what a server said) are cut.
const MAX_TEXT_BYTES: usize = 1_000;
/// A source line is shown for its place; a longer one is not read.
const MAX_SOURCE_BYTES: usize = 300;

/// Where policy comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    Git {
        /// `https://`, `ssh://`, `file://` or an absolute path.
        url: String,
        /// A branch, tag or full commit id.
        reference: String,
        /// The bundle's root inside the repository; empty for the whole.
        subdir: String,
        /// Required for ssh.
        known_hosts: Option<PathBuf>,
        ssh_key: Option<PathBuf>,
        /// Read at every fetch; sent as the password over https.
        token_file: Option<PathBuf>,
    },
    /// A directory, read whole at every interval: for development.
    Dir(PathBuf),
}

/// The first frame that a keeper reads: what it works on for all its life.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    pub source: Source,
    /// The store's directory, which exists and is locked by the serving process.
    pub store: PathBuf,
    pub limits: Limits,
    pub unbounded_builtins: UnboundedBuiltins,
}

/// What one worker may use before it is killed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Limits {
    pub fetch_seconds: u64,
    pub check_seconds: u64,
    pub check_memory_bytes: u64,
}

/// A first fetch over a slow line fits into two minutes. A bundle that does not load within ten
/// seconds and one gibibyte would hold up every start of the sidecar.
impl Default for Limits {
    fn default() -> Self {
        Self { fetch_seconds: 120, check_seconds: 10, check_memory_bytes: 1 << 30 }
    }
}

/// From the serving process to the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    Fetch(FetchRequest),
    Check(CheckRequest),
}

/// From the keeper to a worker: the assignment and the one thing to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job<T> {
    pub assignment: Assignment,
    pub request: T,
}

/// The keeper's first answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ready {
    pub sandbox: SandboxReport,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct FetchRequest {
    /// Commits (of a directory: digests) that were dealt with: they are not fetched again.
    pub known: Vec<String>,
}

/// What became of one look at the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fetched {
    /// The source stands at one of the known commits or digests.
    Unchanged { known: String },
    /// A candidate was written.
    Candidate { commit: String, digest: String, files: usize },
    /// The source was read, and what it holds cannot become a bundle.
    Refused { commit: String, text: String },
    /// The source could not be read.
    Failed { text: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct CheckRequest {
    pub place: Place,
    pub commit: String,
    pub digest: String,
}

/// What the check says about a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checked {
    Ok { digest: String, findings: Findings, counts: Counts },
    Rejected { text: String, findings: Findings },
}

/// What a bundle holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub cedar_policies: usize,
    pub rego_rules: usize,
}

impl Source {
    /// The source as people may read it: no user, no password.
    #[must_use]
    pub fn repository(&self) -> String {
        match self {
            Self::Git { url, .. } => without_userinfo(url),
            Self::Dir(path) => path.display().to_string(),
        }
    }

    /// Empty for a directory.
    #[must_use]
    pub fn reference(&self) -> &str {
        match self {
            Self::Git { reference, .. } => reference,
            Self::Dir(_) => "",
        }
    }

    /// Empty for the whole repository.
    #[must_use]
    pub fn subdir(&self) -> &str {
        match self {
            Self::Git { subdir, .. } => subdir,
            Self::Dir(_) => "",
        }
    }
}

fn without_userinfo(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// A text that somebody else wrote, as it may stand in a log: one bounded line without controls.
pub(super) fn bounded(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(MAX_TEXT_BYTES));
    for character in text.trim().chars() {
        if line.len() >= MAX_TEXT_BYTES {
            line.push('…');
            break;
        }
        match character {
            '\n' => line.push_str("; "),
            '\t' => line.push(' '),
            hidden if hidden.is_control() => {}
            plain => line.push(plain),
        }
    }
    line
}

/// Findings that fit into a frame: the first hundred, each with bounded texts.
pub(super) fn bounded_findings(findings: Findings) -> Findings {
    let more = findings.0.len().saturating_sub(MAX_FINDINGS);
    let mut kept: Vec<Finding> = findings.0;
    kept.sort_by_key(|finding| finding.severity); // errors first, and stable
    kept.truncate(MAX_FINDINGS);
    for finding in &mut kept {
        finding.message = bounded(&finding.message);
        finding.hint = finding.hint.as_deref().map(bounded);
        finding.source = finding.source.take().map(|line| cut(line, MAX_SOURCE_BYTES));
    }
    if more > 0
        && let Some(last) = kept.last_mut()
    {
        last.hint = Some(format!("and {more} more findings, which are not listed"));
    }
    Findings(kept)
}

/// The start of a source line; its spaces are kept, because columns count them.
fn cut(mut line: String, bytes: usize) -> String {
    line.truncate(line.floor_char_boundary(bytes));
    line
}

#[cfg(test)]
mod tests {
    use portreeve_core::policy::Severity;

    use super::*;

    #[track_caller]
    fn check(url: &str, expected: &str) {
        assert_eq!(without_userinfo(url), expected);
    }

    #[test]
    fn a_repository_is_named_without_credentials() {
        check("https://me:secret@git.example/p.git", "https://git.example/p.git");
        check("https://a@b@git.example", "https://git.example");
        check("ssh://git@git.example:22/p@1.git", "ssh://git.example:22/p@1.git");
        check("https://git.example/p@1.git", "https://git.example/p@1.git");
        check("/srv/policies", "/srv/policies");
    }

    #[test]
    fn a_foreign_text_becomes_one_bounded_line() {
        assert_eq!(bounded("a\u{1b}[31m\nb\tc\r\n"), "a[31m; b c");
        assert!(bounded(&"é".repeat(5_000)).len() <= MAX_TEXT_BYTES + 5);
    }

    #[test]
    fn findings_fit_into_a_frame_and_errors_come_first() {
        let mut findings = Findings::default();
        for _ in 0..5_000 {
            let text = "\u{1}\"é".repeat(5_000);
            let mut finding = Finding::new(Severity::Warning, "a.rego", 1, 1, text.clone());
            finding.source = Some(text);
            findings.0.push(finding);
        }
        findings.error("b.rego", 2, 3, "broken");
        let kept = bounded_findings(findings);
        assert_eq!(kept.0.len(), 100);
        assert_eq!(kept.0[0].message, "broken");
        assert!(kept.0[99].hint.as_deref().unwrap().contains("4901 more"));
        let answer = Checked::Rejected { text: String::new(), findings: kept };
        assert!(super::super::encode(&answer).is_ok());
    }
}
