//! The records that are not decisions: ends of exchanges, refusals, and what happens to the process.

use std::time::Duration;

use super::DecisionId;
use crate::Timestamp;
use crate::policy::Revision;
use crate::request::Source;
use crate::spiffe::{Claimed, SpiffeId};

/// How the exchange of a decision ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// `None` where no response was begun.
    pub status: Option<u16>,
    pub response_bytes: u64,
    pub request_bytes: u64,
    /// Connections to an upstream on which it was tried.
    pub tries: u32,
    pub duration: Duration,
    /// Stable words, such as `upstream.reset`.
    pub flags: Vec<&'static str>,
}

/// Who a refused peer says it is: of a peer that proved nothing, nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimedIdentity {
    pub spiffe_id: Option<String>,
    /// Lower-case hex.
    pub serial: Option<String>,
    /// The certificate's fingerprint, lower-case hex.
    pub sha256: Option<String>,
}

/// What never became a decision, counted: one source prefix, one reason, about one second.
#[derive(Clone, Debug)]
pub struct Refused {
    /// `tls`, `http`, …
    pub stage: &'static str,
    pub reason: &'static str,
    /// `192.0.2.0/24`, `2001:db8::/48`, or `other` for all that did not get a line of its own.
    pub source: String,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The identities that were claimed: some of them.
    pub claimed: Vec<ClaimedIdentity>,
    /// The ids that responses carried: some of them.
    pub ids: Vec<DecisionId>,
    pub detail: Option<String>,
}

/// Something other than a request that an auditor has to know.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    PolicyActivated {
        revision: &'a Revision,
    },
    PolicyRejected {
        revision: &'a Revision,
        cause: &'a str,
    },
    ConfigLoaded {
        digest: &'a str,
    },
    ConfigRejected {
        cause: &'a str,
    },
    IdentityUpdated {
        spiffe_id: &'a SpiffeId,
        not_after: Timestamp,
        sequence: u64,
    },
    IdentityLost {
        reason: &'static str,
        cause: &'a str,
    },
    /// It serves, and somebody should look.
    IdentityDegraded {
        reason: &'static str,
        cause: &'a str,
    },
    /// The time cannot be what the clock says; `evidence` is a stable word.
    ClockSuspect {
        earliest: Timestamp,
        evidence: &'static str,
    },
    /// The clock is no longer suspect.
    ClockSet,
    /// Open connections of a peer were ended because it holds no more.
    ConnectionCut {
        /// `None` for all that did not get a record of their own.
        spiffe_id: Option<&'a SpiffeId>,
        reason: &'static str,
        connections: u64,
    },
    /// An operator put a peer or a trust domain on the deny-list.
    Blocked {
        spiffe_id: &'a str,
        reason: &'a str,
        until: Option<Timestamp>,
        /// The Unix user who asked for it.
        user: u32,
    },
    /// An operator took an entry off the deny-list.
    Unblocked {
        spiffe_id: &'a str,
        user: u32,
    },
    /// An entry of the deny-list came to its end.
    BlockExpired {
        spiffe_id: &'a str,
    },
    LogStarted {
        durability: &'static str,
        on_failure: &'static str,
        end_records: bool,
    },
    LogStopped,
    /// A file was closed and the next begun.
    LogRotated {
        closed: &'a str,
        opened: &'a str,
    },
    /// Records that should stand in the log and do not.
    LogGap(&'a Gap),
    /// A line that was cut when a process died was moved out of the log.
    LogRecovered {
        file: &'a str,
        quarantine: &'a str,
        bytes: u64,
    },
    /// A closed file was deleted because enough newer ones are kept.
    LogPruned {
        file: &'a str,
        from_seq: u64,
    },
}

/// Records that are missing: never written, or written to a file that was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub cause: &'static str,
    pub count: u64,
    /// Whether the requests went on all the same.
    pub forwarded: bool,
    pub first: Timestamp,
    pub last: Timestamp,
    /// The numbers that were taken, first and last; what was never written has none.
    pub seqs: Option<(u64, u64)>,
}

impl Refused {
    /// An aggregate that counts nothing yet.
    #[must_use]
    pub fn empty(
        stage: &'static str,
        reason: &'static str,
        source: String,
        first: Timestamp,
    ) -> Self {
        let (claimed, ids) = (Vec::new(), Vec::new());
        Self { stage, reason, source, count: 0, first, last: first, claimed, ids, detail: None }
    }
}

impl From<&Claimed> for ClaimedIdentity {
    fn from(claimed: &Claimed) -> Self {
        Self {
            spiffe_id: claimed.id.clone(),
            serial: claimed.serial.clone(),
            sha256: Some(claimed.sha256.clone()),
        }
    }
}

impl ClaimedIdentity {
    /// The identity that a token claims, which no certificate stands behind.
    #[must_use]
    pub fn of_id(spiffe_id: String) -> Self {
        Self { spiffe_id: Some(spiffe_id), serial: None, sha256: None }
    }

    /// The identity of a peer that proved it and was refused for another reason; none if it has none.
    #[must_use]
    pub fn of_source(source: &Source) -> Option<Self> {
        let certificate = source.certificate.as_ref();
        if source.spiffe_id.is_none() && certificate.is_none() {
            return None;
        }
        Some(Self {
            spiffe_id: source.spiffe_id.as_ref().map(ToString::to_string),
            serial: certificate.map(|certificate| certificate.serial.clone()),
            sha256: certificate.map(|certificate| certificate.sha256.clone()),
        })
    }
}

impl Event<'_> {
    /// The stable words of a record: its kind and what happened.
    pub(super) const fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::PolicyActivated { .. } => ("policy", "activated"),
            Self::PolicyRejected { .. } => ("policy", "rejected"),
            Self::ConfigLoaded { .. } => ("config", "loaded"),
            Self::ConfigRejected { .. } => ("config", "rejected"),
            Self::IdentityUpdated { .. } => ("identity", "updated"),
            Self::IdentityLost { .. } => ("identity", "lost"),
            Self::IdentityDegraded { .. } => ("identity", "degraded"),
            Self::ClockSuspect { .. } => ("clock", "suspect"),
            Self::ClockSet => ("clock", "set"),
            Self::ConnectionCut { .. } => ("connection", "cut"),
            Self::Blocked { .. } => ("deny_list", "blocked"),
            Self::Unblocked { .. } => ("deny_list", "unblocked"),
            Self::BlockExpired { .. } => ("deny_list", "expired"),
            Self::LogStarted { .. } => ("log", "start"),
            Self::LogStopped => ("log", "stop"),
            Self::LogRotated { .. } => ("log", "rotate"),
            Self::LogGap(_) => ("log", "gap"),
            Self::LogRecovered { .. } => ("log", "recovered"),
            Self::LogPruned { .. } => ("log", "pruned"),
        }
    }
}
