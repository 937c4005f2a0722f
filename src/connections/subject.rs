//! Whose connection it is, and the count of those that were cut.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use portreeve_core::Timestamp;
use portreeve_core::spiffe::SpiffeId;
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};

/// The shortest time before a peer's SVID ends in which its connection is asked to close.
const MIN_WINDOW: Duration = Duration::from_secs(2);
/// Of the SVID's lifetime, the part before its end in which its connection is asked to close.
const WINDOW_PART: i64 = 10;
/// So that peers whose SVIDs were issued together do not all come back together, each is asked up to
/// this part of its window earlier.
const JITTER_PART: i64 = 4;

/// The peer of a connection: its proven X.509-SVID, as it is verified again.
#[derive(Debug)]
pub struct Subject {
    pub id: SpiffeId,
    /// As it was presented, leaf first.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Of the whole chain: connections with the same one are verified once.
    pub(super) digest: [u8; 32],
    /// How long before the SVID's end its connection is asked to close; differs from peer to peer.
    pub(super) window: Duration,
    /// The end that the handshake found.
    pub(super) until: Timestamp,
}

/// How many connections were cut, by the SPIFFE ID of their peer and the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cuts(HashMap<(SpiffeId, &'static str), u64>);

impl Subject {
    /// A peer whose SVID is valid from `not_before` and whose path holds until `until`.
    #[must_use]
    pub fn new(
        id: SpiffeId,
        chain: Arc<[CertificateDer<'static>]>,
        not_before: Timestamp,
        until: Timestamp,
    ) -> Self {
        let mut hash = Sha256::new();
        for certificate in &*chain {
            hash.update(certificate);
        }
        let window = window(not_before, until, fastrand::i64);
        Self { id, digest: hash.finalize().into(), chain, window, until }
    }
}

/// Two seconds or a tenth of the lifetime, whichever is longer, and up to a quarter of that more.
pub(super) fn window(
    not_before: Timestamp,
    until: Timestamp,
    random: impl FnOnce(std::ops::RangeInclusive<i64>) -> i64,
) -> Duration {
    let lifetime = until.unix_micros().saturating_sub(not_before.unix_micros());
    let least = i64::try_from(MIN_WINDOW.as_micros()).unwrap_or(i64::MAX);
    let window = (lifetime / WINDOW_PART).max(least);
    let window = window.saturating_add(random(0..=window / JITTER_PART));
    Duration::from_micros(window.unsigned_abs())
}

impl Cuts {
    pub(super) fn count(&mut self, id: &SpiffeId, reason: &'static str) {
        let count = self.0.entry((id.clone(), reason)).or_default();
        *count = count.saturating_add(1);
    }

    /// How many connections in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// By ID, then by reason.
    #[must_use]
    pub fn sorted(&self) -> Vec<(&SpiffeId, &'static str, u64)> {
        let mut sorted: Vec<_> =
            self.0.iter().map(|((id, reason), count)| (id, *reason, *count)).collect();
        sorted.sort_by_key(|(id, reason, _)| (id.as_str(), *reason));
        sorted
    }
}
