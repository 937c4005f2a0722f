//! The records that are not decisions: ends of exchanges, refusals, and what happens to the process.

use std::time::Duration;

use super::fragment::InstanceFragment;
use super::{DecisionId, Line, Scratch, json};
use crate::Timestamp;
use crate::policy::Revision;
use crate::request::Source;
use crate::spiffe::{Claimed, SpiffeId};

const MAX_WORD_BYTES: usize = 160;
const MAX_TEXT_BYTES: usize = 1_024;
const MAX_ID_BYTES: usize = 2_048;
/// Lists are samples; their counts stand beside them.
const MAX_LIST: usize = 16;
const MAX_ITEM_BYTES: usize = 512;

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

impl Scratch {
    /// Formats the record of an exchange's end; `of` is the sequence number of its decision.
    pub fn end(
        &mut self,
        instance: &InstanceFragment,
        id: &DecisionId,
        time: Timestamp,
        of: u64,
        end: &End,
    ) -> &mut Line {
        self.begin(id, time, "end", instance);
        self.number(",\"of\":", of);
        self.raw(",\"response\":{\"status\":");
        match end.status {
            Some(status) => self.number("", u64::from(status)),
            None => self.raw("null"),
        }
        self.number(",\"bytes\":", end.response_bytes);
        self.number("},\"request\":{\"bytes\":", end.request_bytes);
        self.number("},\"tries\":", u64::from(end.tries));
        let micros = u64::try_from(end.duration.as_micros()).unwrap_or(u64::MAX);
        self.number(",\"duration_us\":", micros);
        self.list(",\"flags\":", end.flags.iter().map(|flag| flag.as_bytes()));
        self.finish()
    }

    /// Formats one aggregate of refusals.
    pub fn refused(
        &mut self,
        instance: &InstanceFragment,
        id: &DecisionId,
        refused: &Refused,
    ) -> &mut Line {
        self.begin(id, refused.last, "refused", instance);
        self.text(",\"refused\":{\"stage\":", refused.stage, MAX_WORD_BYTES);
        self.text(",\"reason\":", refused.reason, MAX_WORD_BYTES);
        self.text(",\"source\":", &refused.source, MAX_WORD_BYTES);
        self.number(",\"count\":", refused.count);
        self.moment(",\"first\":", refused.first);
        self.moment(",\"last\":", refused.last);
        self.claimed(&refused.claimed);
        self.list(",\"ids\":", refused.ids.iter().map(DecisionId::as_bytes));
        self.optional(",\"detail\":", refused.detail.as_deref(), MAX_TEXT_BYTES);
        self.raw("}");
        self.finish()
    }

    fn claimed(&mut self, claimed: &[ClaimedIdentity]) {
        self.raw(",\"claimed\":[");
        for (at, claimed) in claimed.iter().take(MAX_LIST).enumerate() {
            self.raw(if at == 0 { "{" } else { ",{" });
            let ClaimedIdentity { spiffe_id, serial, sha256 } = claimed;
            self.optional("\"spiffe_id\":", spiffe_id.as_deref(), MAX_ITEM_BYTES);
            self.optional(",\"serial\":", serial.as_deref(), MAX_WORD_BYTES);
            self.optional(",\"sha256\":", sha256.as_deref(), MAX_WORD_BYTES);
            self.raw("}");
        }
        self.raw("]");
    }

