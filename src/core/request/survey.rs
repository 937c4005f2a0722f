//! One pass over all headers of a head.
//!
//! A head enters; what is to be done to it leaves, so that an ordinary head costs no look-up in the
//! map. What has two readings, whatever the route keeps, is refused.

use http::HeaderMap;

use super::ends::{Ends, has_underscore, is_ascii};
use super::names::{self, CONNECTION_BIT, Rule};
use super::protocol::Protocol;
use super::refusal::Refusal;

pub(super) struct Found {
    /// The names of [`names::KNOWN`] that are to be removed, as bits.
    pub(super) known: u64,
    /// `Connection` may name further headers.
    pub(super) has_tokens: bool,
    /// A name that is to be removed with its family.
    pub(super) has_family: bool,
    pub(super) has_claims: bool,
    pub(super) has_underscores: bool,
    /// More than one cookie header.
    pub(super) has_crumbs: bool,
}

const REMOVED: u64 = names::bits(Rule::HopByHop) | names::bits(Rule::Ours);
const CLAIMS: u64 = names::bits(Rule::Claim);
const ONCE: u64 = names::bits(Rule::Once);
const COOKIE: u64 = names::bits(Rule::Cookie);

/// Not inlined, so that the loop has the registers for itself.
#[inline(never)]
pub(super) fn survey(headers: &HeaderMap, protocol: Protocol) -> Result<Found, Refusal> {
    let (mut seen, mut twice) = (0_u64, 0_u64);
    let (mut has_tokens, mut has_underscores) = (false, false);
    let (mut has_family, mut has_claims) = (false, false);
    for (name, value) in headers {
        let (name, value) = (name.as_str(), value.as_bytes());
        if !is_plain(value) {
            return Err(Refusal::HeaderByte);
        }
        let ends = Ends::of(name.as_bytes());
        if let Some(index) = names::place_of(name, ends) {
            let bit = 1 << index;
            twice |= seen & bit;
            seen |= bit;
            has_tokens |= bit == CONNECTION_BIT && !matches!(value, b"keep-alive" | b"close");
            continue;
        }
        has_underscores |= has_underscore(name.as_bytes(), ends);
        match names::family_of(name, ends) {
            Some(Rule::Claim) => has_claims = true,
            Some(_) => has_family = true,
            None => {}
        }
    }
    // HTTP/1.1 has one cookie header or none (RFC 6265 §5.4).
    let once = if protocol == Protocol::Http1 { ONCE | COOKIE } else { ONCE };
    if twice & once != 0 {
        return Err(Refusal::DuplicateHeader);
    }
    let has_claims = has_claims || seen & CLAIMS != 0;
    let (known, has_crumbs) = (seen & REMOVED, twice & COOKIE != 0);
    Ok(Found { known, has_tokens, has_family, has_claims, has_underscores, has_crumbs })
}

/// Whether a value is ASCII without space at an end, which HTTP/2 can carry: it is there for policy
/// and gone for an HTTP/1.1 upstream. Tabs are the only control that the type leaves in a value.
#[inline]
fn is_plain(value: &[u8]) -> bool {
    let (Some(first), Some(last)) = (value.first(), value.last()) else { return true };
    *first > b' ' && *last > b' ' && is_ascii(value)
}
