//! What never became a decision, counted per source prefix and reason, one record about a second.
//!
//! Garbage handshakes cost their sender nothing, so the table, its texts and the records made of it
//! are bounded; beyond the bounds everything is still counted, in one `other` record.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portreeve_core::Timestamp;
use portreeve_core::record::{ClaimedIdentity, DecisionId, Refused};

/// Distinct (prefix, stage, reason) between two flushes.
const MAX_BUCKETS: usize = 256;
/// Records that may be made at once, and how many more each second: a flood over hours costs about
/// 10 kB a second of disk.
const MAX_CREDIT: usize = 256;
const CREDIT_PER_FLUSH: usize = 16;
const MAX_CLAIMED: usize = 8;
const MAX_IDS: usize = 8;
const MAX_TEXT_CHARS: usize = 256;
const OTHER: &str = "other";

/// One connection or head that was refused before there was a decision.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// `tls`, `http`, …
    pub stage: &'static str,
    pub reason: &'static str,
    pub source: IpAddr,
    /// Who the peer says it is.
    pub claimed: Option<ClaimedIdentity>,
    /// The id that the response carried.
    pub id: Option<DecisionId>,
    /// Never a secret: it stands in the record as it is.
    pub detail: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Refusals {
    buckets: HashMap<Key, Refused>,
    other: Option<Refused>,
    credit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    prefix: Prefix,
    stage: &'static str,
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 3]),
    V6([u16; 3]),
}

impl Refusals {
    pub(super) fn new() -> Self {
        Self { credit: MAX_CREDIT, ..Self::default() }
    }

    pub(super) fn count(&mut self, refusal: Refusal, now: Timestamp) {
        let prefix = Prefix::of(refusal.source);
        let key = Key { prefix, stage: refusal.stage, reason: refusal.reason };
        let has_room = self.buckets.len() < MAX_BUCKETS || self.buckets.contains_key(&key);
        let bucket = if has_room {
            let empty = || Refused::empty(key.stage, key.reason, prefix.text(), now);
            self.buckets.entry(key).or_insert_with(empty)
        } else {
            self.other.get_or_insert_with(|| Refused::empty(OTHER, OTHER, OTHER.to_owned(), now))
        };
        bucket.count += 1;
        bucket.last = bucket.last.max(now);
        let Refusal { claimed, id, detail, .. } = refusal;
        if let Some(claimed) = claimed
            && bucket.claimed.len() < MAX_CLAIMED
        {
            let claimed = ClaimedIdentity {
                spiffe_id: claimed.spiffe_id.map(bounded),
                serial: claimed.serial.map(bounded),
                sha256: claimed.sha256.map(bounded),
            };
            if !bucket.claimed.contains(&claimed) {
                bucket.claimed.push(claimed);
            }
        }
        if let Some(id) = id
            && bucket.ids.len() < MAX_IDS
        {
            bucket.ids.push(id);
        }
        if bucket.detail.is_none() {
            bucket.detail = detail.map(bounded);
        }
    }

    /// Takes what is to be recorded now, the most frequent first.
    pub(super) fn flush(&mut self) -> Vec<Refused> {
        let mut all: Vec<_> = std::mem::take(&mut self.buckets).into_values().collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.source.cmp(&b.source)));
        self.credit = (self.credit + CREDIT_PER_FLUSH).min(MAX_CREDIT);
        let surplus = all.split_off(all.len().min(self.credit));
        self.credit -= all.len();
        for refused in surplus {
            self.put_back(&refused);
        }
        all.extend(self.other.take());
        all
    }

    /// Counts again what could not be recorded.
    pub(super) fn put_back(&mut self, refused: &Refused) {
        let first = refused.first;
        let empty = || Refused::empty(OTHER, OTHER, OTHER.to_owned(), first);
        let other = self.other.get_or_insert_with(empty);
        other.count = other.count.saturating_add(refused.count);
        other.first = other.first.min(first);
        other.last = other.last.max(refused.last);
        let room = MAX_IDS.saturating_sub(other.ids.len());
        other.ids.extend(refused.ids.iter().take(room));
    }
}

impl Prefix {
    fn of(source: IpAddr) -> Self {
        match source.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(address) => {
                let [a, b, c, ..] = address.segments();
                Self::V6([a, b, c])
            }
        }
    }

    fn text(self) -> String {
        match self {
            Self::V4([a, b, c]) => format!("{}/24", Ipv4Addr::new(a, b, c, 0)),
            Self::V6([a, b, c]) => format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)),
        }
    }
}

fn bounded(text: String) -> String {
    if text.len() <= MAX_TEXT_CHARS { text } else { text.chars().take(MAX_TEXT_CHARS).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(source: &str, reason: &'static str) -> Refusal {
        let long = Some("x".repeat(10_000));
        let claimed =
            ClaimedIdentity { spiffe_id: long.clone(), serial: long.clone(), sha256: long };
        let (claimed, detail) = (Some(claimed), Some("y".repeat(10_000)));
        let source = source.parse().unwrap();
        Refusal { stage: "tls", reason, source, claimed, id: None, detail }
    }

    #[test]
    fn one_source_and_reason_is_one_record() {
        let mut refusals = Refusals::new();
        let at = Timestamp::from_unix_seconds;
        refusals.count(refusal("10.0.0.1", "a"), at(1));
        refusals.count(refusal("10.0.0.255", "a"), at(2));
        refusals.count(refusal("::ffff:10.0.0.7", "a"), at(3));
        refusals.count(refusal("10.0.1.1", "a"), at(4));
        refusals.count(refusal("2001:db8:1:2::1", "a"), at(5));
        refusals.count(refusal("10.0.0.1", "b"), at(6));
        let lines: Vec<_> = refusals.flush().into_iter().map(|r| (r.source, r.count)).collect();
        let expected = [("10.0.0.0/24", 3), ("10.0.0.0/24", 1), ("10.0.1.0/24", 1)];
        let expected = expected.into_iter().chain([("2001:db8:1::/48", 1)]);
        assert_eq!(lines, expected.map(|(s, n)| (s.to_owned(), n)).collect::<Vec<_>>());
        assert!(refusals.flush().is_empty());
    }

    #[test]
    fn a_flood_is_bounded_and_counted_whole() {
        let mut refusals = Refusals::new();
        let (mut records, mut counted) = (0, 0);
        for round in 0..20_u32 {
            for n in 0..5_000_u32 {
                let source = IpAddr::from(Ipv4Addr::from((round * 5_000 + n) << 8));
                let refusal = Refusal { source, ..refusal("::", "a") };
                refusals.count(refusal, Timestamp::from_unix_seconds(round.into()));
            }
            assert!(refusals.buckets.len() <= MAX_BUCKETS);
            for refused in refusals.flush() {
                assert!(refused.claimed.len() <= MAX_CLAIMED);
                for claimed in &refused.claimed {
                    let texts = [&claimed.spiffe_id, &claimed.serial, &claimed.sha256];
                    assert!(
                        texts.iter().all(|text| text.as_ref().unwrap().len() <= MAX_TEXT_CHARS)
                    );
                }
                records += 1;
                counted += refused.count;
            }
        }
        assert_eq!(counted, 100_000);
        assert!(records <= MAX_CREDIT + 20 * (CREDIT_PER_FLUSH + 1), "{records}");
    }
}
