//! What the sidecar tells about itself: the published shape of `/status` and of verbose readiness.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_core::Timestamp;
use portreeve_core::policy::Ways;
use serde::{Deserialize, Serialize};

/// How ready one part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartState {
    Ready,
    /// It serves, but somebody should look: told, and still ready.
    Degraded,
    /// The sidecar must get no requests.
    NotReady,
}

/// One part that readiness depends on: identity, policy, log, listeners, drain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub name: Cow<'static, str>,
    pub state: PartState,
    /// A stable code such as `identity.expired`; empty where there is nothing to say.
    pub reason: Cow<'static, str>,
    /// For people; only the admin socket tells it.
    pub text: String,
}

/// Whether requests may come, and why not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    pub parts: Vec<Part>,
}

/// The answer of `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub service: String,
    pub started: Timestamp,
    /// When this was told, by the sidecar's clock.
    pub now: Timestamp,
    pub readiness: Readiness,
    /// `null` until there is one.
    pub identity: Option<IdentityStatus>,
    #[serde(default)]
    pub identity_source: IdentitySourceStatus,
    /// `null` until there are some, and where no listener takes JWT-SVIDs.
    #[serde(default)]
    pub jwt_bundles: Option<JwtStatus>,
    /// How many entries the deny-list has.
    #[serde(default)]
    pub blocked: u64,
    /// `null` until there is one.
    pub policy: Option<PolicyStatus>,
    pub log: LogStatus,
    pub listeners: Vec<ListenerStatus>,
    /// Where probes and metrics are served, with the port that the system gave; `null` where nowhere.
    #[serde(default)]
    pub health: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityStatus {
    pub spiffe_id: String,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    pub updated: Timestamp,
    /// The trust domains whose bundles are known.
    pub trust_domains: Vec<String>,
}

/// How the source of our identity does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct IdentitySourceStatus {
    /// In words, such as ``Workload API at `/run/spire/agent.sock` ``.
    pub source: String,
    /// When it last gave something that could be used.
    pub last_answer: Option<Timestamp>,
    /// `null` while nothing is wrong.
    pub trouble: Option<SourceTrouble>,
    /// Foreign bundles that could not be read, with the reason.
    pub unusable_bundles: BTreeMap<String, String>,
    /// The user and the process that serve the Workload API's socket.
    pub served_by_uid: Option<u32>,
    pub served_by_pid: Option<i32>,
}

/// Why nothing new comes of the source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceTrouble {
    /// `identity.source_lost`, `identity.update_rejected` or `identity.withdrawing`.
    pub reason: String,
    pub text: String,
    pub since: Timestamp,
}

/// The keys that JWT-SVIDs are verified with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JwtStatus {
    /// When the source last gave them: while it is away they stand as they are.
    pub updated: Timestamp,
    /// How many usable keys each trust domain has.
    pub keys: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PolicyStatus {
    /// Where it comes from, without credentials.
    pub source: String,
    pub commit: String,
    pub digest: String,
    pub activated: Timestamp,
    /// When the source was last read without error.
    pub last_success: Timestamp,
    /// Why the newest candidate is not active.
    pub last_error: Option<String>,
    /// How the policies are evaluated; of a long list the part that every request pays for.
    pub ways: Arc<Ways>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStatus {
    /// A folder, or `stdout`.
    pub target: String,
    pub durability: String,
    /// The next sequence number.
    pub sequence: u64,
    pub queue_length: u64,
    pub lost: u64,
    pub last_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListenerStatus {
    pub name: String,
    /// With the port that the system gave.
    pub address: String,
    pub mode: String,
    /// How callers prove who they are: `x509`, `jwt`, `both` or `either`.
    #[serde(default)]
    pub callers: String,
    /// A caller's JWT-SVID must be for one of these; empty where none is taken.
    #[serde(default)]
    pub audience: Vec<String>,
    pub connections: u64,
}

impl Part {
    #[must_use]
    pub fn ready(name: &'static str) -> Self {
        let (state, reason) = (PartState::Ready, Cow::Borrowed(""));
        Self { name: name.into(), state, reason, text: String::new() }
    }

    #[must_use]
    pub fn degraded(name: &'static str, reason: &'static str, text: impl Into<String>) -> Self {
        let (state, reason) = (PartState::Degraded, reason.into());
        Self { name: name.into(), state, reason, text: text.into() }
    }

    #[must_use]
    pub fn not_ready(name: &'static str, reason: &'static str, text: impl Into<String>) -> Self {
        let (state, reason) = (PartState::NotReady, reason.into());
        Self { name: name.into(), state, reason, text: text.into() }
    }
}

impl Readiness {
    /// The worst of its parts; without any part nothing is known, and that is not ready.
    #[must_use]
    pub fn state(&self) -> PartState {
        self.parts.iter().map(|part| part.state).max().unwrap_or(PartState::NotReady)
    }

    /// Degraded is ready.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state() != PartState::NotReady
    }
}

impl PartState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::NotReady => "not_ready",
        }
    }
}
