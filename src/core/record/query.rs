//! The query as the input document has it, keys to lists of values, with every value masked.

use super::json;
use super::mask::Pointers;
use crate::masking::MASK;
use crate::request::Head;

/// Grouping compares each key with those before it.
const MAX_PAIRS: usize = 48;
const MAX_KEY_BYTES: usize = 160;
/// A longer key without a value is more likely a token than a flag.
const MAX_FLAG_BYTES: usize = 24;
const POINTER: &str = "/request/query";

/// Appends the object. No string is made unless something is percent-encoded.
pub(super) fn write(out: &mut Vec<u8>, masked: &mut Pointers, head: &Head) {
    out.push(b'{');
    if let Some(query) = head.query().filter(|query| !query.is_empty()) {
        masked.add(POINTER);
        if query.contains(['%', '+']) {
            let decoded: Vec<_> = head.query_pairs().take(MAX_PAIRS).collect();
            members(out, decoded.iter().map(|(key, value)| shown(key, value)));
        } else {
            let pairs = query.split('&').filter(|pair| !pair.is_empty());
            let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
            members(out, pairs.take(MAX_PAIRS).map(|(key, value)| shown(key, value)));
        }
    }
    out.push(b'}');
}

fn shown<'a>(key: &'a str, value: &str) -> &'a str {
    if value.is_empty() && key.len() > MAX_FLAG_BYTES { MASK } else { key }
}

fn members<'a>(out: &mut Vec<u8>, keys: impl Iterator<Item = &'a str> + Clone) {
    let mut is_first = true;
    for (at, key) in keys.clone().enumerate() {
        if keys.clone().take(at).any(|earlier| earlier == key) {
            continue;
        }
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        json::string(out, key.as_bytes(), MAX_KEY_BYTES);
        out.extend_from_slice(b":[\"***\"");
        for _ in keys.clone().skip(at + 1).filter(|later| *later == key) {
            out.extend_from_slice(b",\"***\"");
        }
        out.push(b']');
    }
}
