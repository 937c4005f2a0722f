//! Policies as text, requests as a few words, verdicts as one line.

mod checking;
mod deciding;
mod document;
mod envoy;
mod example;
mod large;
mod loading;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::super::decide::Verdict;
use super::{Files, Findings, Policies};
use crate::Timestamp;
use crate::request::{
    AccessRequest, Body, ConnectionFacts, Destination, Direction, Enforcement, Head, Protocol,
    Scheme, Source,
};
use crate::spiffe::SpiffeId;

/// Files from `path: content` pairs.
fn files(pairs: &[(&str, &str)]) -> Files {
    let mut files = Files::default();
    for (path, content) in pairs {
        files.insert(path, content.as_bytes().to_vec()).unwrap();
    }
    files
}

fn load(pairs: &[(&str, &str)], entrypoint: &str) -> Result<Policies, String> {
    let mut findings = Findings::default();
    Policies::load(&files(pairs), entrypoint, &mut findings).ok_or_else(|| findings.to_string())
}

/// A request to `GET /orders/17?a=1` by `web`; the body is what a policy under test reads.
fn request(body: serde_json::Value) -> AccessRequest {
    let id = SpiffeId::parse("spiffe://demo.test/ns/shop/sa/web").unwrap();
    let source = Source {
        spiffe_id: Some(id),
        address: "[::ffff:10.1.2.3]:4000".parse().unwrap(),
        certificate: None,
        jwt: None,
    };
    let address = "127.0.0.1:8443".parse().unwrap();
    let destination = Destination { spiffe_id: None, service: "orders".into(), address };
    let mut headers = HeaderMap::new();
    for value in ["a", "b"] {
        headers.append(HeaderName::from_static("x-tenant"), HeaderValue::from_static(value));
    }
    AccessRequest {
        time: Timestamp::from_unix_seconds(1_800_000_000),
        direction: Direction::Inbound,
        enforcement: Enforcement::Enforce,
        connection: Arc::new(ConnectionFacts::new(source, destination, None)),
        head: Head {
            method: Method::GET,
            scheme: Scheme::Https,
            host: "orders.test".into(),
            target: "/orders/17?a=1&b=2&a=3".parse().unwrap(),
            headers,
            protocol: Protocol::Http1,
            upgrade: None,
        },
        route: "orders".into(),
        body: Body::Parsed(body),
    }
}

/// `outcome reason file:line,… | error; …`
fn line(verdict: &Verdict) -> String {
    let places: Vec<String> =
        verdict.policies.iter().map(|policy| format!("{}:{}", policy.file, policy.line)).collect();
    let errors: Vec<&str> = verdict.errors.iter().map(|error| error.text.as_str()).collect();
    let line = format!(
        "{} {} {} | {}",
        verdict.outcome.as_str(),
        verdict.reason.as_str(),
        places.join(","),
        errors.join("; ")
    );
    line.trim_end_matches(['|', ' ']).to_owned()
}

/// Decides under a policy in `p.rego` of package `p`, whose `i` is the request's body.
fn decide(policy: &str, body: serde_json::Value) -> String {
    let module = format!("package p\nimport input.request.body as i\n{policy}");
    let policies = load(&[("p.rego", &module)], "p").unwrap_or_else(|error| panic!("{error}"));
    line(&policies.evaluate(&request(body)))
}
