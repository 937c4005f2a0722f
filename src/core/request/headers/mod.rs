//! What is removed from a head before anyone looks at it: hop-by-hop headers and everything by which
//! a caller could claim an identity or a decision; and what may not stand in a head at all.

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::names::{CONNECTION_BIT, KNOWN, Rule, rule_of};
use super::protocol::Protocol;
use super::refusal::Refusal;
use super::survey::survey;

/// On every response and every upstream request; a caller's own is removed.
pub const DECISION_ID_HEADER: HeaderName = HeaderName::from_static("x-portreeve-decision-id");

/// Whether only we may set a header: framing, hop-by-hop, identity and decision.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    let rule = rule_of(name.as_str());
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
    // Of most HTTP/1.1 heads nothing but `Connection: keep-alive` is to be removed.
    if found.known & !CONNECTION_BIT == 0 && !found.has_tokens && !found.has_family {
        if found.known != 0 {
            headers.remove(CONNECTION);
        }
        return Ok(stripped);
    }
    let named = if found.has_tokens { named_by_connection(headers)? } else { Vec::new() };
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
    let fits = |name: &&HeaderName| rule_of(name.as_str()) == Some(rule);
    let gone: Vec<_> = headers.keys().filter(fits).cloned().collect();
    for name in gone {
        headers.remove(name);
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
                Some(Rule::HopByHop) => {}
                Some(_) => return Err(Refusal::ConnectionHeader),
                None => named.push(name),
            }
        }
    }
    Ok(named)
}

#[cfg(test)]
mod tests;
