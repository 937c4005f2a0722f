//! Writing the lines of the records that are not decisions.

use super::fragment::InstanceFragment;
use super::{ClaimedIdentity, DecisionId, End, Event, Gap, Line, Refused, Scratch, json};
use crate::Timestamp;
use crate::policy::Revision;

const MAX_WORD_BYTES: usize = 160;
const MAX_TEXT_BYTES: usize = 1_024;
const MAX_ID_BYTES: usize = 2_048;
/// Lists are samples; their counts stand beside them.
const MAX_LIST: usize = 16;
const MAX_ITEM_BYTES: usize = 512;

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
