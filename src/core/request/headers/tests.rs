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
    check(&[("x-forwarded-client-cert", "By=x"), ("x-portreeve-decision-id", "1")], Ok(" None"));
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
