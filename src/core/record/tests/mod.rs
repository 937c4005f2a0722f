mod evaluated;

use std::sync::Arc;

use expect_test::{Expect, expect};
use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::*;
use crate::Timestamp;
use crate::policy::{EvaluationError, Ground, Outcome, PolicyRef, Reason, Revision};
use crate::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, Head, JwtFacts,
    Scheme, Source, TlsFacts,
};
use crate::spiffe::CertificateFacts;
use crate::spiffe::SpiffeId;

#[test]
fn a_decision_is_one_line_in_the_words_of_the_input_document() {
    let request = request("GET /orders/17?id=4711&id=4712&debug", &[("accept", "*/*")]);
    let policies = [policy("orders-read", "orders.cedar", 7)];
    check(
        &request,
        decided(Outcome::Allow, &policies, &[]),
        expect![[r#"
        {"v":1,"seq":42,"id":"01a3185c-5000-7101-8101-010101010101","time":"2027-01-15T08:00:00.012345Z","kind":"decision","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"source":{"spiffe_id":"spiffe://td/ns/shop/sa/web","trust_domain":"td","address":{"ip":"10.0.0.1","port":4711},"certificate":{"serial":"0a","sha256":"ff","issuer":"CN=td","not_before":"2027-01-15T05:13:20.000000Z","not_after":"2027-01-15T09:00:00.000000Z"}},"destination":{"spiffe_id":"spiffe://td/ns/shop/sa/orders","service":"orders","address":{"ip":"10.0.0.2","port":8443}},"tls":{"version":"TLSv1.3","cipher_suite":"TLS13_AES_256_GCM_SHA384","alpn":"h2","sni":null},"request":{"direction":"inbound","method":"GET","scheme":"https","host":"orders","path":"/orders/17","query":{"id":["***","***"],"debug":["***"]},"route":"default","protocol":"HTTP/1.1","headers":{"accept":["*/*"]}},"decision":{"outcome":"allow","ground":"allowed","reason":"allowed","policies":[{"id":"orders-read","file":"orders.cedar","line":7}],"errors":[]},"policy":{"repository":"https://git.example/policy.git","ref":"main","commit":"4f1c","digest":"sha256:ab","signer":null},"masked":["/source/jwt","/request/query"]}
    "#]],
    );
}

#[test]
fn a_denial_without_identity_has_nulls_and_no_ground() {
    let request = AccessRequest {
        connection: Arc::new(ConnectionFacts::new(
            Source {
                spiffe_id: None,
                address: "[::ffff:10.0.0.9]:1".parse().unwrap(),
                certificate: None,
                jwt: None,
            },
            destination(),
            None,
        )),
        ..request("POST /", &[("authorization", "Bearer canary"), ("cookie", "a=canary")])
    };
    check(
        &request,
        decided(Outcome::Deny, &[], &[]),
        expect![[r#"
        {"v":1,"seq":42,"id":"01a3185c-5000-7101-8101-010101010101","time":"2027-01-15T08:00:00.012345Z","kind":"decision","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"source":{"spiffe_id":null,"trust_domain":null,"address":{"ip":"10.0.0.9","port":1},"certificate":null},"destination":{"spiffe_id":"spiffe://td/ns/shop/sa/orders","service":"orders","address":{"ip":"10.0.0.2","port":8443}},"tls":null,"request":{"direction":"inbound","method":"POST","scheme":"https","host":"orders","path":"/","query":{},"route":"default","protocol":"HTTP/1.1","headers":{}},"decision":{"outcome":"deny","ground":null,"reason":"not_allowed","policies":[],"errors":[]},"policy":{"repository":"https://git.example/policy.git","ref":"main","commit":"4f1c","digest":"sha256:ab","signer":null},"masked":["/request/headers/cookie","/request/headers/authorization"]}
    "#]],
    );
}

#[test]
fn a_request_that_is_decided_again_names_its_first_decision() {
    let (mut scratch, instance) = (Scratch::default(), instance().fragment());
    let request = request("GET /", &[]);
    let mut of = |first| {
        let decided = decided(Outcome::Deny, &[], &[]);
        let line = scratch.decision(&instance, &id_of(1), first, &request, decided, &revision());
        serde_json::from_str::<Value>(&stamped(line, 42)).unwrap().get("of").cloned()
    };
    assert_eq!(of(None), None);
    assert_eq!(of(Some(FirstDecision(Some(7)))), Some(7.into()));
    assert_eq!(of(Some(FirstDecision(None))), Some(Value::Null));
}

#[test]
fn secrets_of_a_request_are_in_no_line() {
    let secret = "canary7f3a";
    let mut request = request(
        "PUT /orders?token=canary7f3a&k%65y=canary7f3a&canary7f3a-canary7f3a-canary7f3a",
        &[
            ("authorization", "Bearer canary7f3a"),
            ("cookie", "session=canary7f3a"),
            ("x-api-key", "canary7f3a"),
            ("accept", "text/plain"),
        ],
    );
    request.body = Body::Parsed(serde_json::json!({ "password": secret }));
    let texts = [
        r#"`to_number` expects numeric argument. Got ["canary7f3a"] instead"#,
        "error while evaluating `ip` extension function: invalid IP address: canary7f3a",
        "`Path::\"canary7f3a\"` does not have the attribute `canary7f3a`",
        "\n--> a.rego:3:7\n  |\n3 | x := \"canary7f3a\"\n  |      ^\nerror: got canary7f3a",
        "unterminated `canary7f3a",
        r#"nested `{"a": "}`canary7f3a"}` and 'canary7f3a'"#,
        "plain canary7f3a word",
        "type error: expected long, got string",
    ];
    let errors = texts.map(|text| EvaluationError { policy: None, text: text.to_owned() });
    let line = line(&request, decided(Outcome::Error, &[], &errors));
    assert!(!line.contains("canary"), "{line}");
    let record: Value = serde_json::from_str(&line).unwrap();
    let shown: Vec<_> = record["decision"]["errors"].as_array().unwrap().iter().collect();
    assert_eq!(shown[0]["text"], "*** expects numeric argument. Got *** instead");
    assert_eq!(shown[2]["text"], "*** does not have the attribute ***");
    assert_eq!(shown[7]["text"], "type error: expected long, got string");
    let masked = [
        "/source/jwt",
        "/request/query",
        "/request/headers/authorization",
        "/request/headers/cookie",
        "/request/headers/x-api-key",
        "/request/body",
        "/decision/errors",
    ];
    assert_eq!(record["masked"], serde_json::json!(masked));
    assert_eq!(record["request"]["headers"], serde_json::json!({ "accept": ["text/plain"] }));
    let query = serde_json::json!({ "token": ["***"], "key": ["***"], "***": ["***"] });
    assert_eq!(record["request"]["query"], query);
}

#[test]
fn the_longest_line_fits_into_an_entry_of_the_tree() {
    let long = "\u{202e}x".repeat(20_000);
    let long: Arc<str> = long.into();
    let query: Vec<_> = (0..300).map(|n| format!("{n}{}=1", "k".repeat(100))).collect();
    let target = format!("/{}?{}", "a".repeat(9_000), query.join("&"));
    let mut request = request(&format!("GET {target}"), &[]);
    for name in ["accept", "user-agent", "content-type", "x-request-id", "traceparent"] {
        for _ in 0..50 {
            let value = HeaderValue::from_bytes(&[0xff; 5_000]).unwrap();
            request.head.headers.append(HeaderName::from_static(name), value);
        }
    }
    for n in 0..500 {
        let name = HeaderName::try_from(format!("x-{n}-{}", "h".repeat(50))).unwrap();
        request.head.headers.append(name, HeaderValue::from_static("v"));
    }
    request.route = Arc::clone(&long);
    request.head.host = (&*long).into();
    let id = SpiffeId::parse(&format!("spiffe://td/{}", "a".repeat(2_030))).unwrap();
    let (mut source, mut destination) = (source(), destination());
    source.spiffe_id = Some(id.clone());
    source.certificate = Some(CertificateFacts {
        serial: long.to_string(),
        sha256: long.to_string(),
        issuer: long.to_string(),
        ..certificate()
    });
    destination.spiffe_id = Some(id);
    destination.service = Arc::clone(&long);
    let tls = TlsFacts {
        version: Arc::clone(&long),
        cipher_suite: Arc::clone(&long),
        alpn: Some(Arc::clone(&long)),
        sni: Some(Arc::clone(&long)),
    };
    request.connection = Arc::new(ConnectionFacts::new(source, destination, Some(tls)));
    let policies: Vec<_> = (0..500).map(|_| policy(&long, &long, u32::MAX)).collect();
    let error = EvaluationError { policy: policies.first().cloned(), text: long.to_string() };
    let errors = vec![error; 500];
    let revision = Revision {
        repository: Arc::clone(&long),
        reference: Arc::clone(&long),
        commit: Arc::clone(&long),
        digest: Arc::clone(&long),
        signer: Some(Arc::clone(&long)),
    };
    let instance = Instance {
        service: Arc::clone(&long),
        host: Arc::clone(&long),
        pid: u32::MAX,
        boot_id: Some(Arc::clone(&long)),
        version: Arc::clone(&long),
    };
    let mut scratch = Scratch::default();
    let decided = decided(Outcome::Error, &policies, &errors);
    let longest = Some(FirstDecision(Some(u64::MAX)));
    let line =
        scratch.decision(&instance.fragment(), &id_of(1), longest, &request, decided, &revision);
    let length = line.stamp(u64::MAX).len();
    assert!(length <= MAX_LINE_BYTES, "{length}");
    assert!(length > MAX_LINE_BYTES / 2, "the limits are used: {length}");
    let record: Value = serde_json::from_slice(line.stamp(u64::MAX)).unwrap();
    let path = record["request"]["path"].as_str().unwrap();
    assert!(path.contains("[cut: 9001 bytes, sha256:"), "{path}");
    let masked = record["masked"].as_array().unwrap();
    for pointer in ["/request/path", "/request/headers", "/source/certificate/issuer"] {
        assert!(masked.contains(&pointer.into()), "{pointer} in {masked:?}");
    }
}

#[test]
fn a_number_in_front_takes_nothing_from_the_line() {
    let request = request("GET /", &[]);
    let mut scratch = Scratch::default();
    let instance = instance().fragment();
    let decided = decided(Outcome::Deny, &[], &[]);
    let line = scratch.decision(&instance, &id_of(1), None, &request, decided, &revision());
    let max = line.max_len();
    for seq in [0, 1, 9, 10, 12_345, u64::MAX] {
        let text = std::str::from_utf8(line.stamp(seq)).unwrap();
        assert!(text.starts_with(&format!("{{\"v\":1,\"seq\":{seq},\"id\":\"")), "{text}");
        assert!(text.ends_with("}\n") && text.len() <= max, "{text}");
    }
}

#[test]
fn ends_refusals_and_events_have_lines_of_their_own() {
    let (mut scratch, instance) = (Scratch::default(), instance().fragment());
    let time = Timestamp::from_unix_seconds(1_800_000_000);
    let end = End {
        status: Some(200),
        response_bytes: 512,
        request_bytes: 0,
        tries: 1,
        duration: std::time::Duration::from_micros(1_500),
        flags: vec!["upstream.reset"],
    };
    let mut lines = stamped(scratch.end(&instance, &id_of(1), time, 7, &end), 1);
    let refused = Refused {
        stage: "tls",
        reason: "svid.expired",
        source: "10.0.0.0/24".to_owned(),
        count: 3,
        first: time,
        last: time,
        claimed: vec![
            ClaimedIdentity {
                spiffe_id: Some("spiffe://td/\u{202e}x".to_owned()),
                serial: Some("9f01".to_owned()),
                sha256: Some("ab12".to_owned()),
            },
            ClaimedIdentity::default(),
        ],
        ids: vec![id_of(9)],
        detail: None,
    };
    lines += &stamped(scratch.refused(&instance, &id_of(2), &refused), 2);
    let gap = Gap {
        cause: "write",
        count: 5,
        forwarded: true,
        first: time,
        last: time,
        seqs: Some((3, 7)),
    };
    let revision = revision();
    for event in [
        Event::PolicyRejected { revision: &revision, cause: "line 1" },
        Event::LogGap(&gap),
        Event::LogStopped,
    ] {
        lines += &stamped(scratch.event(&instance, &id_of(3), time, &event), 3);
    }
    expect![[r#"
        {"v":1,"seq":1,"id":"01a3185c-5000-7101-8101-010101010101","time":"2027-01-15T08:00:00.000000Z","kind":"end","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"of":7,"response":{"status":200,"bytes":512},"request":{"bytes":0},"tries":1,"duration_us":1500,"flags":["upstream.reset"]}
        {"v":1,"seq":2,"id":"01a3185c-5000-7202-8202-020202020202","time":"2027-01-15T08:00:00.000000Z","kind":"refused","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"refused":{"stage":"tls","reason":"svid.expired","source":"10.0.0.0/24","count":3,"first":"2027-01-15T08:00:00.000000Z","last":"2027-01-15T08:00:00.000000Z","claimed":[{"spiffe_id":"spiffe://td/\u202ex","serial":"9f01","sha256":"ab12"},{"spiffe_id":null,"serial":null,"sha256":null}],"ids":["01a3185c-5000-7909-8909-090909090909"],"detail":null}}
        {"v":1,"seq":3,"id":"01a3185c-5000-7303-8303-030303030303","time":"2027-01-15T08:00:00.000000Z","kind":"policy","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"event":"rejected","policy":{"repository":"https://git.example/policy.git","ref":"main","commit":"4f1c","digest":"sha256:ab","signer":null},"cause":"line 1"}
        {"v":1,"seq":3,"id":"01a3185c-5000-7303-8303-030303030303","time":"2027-01-15T08:00:00.000000Z","kind":"log","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"event":"gap","cause":"write","count":5,"forwarded":true,"first":"2027-01-15T08:00:00.000000Z","last":"2027-01-15T08:00:00.000000Z","from_seq":3,"to_seq":7}
        {"v":1,"seq":3,"id":"01a3185c-5000-7303-8303-030303030303","time":"2027-01-15T08:00:00.000000Z","kind":"log","instance":{"service":"orders","host":"pod-1","pid":7,"version":"0.1.0"},"event":"stop"}
    "#]].assert_eq(&lines);
}

#[track_caller]
fn check(request: &AccessRequest, decided: Decided<'_>, expected: Expect) {
    let line = line(request, decided);
    let _: Value = serde_json::from_str(&line).unwrap();
    expected.assert_eq(&line);
}

fn line(request: &AccessRequest, decided: Decided<'_>) -> String {
    let mut scratch = Scratch::default();
    let instance = instance().fragment();
    stamped(scratch.decision(&instance, &id_of(1), None, request, decided, &revision()), 42)
}

fn stamped(line: &mut Line, seq: u64) -> String {
    String::from_utf8(line.stamp(seq).to_vec()).unwrap()
}

fn id_of(byte: u8) -> DecisionId {
    DecisionId::new(Timestamp::from_unix_seconds(1_800_000_000), [byte; 10])
}

fn instance() -> Instance {
    Instance {
        service: "orders".into(),
        host: "pod-1".into(),
        pid: 7,
        boot_id: None,
        version: "0.1.0".into(),
    }
}

fn revision() -> Revision {
    Revision {
        repository: "https://git.example/policy.git".into(),
        reference: "main".into(),
        commit: "4f1c".into(),
        digest: "sha256:ab".into(),
        signer: None,
    }
}

fn policy(id: &str, file: &str, line: u32) -> PolicyRef {
    PolicyRef { id: id.into(), file: file.into(), line }
}

fn decided<'a>(
    outcome: Outcome,
    policies: &'a [PolicyRef],
    errors: &'a [EvaluationError],
) -> Decided<'a> {
    let (ground, reason) = match outcome {
        Outcome::Allow => (Some(Ground::Allowed), Reason::Allowed),
        Outcome::Deny => (None, Reason::NotAllowed),
        Outcome::Error => (None, Reason::PolicyError),
    };
    Decided { outcome, ground, reason, policies, errors }
}

fn certificate() -> CertificateFacts {
    CertificateFacts {
        serial: "0a".to_owned(),
        sha256: "ff".to_owned(),
        issuer: "CN=td".to_owned(),
        not_before: Timestamp::from_unix_seconds(1_799_990_000),
        not_after: Timestamp::from_unix_seconds(1_800_003_600),
    }
}

fn source() -> Source {
    Source {
        spiffe_id: Some(SpiffeId::parse("spiffe://td/ns/shop/sa/web").unwrap()),
        address: "10.0.0.1:4711".parse().unwrap(),
        certificate: Some(certificate()),
        jwt: Some(JwtFacts { claims: serde_json::Map::new() }),
    }
}

fn destination() -> Destination {
    Destination {
        spiffe_id: Some(SpiffeId::parse("spiffe://td/ns/shop/sa/orders").unwrap()),
        service: "orders".into(),
        address: "10.0.0.2:8443".parse().unwrap(),
    }
}

/// Method and target, and headers; the rest is the same in all tests.
fn request(line: &str, headers: &[(&'static str, &'static str)]) -> AccessRequest {
    let (method, target) = line.split_once(' ').unwrap();
    let mut parts = http::Request::builder().method(method).uri(target).header("host", "orders");
    for (name, value) in headers {
        parts = parts.header(*name, *value);
    }
    let tls = TlsFacts {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS13_AES_256_GCM_SHA384".into(),
        alpn: Some("h2".into()),
        sni: None,
    };
    AccessRequest {
        time: Timestamp::from_unix_micros(1_800_000_000_012_345),
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source(), destination(), Some(tls))),
        head: Head::canonical(parts.body(()).unwrap().into_parts().0, Scheme::Https).unwrap(),
        route: "default".into(),
        body: Body::NotRead,
    }
}
