//! Entry points of the fuzz targets: bytes enter, and a property that must hold for all of them is
//! asserted. `fuzz/run` searches for inputs; `cargo test` replays those under `tests/corpus/`.
#![expect(clippy::unreachable, reason = "a broken property is how a target fails")]

use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};
use serde_json::Value;

use crate::Timestamp;
use crate::policy::{
    Bundle, EvaluationError, Files, Ground, Outcome, PolicyRef, Reason, Revision, decide,
};
use crate::record::{
    ClaimedIdentity, Decided, DecisionId, Event, Instance, MAX_LINE_BYTES, Refused, Scratch,
    original_bytes,
};
use crate::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Draft, Enforcement, Head,
    JwtFacts, Protocol, Relaxed, Scheme, Source, TlsFacts, is_reserved,
};
use crate::spiffe::jwt::{self, DEFAULT_LEEWAY};
use crate::spiffe::{
    Claimed, Issuer, JwtAuthorities, JwtError, JwtSvid, Leaf, SpiffeId, TrustDomain,
};

/// What a serving thread has; policies are loaded on such a stack.
const STACK_BYTES: usize = 8 << 20;
/// Longer policies find nothing new, and slowly.
const MAX_POLICY_BYTES: usize = 4 << 10;

const MANIFEST: &[u8] = br#"{"metadata":{"portreeve":{"entrypoint":"data.authz"}}}"#;

/// An ID that parses is written as it was read.
pub fn fuzz_spiffe_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(id) = SpiffeId::parse(text) {
        assert_eq!(id.as_str(), text);
        assert!(id.segments().all(|segment| !matches!(segment, "" | "." | "..")));
        let rebuilt = format!("spiffe://{}{}", id.trust_domain().as_str(), id.path());
        assert_eq!(rebuilt, text);
    }
}

/// Any bytes are a certificate or are refused, and a leaf never is an issuer too.
pub fn fuzz_svid_leaf(data: &[u8]) {
    let leaf = Leaf::read(data);
    let claimed = Claimed::read(data);
    let issuer = Issuer::read(data);
    if let Ok(leaf) = leaf {
        assert_eq!(claimed.id.as_deref(), Some(leaf.id.as_str()));
        assert_eq!(claimed.sha256, leaf.facts.sha256);
        assert!(issuer.is_err(), "a leaf may sign certificates");
    }
}

