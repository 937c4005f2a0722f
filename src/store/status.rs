//! What the store says about itself, in the words of `portreeve status`.

use std::fmt;
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::policy::{Bundle, Finding, Languages, Ways};
use serde::Serialize;

use crate::loader::{SandboxReport, Source};

/// As many policies are named in the status: it is read by people and polled.
const MAX_WAYS: usize = 1_000;

/// Everything that an operator asks about the store; times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Without credentials.
    pub repository: String,
    pub reference: String,
    pub subdir: String,
    pub active: Option<ActiveStatus>,
    /// When the source was last looked at, and when that last went well.
    pub last_fetch: Option<Timestamp>,
    pub last_success: Option<Timestamp>,
    /// Gone as soon as the source stands at the active commit again.
    pub last_error: Option<Failure>,
    pub loader: LoaderStatus,
}

/// The bundle that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveStatus {
    pub commit: String,
    pub digest: String,
    pub since: Timestamp,
    pub cedar_policies: usize,
    pub rego_rules: usize,
    /// How the policies are evaluated; shared, as it may be long.
    pub ways: Arc<Ways>,
}

/// What went wrong last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub at: Timestamp,
    pub stage: Stage,
    /// Empty if no commit was reached, or the source has none.
    pub commit: String,
    pub text: String,
    pub findings: Vec<Finding>,
}

/// How far a candidate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The last good bundle on the disk, at the start.
    Restore,
    /// The source was not reached, or gave no commit.
    Fetch,
    /// The commit holds what no bundle may hold.
    Read,
    /// It does not load, or its check crashed.
    Check,
    /// The check accepted it, and it did not load here.
    Load,
    /// It could not be kept on the disk.
    Store,
}

/// The child process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoaderStatus {
    pub state: LoaderState,
    /// Its process id, while it runs.
    pub process: Option<u32>,
    pub text: Option<String>,
    pub sandbox: SandboxReport,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum LoaderState {
    #[default]
    #[serde(rename = "loader.starting")]
    Starting,
    #[serde(rename = "loader.ready")]
    Ready,
    /// Degraded: the active bundle stays, and no other can follow it until a restart.
    #[serde(rename = "loader.gone")]
    Gone,
}

impl Status {
    pub(super) fn new(source: &Source) -> Self {
        Self {
            repository: source.repository(),
            reference: source.reference().to_owned(),
            subdir: source.subdir().to_owned(),
            active: None,
            last_fetch: None,
            last_success: None,
            last_error: None,
            loader: LoaderStatus::default(),
        }
    }
}

impl ActiveStatus {
    pub(super) fn new(bundle: &Bundle, since: Timestamp) -> Self {
        let Languages { cedar_policies, rego_rules } = bundle.languages();
        Self {
            commit: bundle.revision.commit.to_string(),
            digest: bundle.revision.digest.to_string(),
            since,
            cedar_policies,
            rego_rules,
            ways: Arc::new(Ways::of(bundle.ways(), MAX_WAYS)),
        }
    }
}

impl Stage {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Fetch => "fetch",
            Self::Read => "read",
            Self::Check => "check",
            Self::Load => "load",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The places first, so that a record that is cut at its limit still names them.
#[must_use]
pub fn with_findings(text: &str, findings: &[Finding]) -> String {
    let mut places: Vec<_> = findings.iter().map(ToString::to_string).collect();
    places.push(text.to_owned());
    places.join("; ")
}
