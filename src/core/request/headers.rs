//! What is removed from a head before anyone looks at it: hop-by-hop headers and everything by which
//! a caller could claim an identity or a decision.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, EXPECT, HOST, HeaderName, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue};

use super::head::{Protocol, Refusal};

/// On every response and every upstream request; a caller's own is removed.
pub const DECISION_ID_HEADER: HeaderName = HeaderName::from_static("x-portreeve-decision-id");

/// What is removed wherever it comes from. The first [`HOP_BY_HOP`] are hop-by-hop (RFC 9110 §7.6.1),
/// whether `Connection` lists them or not; `expect` is met by us, after the decision. The others are
/// identity and forwarding headers that only a sidecar may set (invariant 5). A static, so that no
/// look-up builds the list first.
static REMOVED: [HeaderName; 15] = [
    CONNECTION,
    UPGRADE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authorization"),
    DECISION_ID_HEADER,
    HeaderName::from_static("x-forwarded-client-cert"),
    HeaderName::from_static("x-spiffe-id"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];
const HOP_BY_HOP: usize = 10;

/// Two of these would be read differently by two servers.
static SINGLETONS: [HeaderName; 4] = [HOST, AUTHORIZATION, CONTENT_TYPE, CONTENT_LENGTH];

/// Whether only we may set a header: framing, hop-by-hop, identity and decision.
#[must_use]
pub fn is_reserved(name: &HeaderName) -> bool {
    REMOVED.contains(name) || [HOST, CONTENT_LENGTH].contains(name)
}

/// Removes hop-by-hop and identity headers; returns the protocol of an `Upgrade`.
pub(super) fn strip(
    headers: &mut HeaderMap,
    protocol: Protocol,
) -> Result<Option<Box<str>>, Refusal> {
    let present = survey(headers)?;
    if present == 0 {
        return Ok(None);
    }
    check_transfer_encoding(headers)?;
    let upgrade = upgrade(headers, protocol)?;
    let named = named_by_connection(headers)?;
    // `te: trailers` is the one value that says something to the next hop too (gRPC needs it).
    let wants_trailers = headers.get(TE).is_some_and(|te| te.as_bytes() == b"trailers");
    for (index, name) in REMOVED.iter().enumerate() {
        if present & (1 << index) != 0 {
            headers.remove(name);
        }
    }
    for name in named {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    Ok(upgrade)
}

/// One pass over all headers: refuses what has two readings, and says which of [`REMOVED`] are there
/// as bits, so that an ordinary head costs no look-up at all.
fn survey(headers: &HeaderMap) -> Result<u32, Refusal> {
    let mut present = 0;
    let mut singletons = 0;
    for (name, value) in headers {
        let bytes = value.as_bytes();
        // `x_spiffe_id` is `x-spiffe-id` to a CGI-like server. A space at an end, which HTTP/2 can carry,
        // is there for policy and gone for an HTTP/1.1 upstream.
        let is_legal = !name.as_str().as_bytes().contains(&b'_')
            && is_printable(bytes)
            && bytes.trim_ascii().len() == bytes.len();
        if !is_legal {
            return Err(Refusal::HeaderByte);
        }
        if let Some(index) = REMOVED.iter().position(|removed| removed == name) {
            present |= 1 << index;
        } else if let Some(index) = SINGLETONS.iter().position(|singleton| singleton == name) {
            if singletons & (1 << index) != 0 {
                return Err(Refusal::DuplicateHeader);
            }
            singletons |= 1 << index;
        }
    }
    Ok(present)
}

/// Tabs and printable ASCII alone. Every byte is looked at: without an early end many go at once.
fn is_printable(value: &[u8]) -> bool {
    value.iter().fold(true, |is_legal, b| is_legal & matches!(b, b'\t' | 0x20..=0x7e))
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
            let is_hop_by_hop = REMOVED.iter().take(HOP_BY_HOP).any(|hop| *hop == name);
            let is_protected = SINGLETONS.contains(&name) || name == COOKIE;
            match (is_hop_by_hop, is_protected || REMOVED.contains(&name)) {
                (true, _) => {}
                (false, true) => return Err(Refusal::ConnectionHeader),
                (false, false) => named.push(name),
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
        let upgrade = strip(&mut headers, Protocol::Http1)?;
        let left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        Ok(format!("{} {:?}", left.join(","), upgrade.as_deref()))
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
