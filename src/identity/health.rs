//! Whether our identity can be served with, and whether somebody should look.

use portreeve_core::Timestamp;

use super::source::Trouble;
use super::{Identity, Snapshot, SourceStatus, Unavailable};

/// An SVID is renewed at half of its life (SPIRE's rule); with less than this part left, it is late.
const LATE_PART: i64 = 3;
/// So many bundles are named.
const MAX_NAMED: usize = 4;

/// What readiness, the log and the records say of the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Good,
    /// It serves, but will not for long, or not all that it should.
    Degraded {
        reason: &'static str,
        text: String,
    },
    /// No handshake can be begun.
    Unavailable(Unavailable),
}

impl Identity {
    /// How the identity does now; the same question has another answer as time goes on.
    #[must_use]
    pub fn health(&self) -> Health {
        let snapshot = match self.current() {
            Ok(snapshot) => snapshot,
            Err(unavailable) => return Health::Unavailable(unavailable),
        };
        let source = self.source();
        if let Some(trouble) = &source.trouble
            && trouble.reason != Trouble::LOST
        {
            return Health::Degraded { reason: trouble.reason, text: trouble.text.clone() };
        }
        let now = self.clock.now();
        if is_late(&snapshot, now) {
            return Health::Degraded {
                reason: "identity.stale",
                text: late(&snapshot, &source, now),
            };
        }
        if !source.unusable.is_empty() {
            let text = unusable(&source);
            return Health::Degraded { reason: "identity.bundle_rejected", text };
        }
        Health::Good
    }
}

fn is_late(snapshot: &Snapshot, now: Timestamp) -> bool {
    let micros =
        |from: Timestamp, to: Timestamp| to.unix_micros().saturating_sub(from.unix_micros());
    let life = micros(snapshot.svid.not_before, snapshot.svid.not_after);
    micros(now, snapshot.svid.not_after) < life / LATE_PART
}

fn late(snapshot: &Snapshot, source: &SourceStatus, now: Timestamp) -> String {
    let not_after = snapshot.svid.not_after;
    let left = not_after.unix_seconds().saturating_sub(now.unix_seconds());
    let mut text = format!(
        "our SVID ends in {left} s, at {not_after}, and no newer one came since {}",
        snapshot.received
    );
    if let Some(trouble) = &source.trouble {
        text.push_str(": ");
        text.push_str(&trouble.text);
    }
    text
}

fn unusable(source: &SourceStatus) -> String {
    let named: Vec<String> = source
        .unusable
        .iter()
        .take(MAX_NAMED)
        .map(|bundle| format!("`{}` ({})", bundle.name, bundle.text))
        .collect();
    let count = source.unusable.len();
    format!("{count} foreign bundles are not used, nobody of them is trusted: {}", named.join(", "))
}

impl Health {
    /// The stable code; empty where there is nothing to say.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Good => "",
            Self::Degraded { reason, .. } => reason,
            Self::Unavailable(unavailable) => unavailable.reason(),
        }
    }
}