    /// Formats one event.
    pub fn event(
        &mut self,
        instance: &InstanceFragment,
        id: &DecisionId,
        time: Timestamp,
        event: &Event<'_>,
    ) -> &mut Line {
        let (kind, name) = event.words();
        self.begin(id, time, kind, instance);
        self.text(",\"event\":", name, MAX_WORD_BYTES);
        match event {
            Event::PolicyActivated { revision } => self.member_revision(revision),
            Event::PolicyRejected { revision, cause } => {
                self.member_revision(revision);
                self.text(",\"cause\":", cause, MAX_TEXT_BYTES);
            }
            Event::ConfigLoaded { digest } => {
                self.text(",\"digest\":", digest, MAX_WORD_BYTES);
            }
            Event::ConfigRejected { cause } => self.text(",\"cause\":", cause, MAX_TEXT_BYTES),
            Event::IdentityUpdated { spiffe_id, not_after, sequence } => {
                self.text(",\"spiffe_id\":", spiffe_id.as_str(), MAX_ID_BYTES);
                self.moment(",\"not_after\":", *not_after);
                self.number(",\"update\":", *sequence);
            }
            Event::IdentityLost { reason, cause } | Event::IdentityDegraded { reason, cause } => {
                self.text(",\"reason\":", reason, MAX_WORD_BYTES);
                self.text(",\"cause\":", cause, MAX_TEXT_BYTES);
            }
            Event::ClockSuspect { earliest, evidence } => {
                self.moment(",\"earliest\":", *earliest);
                self.text(",\"evidence\":", evidence, MAX_WORD_BYTES);
            }
            Event::ConnectionCut { .. }
            | Event::Blocked { .. }
            | Event::Unblocked { .. }
            | Event::BlockExpired { .. } => self.of_peer(event),
            Event::LogStarted { durability, on_failure, end_records } => {
                self.text(",\"durability\":", durability, MAX_WORD_BYTES);
                self.text(",\"on_failure\":", on_failure, MAX_WORD_BYTES);
                self.flag(",\"end_records\":", *end_records);
            }
            Event::LogStopped | Event::ClockSet => {}
            Event::LogRotated { closed, opened } => {
                self.text(",\"closed\":", closed, MAX_WORD_BYTES);
                self.text(",\"opened\":", opened, MAX_WORD_BYTES);
            }
            Event::LogGap(gap) => self.gap(gap),
            Event::LogRecovered { file, quarantine, bytes } => {
                self.text(",\"file\":", file, MAX_WORD_BYTES);
                self.text(",\"quarantine\":", quarantine, MAX_WORD_BYTES);
                self.number(",\"bytes\":", *bytes);
            }
            Event::LogPruned { file, from_seq } => {
                self.text(",\"file\":", file, MAX_WORD_BYTES);
                self.number(",\"from_seq\":", *from_seq);
            }
        }
        self.finish()
    }

    /// What was done to a peer that is not us.
    fn of_peer(&mut self, event: &Event<'_>) {
        match event {
            Event::ConnectionCut { spiffe_id, reason, connections } => {
                match spiffe_id {
                    Some(id) => self.text(",\"spiffe_id\":", id.as_str(), MAX_ID_BYTES),
                    None => self.raw(",\"spiffe_id\":null"),
                }
                self.text(",\"reason\":", reason, MAX_WORD_BYTES);
                self.number(",\"connections\":", *connections);
            }
            Event::Blocked { spiffe_id, reason, until, user } => {
                self.text(",\"spiffe_id\":", spiffe_id, MAX_ID_BYTES);
                self.text(",\"reason\":", reason, MAX_TEXT_BYTES);
                match until {
                    Some(until) => self.moment(",\"until\":", *until),
                    None => self.raw(",\"until\":null"),
                }
                self.number(",\"user\":", u64::from(*user));
            }
            Event::Unblocked { spiffe_id, user } => {
                self.text(",\"spiffe_id\":", spiffe_id, MAX_ID_BYTES);
                self.number(",\"user\":", u64::from(*user));
            }
            Event::BlockExpired { spiffe_id } => {
                self.text(",\"spiffe_id\":", spiffe_id, MAX_ID_BYTES);
            }
            _ => {}
        }
    }

    fn gap(&mut self, gap: &Gap) {
        self.text(",\"cause\":", gap.cause, MAX_WORD_BYTES);
        self.number(",\"count\":", gap.count);
        self.flag(",\"forwarded\":", gap.forwarded);
        self.moment(",\"first\":", gap.first);
        self.moment(",\"last\":", gap.last);
        if let Some((from, to)) = gap.seqs {
            self.number(",\"from_seq\":", from);
            self.number(",\"to_seq\":", to);
        }
    }

    pub(super) fn raw(&mut self, text: &str) {
        self.line.out().extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, key: &str, value: &str, max: usize) {
        self.raw(key);
        json::string(self.line.out(), value.as_bytes(), max);
    }

    fn optional(&mut self, key: &str, value: Option<&str>, max: usize) {
        match value {
            Some(value) => self.text(key, value, max),
            None => {
                self.raw(key);
                self.raw("null");
            }
        }
    }

    pub(super) fn number(&mut self, key: &str, value: u64) {
        self.raw(key);
        json::number(self.line.out(), value);
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.raw(key);
        self.raw(if value { "true" } else { "false" });
    }

    fn moment(&mut self, key: &str, time: Timestamp) {
        self.raw(key);
        self.time(time);
    }

    fn list<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a [u8]>) {
        self.raw(key);
        self.raw("[");
        for (at, value) in values.take(MAX_LIST).enumerate() {
            self.raw(if at == 0 { "" } else { "," });
            json::string(self.line.out(), value, MAX_ITEM_BYTES);
        }
        self.raw("]");
    }

    fn member_revision(&mut self, revision: &Revision) {
        self.raw(",");
        self.revision(revision);
    }

    fn finish(&mut self) -> &mut Line {
        self.raw("}\n");
        &mut self.line
    }
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
    const fn words(&self) -> (&'static str, &'static str) {
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
