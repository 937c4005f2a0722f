//! What is removed from a head before anyone looks at it: hop-by-hop headers and everything by which
//! a caller could claim an identity or a decision; and what may not stand in a head at all.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::head::Protocol;
use super::names::{KNOWN, Rule, rule_of};
use super::refusal::Refusal;

/// On every response and every upstream request; a caller's own is removed.
pub const DECISION_ID_HEADER: HeaderName = HeaderName::from_static("x-portreeve-decision-id");

/// Whether only we may set a header: framing, hop-by-hop, identity and decision.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let rule = rule_of(name.as_str()).map(|(rule, _)| rule);
    matches!(rule, Some(Rule::HopByHop | Rule::Ours)) || [HOST, CONTENT_LENGTH].contains(name)
}

/// What [`strip`] found and left for the route to judge.
#[derive(Debug, Default)]
pub(super) struct Stripped {
    /// The protocol of an `Upgrade`.
    pub(super) upgrade: Option<Box<str>>,
    pub(super) has_underscores: bool,
    pub(super) has_claims: bool,
}

/// Removes hop-by-hop and identity headers, and joins the pieces of an HTTP/2 cookie.
pub(super) fn strip(headers: &mut HeaderMap, protocol: Protocol) -> Result<Stripped, Refusal> {
    let found = survey(headers, protocol)?;
    let mut stripped = Stripped { has_claims: found.has_claims, ..Stripped::default() };
    if found.has_underscores {
        check_underscores(headers)?;
        stripped.has_underscores = true;
    }
    if found.has_crumbs {
        join_cookies(headers);
    }
    let named = match found.known {
        0 if !found.has_family => return Ok(stripped),
        _ if found.has_tokens => named_by_connection(headers)?,
        // Of most HTTP/1.1 heads nothing but `Connection: keep-alive` is to be removed.
        _ => Vec::new(),
    };
    let mut left = found.known & !CONNECTION_BIT;
    let mut wants_trailers = false;
    if left != 0 {
        check_transfer_encoding(headers)?;
        stripped.upgrade = upgrade(headers, protocol)?;
        // `te: trailers` is the one value that says something to the next hop too (gRPC needs it).
        wants_trailers = headers.get(TE).is_some_and(|te| te.as_bytes() == b"trailers");
    }
    if found.known & CONNECTION_BIT != 0 {
        headers.remove(CONNECTION);
    }
    while left != 0 {
        if let Some((name, _)) = KNOWN.get(left.trailing_zeros() as usize) {
            headers.remove(*name);
        }
        left &= left - 1;
    }
    if found.has_family {
        remove_all(headers, Rule::Ours);
    }
    for name in named {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(stripped)
}

/// Removes what says from whom or for whom a proxy before the caller took the request.
pub(super) fn remove_claims(headers: &mut HeaderMap) {
    remove_all(headers, Rule::Claim);
}

fn remove_all(headers: &mut HeaderMap, rule: Rule) {
    let fits = |name: &&HeaderName| rule_of(name.as_str()).is_some_and(|(found, _)| found == rule);
    let gone: Vec<_> = headers.keys().filter(fits).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// The bit of `connection`, the first of [`KNOWN`].
const CONNECTION_BIT: u64 = 1;

/// What one pass over all headers finds, so that an ordinary head costs no look-up in the map.
#[derive(Default)]
struct Found {
    /// The names of [`KNOWN`] that are to be removed, as bits.
    known: u64,
    /// `Connection` may name further headers.
    has_tokens: bool,
    /// A name that is to be removed with its family.
    has_family: bool,
    has_claims: bool,
    has_underscores: bool,
    /// More than one cookie header.
    has_crumbs: bool,
}

const _: () = assert!(KNOWN.len() <= 64, "the names do not fit the bits");

/// Refuses what has two readings, whatever the route keeps.
fn survey(headers: &HeaderMap, protocol: Protocol) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut once: u64 = 0;
    for (name, value) in headers {
        let value = value.as_bytes();
        // A space at an end, which HTTP/2 can carry, is there for policy and gone for an HTTP/1.1
        // upstream. Tabs are the only control that the type leaves in a value.
        let has_space =
            matches!((value.first(), value.last()), (Some(..=b' '), _) | (_, Some(..=b' ')));
        if has_space || !is_ascii(value) {
            return Err(Refusal::HeaderByte);
        }
        let name = name.as_str();
        found.has_underscores |= has_underscore(name.as_bytes());
        let Some((rule, index)) = rule_of(name) else { continue };
        let bit = index.map_or(0, |index| 1 << index);
        match rule {
            Rule::HopByHop | Rule::Ours if bit == 0 => found.has_family = true,
            Rule::HopByHop | Rule::Ours => {
                found.known |= bit;
                let is_plain = matches!(value, b"keep-alive" | b"close");
                found.has_tokens |= bit == CONNECTION_BIT && !is_plain;
            }
            Rule::Claim => found.has_claims = true,
            Rule::Once if once & bit != 0 => return Err(Refusal::DuplicateHeader),
            // HTTP/1.1 has one cookie header or none (RFC 6265 §5.4).
            Rule::Cookie if once & bit != 0 => match protocol {
                Protocol::Http1 => return Err(Refusal::DuplicateHeader),
                Protocol::Http2 => found.has_crumbs = true,
            },
            Rule::Once | Rule::Cookie => once |= bit,
        }
    }
    Ok(found)
}

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
const UNDERSCORES: u64 = u64::from_le_bytes([b'_'; 8]);

/// Eight bytes at a time, the last of them once more where they do not come out even.
#[inline]
fn has_underscore(name: &[u8]) -> bool {
    let holds = |word: &[u8; 8]| {
        let other = u64::from_le_bytes(*word) ^ UNDERSCORES;
        // A zero byte borrows from above; names are ASCII, so nothing else sets these bits.
        other.wrapping_sub(ONES) & !other & HIGH
    };
    let words = name.as_chunks::<8>().0.iter().fold(0, |seen, word| seen | holds(word));
    match name.last_chunk::<8>() {
        Some(last) => words | holds(last) != 0,
        None => name.contains(&b'_'),
    }
}

/// The same for bytes above ASCII; the library's own takes the rest byte by byte.
#[inline]
fn is_ascii(value: &[u8]) -> bool {
    let words = value.as_chunks::<8>().0.iter();
    let words = words.fold(0, |seen, word| seen | u64::from_le_bytes(*word));
    match value.last_chunk::<8>() {
        Some(last) => (words | u64::from_le_bytes(*last)) & HIGH == 0,
        None => value.iter().fold(0, |seen, b| seen | b) < 0x80,
    }
}

/// `x_spiffe_id` is `x-spiffe-id` to a CGI-like server: a name with `_` may not be, with `-` instead,
/// one that has a rule or that is there too.
fn check_underscores(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut folded = Vec::with_capacity(headers.keys_len());
    for name in headers.keys().map(HeaderName::as_str) {
        let with_dashes = name.replace('_', "-");
        if with_dashes != name && rule_of(&with_dashes).is_some() {
            return Err(Refusal::HeaderByte);
        }
        folded.push(with_dashes);
    }
    folded.sort_unstable();
    let is_twice = folded.windows(2).any(|pair| matches!(pair, [a, b] if a == b));
    if is_twice { Err(Refusal::HeaderByte) } else { Ok(()) }
}

/// One header, as an HTTP/1.1 server must get it; policy sees the same.
fn join_cookies(headers: &mut HeaderMap) {
    let Entry::Occupied(mut entry) = headers.entry(COOKIE) else { return };
    let mut whole = Vec::new();
    // An empty one says nothing, and a space at the end would be left of it.
    for crumb in entry.iter().filter(|crumb| !crumb.is_empty()) {
        if !whole.is_empty() {
            whole.extend_from_slice(b"; ");
        }
        whole.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(whole) = HeaderValue::try_from(whole) {
        entry.insert(whole);
    }
}

/// `chunked`, once and alone, is the coding that is undone here; another one beside it would reach
/// the upstream applied and unnamed.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_plain = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if is_plain { Ok(()) } else { Err(Refusal::HeaderByte) }
}

fn upgrade(headers: &HeaderMap, protocol: Protocol) -> Result<Option<Box<str>>, Refusal> {
    let mut values = headers.get_all(UPGRADE).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let asks = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    let is_websocket =
        values.next().is_none() && value.as_bytes().eq_ignore_ascii_case(b"websocket");
    match (protocol, asks, is_websocket) {
        (Protocol::Http1, true, true) => Ok(Some("websocket".into())),
        // Without `Connection: upgrade` it is a hop-by-hop header like any other.
        (_, false, _) => Ok(None),
        _ => Err(Refusal::Upgrade),
    }
}

/// The further headers that `Connection` names; it may not name what was decided on.
fn named_by_connection(headers: &HeaderMap) -> Result<Vec<HeaderName>, Refusal> {
    let mut named = Vec::new();
    for value in headers.get_all(CONNECTION) {
        let value = value.to_str().map_err(|_| Refusal::HeaderByte)?;
        for token in value.split(',').map(str::trim).filter(|token| !token.is_empty()) {
            let name = HeaderName::try_from(token).map_err(|_| Refusal::HeaderByte)?;
            match rule_of(name.as_str()) {
                Some((Rule::HopByHop, _)) => {}
                Some(_) => return Err(Refusal::ConnectionHeader),
                None => named.push(name),
            }
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(lines: &[(&'static str, &'static str)]) -> Result<String, Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        let stripped = strip(&mut headers, Protocol::Http1)?;
        if stripped.has_underscores {
            return Err(Refusal::HeaderByte);
        }
        remove_claims(&mut headers);
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        Ok(format!("{} {:?}", left.join(","), stripped.upgrade.as_deref()))
    }

    #[track_caller]
    fn check(lines: &[(&'static str, &'static str)], expected: Result<&str, Refusal>) {
        assert_eq!(stripped(lines), expected.map(str::to_owned));
    }

    #[test]
    fn identity_headers_of_the_caller_are_removed() {
        check(&[("x-spiffe-id", "spiffe://td/admin"), ("accept", "*/*")], Ok("accept None"));
        check(
            &[("x-forwarded-client-cert", "By=x"), ("x-portreeve-decision-id", "1")],
            Ok(" None"),
        );
        check(&[("x_spiffe_id", "spiffe://td/admin")], Err(Refusal::HeaderByte));
    }

    #[test]
    fn hop_by_hop_headers_are_removed_before_policy_looks() {
        check(&[("connection", "close, x-a"), ("x-a", "1"), ("x-b", "2")], Ok("x-b None"));
        check(&[("te", "trailers")], Ok("te None"));
        check(&[("te", "gzip")], Ok(" None"));
        check(&[("keep-alive", "timeout=5"), ("trailer", "x")], Ok(" None"));
    }

    #[test]
    fn only_chunked_is_undone() {
        check(&[("transfer-encoding", "Chunked")], Ok(" None"));
        check(&[("transfer-encoding", "gzip, chunked")], Err(Refusal::HeaderByte));
        let two = [("transfer-encoding", "identity"), ("transfer-encoding", "chunked")];
        check(&two, Err(Refusal::HeaderByte));
    }

    #[test]
    fn connection_may_not_name_what_was_decided_on() {
        check(&[("connection", "authorization")], Err(Refusal::ConnectionHeader));
        check(&[("connection", "close, x-spiffe-id")], Err(Refusal::ConnectionHeader));
    }

    #[test]
    fn only_a_websocket_upgrade_is_known() {
        let websocket = [("connection", "Upgrade"), ("upgrade", "WebSocket")];
        check(&websocket, Ok(" Some(\"websocket\")"));
        check(&[("connection", "upgrade"), ("upgrade", "h2c")], Err(Refusal::Upgrade));
        check(&[("upgrade", "websocket")], Ok(" None"));
        let two = [("connection", "upgrade"), ("upgrade", "websocket"), ("upgrade", "h2c")];
        check(&two, Err(Refusal::Upgrade));
    }

    #[test]
    fn a_singleton_stands_once() {
        check(&[("authorization", "a"), ("authorization", "b")], Err(Refusal::DuplicateHeader));
        check(&[("x-a", "a"), ("x-a", "b")], Ok("x-a None"));
        check(&[("x-a", "caf\u{e9}")], Err(Refusal::HeaderByte));
    }

    #[test]
    fn a_value_with_space_at_an_end_is_refused() {
        check(&[("x-role", "admin")], Ok("x-role None"));
        check(&[("x-role", "")], Ok("x-role None"));
        for value in ["admin ", " admin", "admin\t", " "] {
            check(&[("x-role", value)], Err(Refusal::HeaderByte));
        }
    }
}