/// A line with a key set, then a token: whatever they are, a token that holds says what its subject, audience
/// and expiry say, and a refusal's text is printable and silent about the signature. The rest of the input
/// is also read as claims that somebody signed, which no search finds by itself.
pub fn fuzz_jwt_svid(data: &[u8]) {
    let mut parts = data.splitn(2, |b| *b == b'\n');
    let (bundle, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let Ok(trust_domain) = TrustDomain::parse("prod.example") else { return };
    let authorities = JwtAuthorities::new([(trust_domain.clone(), bundle)]);
    for unusable in authorities.unusable() {
        check_shown(&unusable.to_string(), "\n");
    }
    let audience = [String::from("spiffe://prod.example/ns/shop/sa/orders")];
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    let held = jwt::unproven(rest, &audience, now);
    if let Ok(token) = std::str::from_utf8(rest) {
        let signature = token.rsplit_once('.').map_or("\n", |(_, signature)| signature);
        if let Some(claimed) = jwt::claimed(token) {
            check_shown(&claimed, "\n");
        }
        let verified = authorities.verify(token, &audience, now, DEFAULT_LEEWAY);
        match &verified {
            Ok(svid) => {
                assert_eq!(svid.id.trust_domain(), &trust_domain);
                assert_eq!(jwt::claimed(token).as_deref(), Some(svid.id.as_str()));
                assert_eq!(authorities.verify_signature(token, &trust_domain), Ok(()));
            }
            Err(error) => check_shown(&error.to_string(), signature),
        }
        check_claims(verified, &audience, now);
    }
    check_claims(held, &audience, now);
}

/// What holds is what the claims say, read by another reader of JSON.
fn check_claims(held: Result<JwtSvid, JwtError>, audience: &[String; 1], now: Timestamp) {
    let svid = match held {
        Ok(svid) => svid,
        Err(error) => return check_shown(&error.to_string(), "\n"),
    };
    let [ours] = audience;
    assert!(svid.not_after > Timestamp::from_unix_micros(now.unix_micros() - 5_000_000));
    assert_eq!(svid.claims.get("sub").and_then(Value::as_str), Some(svid.id.as_str()));
    assert!(!svid.id.path().is_empty());
    let is_ours = match svid.claims.get("aud") {
        Some(Value::String(one)) => one == ours,
        Some(Value::Array(all)) => all.iter().any(|one| one == ours),
        _ => false,
    };
    assert!(is_ours, "{:?}", svid.claims);
    assert!(svid.claims.get("exp").is_some_and(Value::is_number));
}

/// A text for people has no control character, and not the signature of a token (a short one may be
/// part of a word).
fn check_shown(text: &str, signature: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(signature.len() < 40 || !text.contains(signature), "{text:?}");
}

/// A canonical head is its own canonical form, whatever the route keeps; nothing that was to be removed
/// is in it, and policy is shown what is forwarded.
pub fn fuzz_canonical_head(data: &[u8]) {
    let strict = head_of(data);
    let relaxed = draft_of(data).and_then(|draft| draft.settle(Relaxed::ALL).ok());
    for (head, relaxed) in [(&strict, Relaxed::default()), (&relaxed, Relaxed::ALL)] {
        if let Some(head) = head {
            check_head(head, relaxed);
        }
    }
    if let Some(strict) = strict {
        let relaxed = relaxed.map(|head| head.target);
        assert_eq!(relaxed.as_ref().map(PathAndQuery::as_str), Some(strict.target.as_str()));
        let request = AccessRequest { head: strict, ..access_request(b"", "td") };
        let document = request.to_document();
        let shown = |pointer| document.pointer(pointer).and_then(Value::as_str);
        assert_eq!(shown("/request/path"), Some(request.head.path()));
        assert_eq!(shown("/request/host"), Some(request.head.host.as_str()));
        let headers = document.pointer("/request/headers").and_then(Value::as_object);
        assert_eq!(headers.map(serde_json::Map::len), Some(request.head.headers.keys_len()));
    }
}

fn check_head(head: &Head, relaxed: Relaxed) {
    assert!(head.path() == "*" || head.path().starts_with('/'));
    let inner = head.path().strip_suffix('/').unwrap_or(head.path());
    for segment in inner.split('/').skip(1) {
        let is_kept = segment.is_empty() && relaxed.empty_segments;
        assert!(is_kept || !matches!(segment, "" | "." | ".."), "`{}`", head.path());
    }
    assert!(!head.path().bytes().any(|b| b <= b' ' || b >= 0x7f || b == b'\\'));
    for name in head.headers.keys() {
        let is_kept = matches!(name.as_str(), "te" | "content-length");
        assert!(is_kept || !is_reserved(name), "`{name}` is left");
    }
    let again = Draft::read(parts_of(head), head.scheme).and_then(|again| again.settle(relaxed));
    let again = match again {
        Ok(again) => again,
        Err(refusal) => unreachable!("the canonical form is refused: {refusal}"),
    };
    assert_eq!((&again.method, &again.host), (&head.method, &head.host));
    assert_eq!(again.target.as_str(), head.target.as_str());
    assert_eq!((&again.headers, &again.upgrade), (&head.headers, &head.upgrade));
}

/// What is read as a bundle's bytes is written as the same bytes.
pub fn fuzz_bundle_files(data: &[u8]) {
    if let Ok(files) = Files::from_bytes(data) {
        assert_eq!(files.to_bytes(), data);
    }
}

/// A document that is accepted leaves in a form that comes back as itself.
pub fn fuzz_input_document(data: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(data) else { return };
    let _ = AccessRequest::described(&document);
    let Ok(request) = AccessRequest::from_document(&document) else { return };
    let written = request.to_document();
    match AccessRequest::from_document(&written) {
        Ok(again) => assert_eq!(again.to_document(), written),
        Err(error) => unreachable!("the written document is refused: {error}"),
    }
}

/// Whatever a request holds, its record is one line of JSON that is safe to show on a terminal.
pub fn fuzz_record_line(data: &[u8]) {
    let id = DecisionId::new(Timestamp::from_unix_seconds(1_800_000_000), [7; 10]);
    let instance = Instance {
        service: "orders".into(),
        host: "host".into(),
        pid: 7,
        boot_id: None,
        version: "0.1.0".into(),
    };
    let instance = instance.fragment();
    let text = String::from_utf8_lossy(data);
    let part = |index| text.split('\n').nth(index).unwrap_or_default();
    let policy = PolicyRef { id: part(0).into(), file: part(1).into(), line: 1 };
    let error = EvaluationError { policy: Some(policy.clone()), text: text.to_string() };
    let decided = Decided {
        outcome: Outcome::Error,
        ground: Some(Ground::Shadow { would: Outcome::Error }),
        reason: Reason::PolicyError,
        policies: &[policy],
        errors: &[error],
    };
    let revision =
        Revision { reference: part(0).into(), repository: part(1).into(), ..Revision::default() };
    let mut scratch = Scratch::default();
    let request = access_request(data, &text);
    let line = scratch.decision(&instance, &id, None, &request, decided, &revision);
    check_line(line.stamp(u64::MAX));
    let refused = Refused {
        stage: "http",
        reason: "request.malformed",
        source: text.to_string(),
        count: 1,
        first: request.time,
        last: request.time,
        claimed: text
            .split('\n')
            .map(|part| ClaimedIdentity {
                spiffe_id: Some(part.to_owned()),
                serial: part.get(1..).map(str::to_owned),
                sha256: None,
            })
            .collect(),
        ids: vec![id],
        detail: Some(text.to_string()),
    };
    check_line(scratch.refused(&instance, &id, &refused).stamp(0));
    let event = Event::ConfigRejected { cause: &text };
    check_line(scratch.event(&instance, &id, request.time, &event).stamp(1));
    let _ = original_bytes(&text);
}

/// No Cedar policy makes loading panic, and one that loads decides without a panic.
pub fn fuzz_cedar_load(data: &[u8]) {
    load_and_decide("p.cedar", None, data);
}

/// No Rego policy makes loading panic. A panic of the engine is caught and is a finding in the policy,
/// so the fuzzer's hook, which aborts at once, is taken away.
pub fn fuzz_rego_load(data: &[u8]) {
    #[cfg(fuzzing)]
    std::panic::set_hook(Box::new(|_| {}));
    load_and_decide("p.rego", Some(MANIFEST), data);
}

/// What each rule of the bundle below calls; the first byte of an input chooses one.
const CRYPTO_CALLS: [&str; 10] = [
    "io.jwt.decode(text)",
    "io.jwt.decode_verify(text, {\"secret\": \"secret\"})",
    "io.jwt.decode_verify(\"e30.e30.\", {\"cert\": text})",
    "io.jwt.verify_es256(\"e30.e30.\", text)",
    "io.jwt.encode_sign_raw(text, text, text)",
    "crypto.x509.parse_certificates(text)",
    "crypto.x509.parse_and_verify_certificates(text)",
    "crypto.x509.parse_certificate_request(text)",
    "crypto.x509.parse_keypair(text, text)",
    "crypto.parse_private_keys(text)",
];

/// Whatever a token, a key or a certificate is, a policy that reads it gets a value or an error. What
/// is no text comes in base64, as DER does.
pub fn fuzz_rego_builtins_crypto(data: &[u8]) {
    thread_local! {
        static BUNDLE: Option<Bundle> = crypto_bundle();
    }
    let Some((choice, rest)) = data.split_first() else { return };
    let text = match std::str::from_utf8(rest) {
        Ok(text) => text.to_owned(),
        Err(_) => base64::Engine::encode(&base64::engine::general_purpose::STANDARD, rest),
    };
    let which = usize::from(*choice) % CRYPTO_CALLS.len();
    let mut request = access_request(b"GET /\n", "td");
    request.body = Body::Parsed(serde_json::json!({ "which": which, "text": text }));
    BUNDLE.with(|bundle| {
        let Some(bundle) = bundle else { unreachable!("the bundle of all calls is refused") };
        let decision = decide(bundle, &request);
        assert_ne!(decision.reason, Reason::EnginePanic, "{:?}", decision.errors);
    });
}

/// One rule for each call.
fn crypto_bundle() -> Option<Bundle> {
    let mut policy = String::from("package authz\n\ndefault allow := false\n");
    for (which, call) in CRYPTO_CALLS.iter().enumerate() {
        policy.push_str(&format!(
            "\nallow if {{\n\tinput.request.body.which == {which}\n\ttext := input.request.body.text\n\t{call}\n}}\n"
        ));
    }
    let mut files = Files::default();
    files.insert(".manifest", MANIFEST.to_vec()).ok()?;
    files.insert("p.rego", policy.into_bytes()).ok()?;
    Some(Bundle::load(&files, Revision::default()).ok()?.0)
}

fn load_and_decide(file: &str, manifest: Option<&[u8]>, data: &[u8]) {
    if data.len() > MAX_POLICY_BYTES {
        return;
    }
    let mut files = Files::default();
    let inserted = files.insert(file, data.to_vec());
    let inserted = inserted.and_then(|()| match manifest {
        Some(manifest) => files.insert(".manifest", manifest.to_vec()),
        None => Ok(()),
    });
    assert_eq!(inserted, Ok(()));
    let load = move || {
        let Ok((bundle, _)) = Bundle::load(&files, Revision::default()) else { return };
        let decision = decide(&bundle, &access_request(b"GET /orders/17?a=1\naccept: */*", "td"));
        let is_permitted = decision.ground().is_some();
        assert_eq!(is_permitted, decision.outcome == Outcome::Allow && decision.errors.is_empty());
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(load);
    let ended = thread.map(std::thread::JoinHandle::join);
    assert!(matches!(ended, Ok(Ok(()))), "loading panicked");
}

fn check_line(line: &[u8]) {
    assert!(line.len() <= MAX_LINE_BYTES, "{} bytes", line.len());
    let Some((b'\n', text)) = line.split_last() else { unreachable!("the line has no end") };
    assert!(!text.iter().any(|b| b.is_ascii_control()), "a control byte");
    let text = std::str::from_utf8(text);
    let is_shown = text.is_ok_and(|text| !text.chars().any(char::is_control));
    assert!(is_shown, "not UTF-8, or a control character");
    let value = serde_json::from_slice::<Value>(line);
    assert!(value.as_ref().is_ok_and(Value::is_object), "{value:?}");
}

/// `METHOD TARGET` (`h2 METHOD TARGET` for HTTP/2), then `name:value` lines.
fn draft_of(data: &[u8]) -> Option<Draft> {
    let mut lines = data.split(|b| *b == b'\n');
    let first = lines.next()?;
    let (version, first) = match first.strip_prefix(b"h2 ") {
        Some(rest) => (Version::HTTP_2, rest),
        None => (Version::HTTP_11, first),
    };
    let space = first.iter().position(|b| *b == b' ')?;
    let (method, target) = first.split_at_checked(space)?;
    let target = Uri::try_from(target.get(1..)?).ok()?;
    let mut request = Request::builder().version(version).uri(target);
    request = request.method(Method::from_bytes(method).ok()?);
    for line in lines {
        let colon = line.iter().position(|b| *b == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        request = request.header(
            HeaderName::from_bytes(name).ok()?,
            HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?,
        );
    }
    Draft::read(request.body(()).ok()?.into_parts().0, Scheme::Https).ok()
}

fn head_of(data: &[u8]) -> Option<Head> {
    draft_of(data)?.settle(Relaxed::default()).ok()
}

/// The head as a caller would send it who knows the canonical form.
fn parts_of(head: &Head) -> http::request::Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method.clone();
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(head.target.clone());
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    parts.version = match head.protocol {
        Protocol::Http1 => Version::HTTP_11,
        Protocol::Http2 => Version::HTTP_2,
    };
    parts.headers = head.headers.clone();
    let host = HeaderValue::from_str(&head.host);
    parts.headers.extend(host.map(|host| (http::header::HOST, host)));
    if let Some(Ok(upgrade)) = head.upgrade.as_deref().map(HeaderValue::from_str) {
        parts.headers.insert(http::header::UPGRADE, upgrade);
        parts.headers.insert(http::header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    parts
}

/// A request whose head is read from `data` where it can be, and whose texts are `text`.
fn access_request(data: &[u8], text: &str) -> AccessRequest {
    let with_host = [data, b"\nhost:orders"].concat();
    let head = head_of(data).or_else(|| head_of(&with_host)).unwrap_or_else(|| Head {
        method: Method::GET,
        scheme: Scheme::Https,
        host: text.into(),
        target: PathAndQuery::try_from(data).unwrap_or(PathAndQuery::from_static("/")),
        headers: HeaderValue::from_bytes(data)
            .map(|value| [(http::header::ACCEPT, value)].into_iter().collect())
            .unwrap_or_default(),
        protocol: Protocol::Http1,
        upgrade: None,
    });
    let address = std::net::SocketAddr::from(([10, 0, 0, 1], 4711));
    let claims = serde_json::from_str(text).ok();
    let source = Source {
        spiffe_id: SpiffeId::parse("spiffe://demo.test/ns/shop/sa/web").ok(),
        address,
        certificate: None,
        jwt: claims.map(|claims| JwtFacts { claims }),
    };
    let destination = Destination { spiffe_id: None, service: text.into(), address };
    let tls = TlsFacts {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS13_AES_128_GCM_SHA256".into(),
        alpn: None,
        sni: Some(text.into()),
    };
    AccessRequest {
        time: Timestamp::from_unix_seconds(1_800_000_000),
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source, destination, Some(tls))),
        head,
        route: text.into(),
        body: Body::NotRead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs every file of a target's folder through it; one that is gone or empty fails.
    #[expect(clippy::disallowed_methods, reason = "the corpus is a folder of files")]
    fn replay(target: &str, entry: fn(&[u8])) {
        let folder = format!("{}/../../tests/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for file in std::fs::read_dir(&folder).unwrap() {
            entry(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
        assert!(count > 0, "{folder} is empty");
    }

    #[test]
    fn the_corpus_holds() {
        replay("spiffe_id", fuzz_spiffe_id);
        replay("svid_leaf", fuzz_svid_leaf);
        replay("jwt_svid", fuzz_jwt_svid);
        replay("canonical_head", fuzz_canonical_head);
        replay("bundle_files", fuzz_bundle_files);
        replay("input_document", fuzz_input_document);
        replay("record_line", fuzz_record_line);
        replay("cedar_load", fuzz_cedar_load);
        replay("rego_load", fuzz_rego_load);
        replay("rego_builtins_crypto", fuzz_rego_builtins_crypto);
    }
}
