//! The header names that the canonical head treats by a rule of their own.
//!
//! A name enters and its [`Rule`] leaves. Every header of every request is looked up, so the table is
//! hashed when it is compiled: an ordinary name costs one slot and at most one comparison.

/// What becomes of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// About one connection (RFC 9110 §7.6.1), whether `Connection` lists it or not; removed. `expect`
    /// is met by us, after the decision.
    HopByHop,
    /// Tells a server who the caller is, what was decided, or to take another method, path or host for
    /// the real one; removed, because only a sidecar may say so (invariant 5).
    Ours,
    /// Says from whom or for whom a proxy before the caller took the request; removed, unless the
    /// route keeps it for callers that are trusted gateways.
    Claim,
    /// Two of them would be read differently by two servers.
    Once,
    /// HTTP/2 sends it in pieces that belong together (RFC 9113 §8.2.3).
    Cookie,
}

use super::ends::Ends;
use Rule::{Claim, Cookie, HopByHop, Once, Ours};

pub(super) static KNOWN: [(&str, Rule); 62] = [
    ("connection", HopByHop),
    ("upgrade", HopByHop),
    ("te", HopByHop),
    ("trailer", HopByHop),
    ("transfer-encoding", HopByHop),
    ("expect", HopByHop),
    ("keep-alive", HopByHop),
    ("http2-settings", HopByHop),
    ("proxy-connection", HopByHop),
    ("proxy-authenticate", HopByHop),
    ("proxy-authorization", HopByHop),
    ("x-spiffe-id", Ours),
    ("x-forwarded-client-cert", Ours),
    ("client-cert", Ours),
    ("client-cert-chain", Ours),
    ("x-client-cert", Ours),
    ("x-arr-clientcert", Ours),
    ("x-original-url", Ours),
    ("x-rewrite-url", Ours),
    ("x-original-uri", Ours),
    ("x-original-path", Ours),
    ("x-original-method", Ours),
    ("x-original-host", Ours),
    ("x-http-host-override", Ours),
    ("x-http-method-override", Ours),
    ("x-method-override", Ours),
    ("x-http-method", Ours),
    ("forwarded", Claim),
    ("x-forwarded", Claim),
    ("x-real-ip", Claim),
    ("true-client-ip", Claim),
    ("x-client-ip", Claim),
    ("client-ip", Claim),
    ("x-cluster-client-ip", Claim),
    ("cf-connecting-ip", Claim),
    ("cf-connecting-ipv6", Claim),
    ("fastly-client-ip", Claim),
    ("x-azure-clientip", Claim),
    ("x-original-forwarded-for", Claim),
    ("x-originating-ip", Claim),
    ("x-scheme", Claim),
    ("x-url-scheme", Claim),
    ("front-end-https", Claim),
    ("host", Once),
    ("content-length", Once),
    ("authorization", Once),
    ("content-type", Once),
    ("cookie", Cookie),
    ("content-range", Once),
    ("from", Once),
    ("if-modified-since", Once),
    ("if-unmodified-since", Once),
    ("if-range", Once),
    ("range", Once),
    ("max-forwards", Once),
    ("referer", Once),
    ("user-agent", Once),
    ("date", Once),
    ("origin", Once),
    ("sec-websocket-key", Once),
    ("dpop", Once),
    ("access-control-request-method", Once),
];

/// Families of names; a name of [`KNOWN`] comes before them.
static FAMILIES: [(&str, Rule); 8] = [
    ("x-portreeve-", Ours),
    ("x-envoy-", Ours),
    ("x-amzn-mtls-", Ours),
    ("x-ssl-client-", Ours),
    ("ssl-client-", Ours),
    ("l5d-", Ours),
    ("x-forwarded-", Claim),
    ("x-remote-", Claim),
];

const SLOTS: usize = 1 << 9;
/// Found by trial: no two names share a slot. A further name may need another one, and then the
/// constant below does not compile.
const SEED: u64 = 0x612e_7696_a6ce_cc1b;
const EMPTY: u8 = u8::MAX;
static TABLE: [u8; SLOTS] = table();

/// The rule of a name in lower case.
pub(super) fn rule_of(name: &str) -> Option<Rule> {
    let ends = Ends::of(name.as_bytes());
    match place_of(name, ends).and_then(|place| KNOWN.get(place)) {
        Some((_, rule)) => Some(*rule),
        None => family_of(name, ends),
    }
}

/// Where a name stands in [`KNOWN`].
#[inline]
pub(super) fn place_of(name: &str, ends: Ends) -> Option<usize> {
    let place = usize::from(*TABLE.get(slot(ends))?);
    let (known, _) = KNOWN.get(place)?;
    (*known == name).then_some(place)
}

/// The rule of the family that a name belongs to.
#[inline]
pub(super) fn family_of(name: &str, ends: Ends) -> Option<Rule> {
    let begin = ends.first.to_le_bytes();
    if !matches!(begin, [b'x', b'-', ..] | [b's', b's', ..] | [b'l', b'5', ..]) {
        return None;
    }
    let family = FAMILIES.iter().find(|(prefix, _)| name.starts_with(prefix));
    family.map(|(_, rule)| *rule)
}

/// The places of all names with a rule, as bits.
#[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
pub(super) const fn bits(rule: Rule) -> u64 {
    let (mut bits, mut place) = (0, 0);
    while place < KNOWN.len() {
        if KNOWN[place].1 as u8 == rule as u8 {
            bits |= 1 << place;
        }
        place += 1;
    }
    bits
}

/// The bit of `connection`, the first of [`KNOWN`].
pub(super) const CONNECTION_BIT: u64 = 1;

const fn slot(ends: Ends) -> usize {
    let key = ends.first ^ ends.last.rotate_left(29);
    (key.wrapping_mul(SEED) >> 55) as usize
}

#[expect(clippy::indexing_slicing, reason = "runs when it is compiled")]
#[expect(clippy::cast_possible_truncation, reason = "there are fewer than 255 names")]
const fn table() -> [u8; SLOTS] {
    let mut table = [EMPTY; SLOTS];
    let mut index = 0;
    while index < KNOWN.len() {
        let place = slot(Ends::of(KNOWN[index].0.as_bytes()));
        assert!(table[place] == EMPTY, "two names share a slot");
        table[place] = index as u8;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<Rule>) {
        assert_eq!(rule_of(name), expected, "{name}");
    }

    #[test]
    fn every_known_name_is_found_and_its_neighbours_are_not() {
        assert_eq!(KNOWN[0].0, "connection");
        for (index, (name, rule)) in KNOWN.iter().enumerate() {
            assert_eq!(place_of(name, Ends::of(name.as_bytes())), Some(index), "{name}");
            check(name, Some(*rule));
            assert_eq!(*name, name.to_ascii_lowercase());
            check(&format!("q{name}"), None);
        }
        for (prefix, rule) in FAMILIES {
            check(&format!("{prefix}anything"), Some(rule));
        }
    }

    #[test]
    fn a_known_name_comes_before_its_family() {
        check("x-forwarded-client-cert", Some(Ours));
        check("x-forwarded-for", Some(Claim));
    }

    #[test]
    fn ordinary_names_have_no_rule() {
        for name in ["accept", "x-request-id", "x-user", "x", "", "ssl", "x-forward", "x-envoyage"]
        {
            check(name, None);
        }
        check(&"x".repeat(70_000), None);
    }
}
