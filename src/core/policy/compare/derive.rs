//! Samples from a bundle itself: the peers that its files mention, the requests of its tests.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::Files;
use super::super::cases::{REQUEST_CASES_SUFFIX, yaml};
use super::samples::{add, request_name};
use super::{Sample, Samples};
use crate::spiffe::{SpiffeId, TrustDomain};

/// More peers than this nobody reads; data may list ten thousand.
const MAX_PEERS: usize = 500;
/// The same for the requests of tests.
const MAX_REQUESTS: usize = 500;
const SCHEME: &str = "spiffe://";
/// A peer of a trust domain that no file mentions.
const STRANGER: &str = "stranger";
pub(super) const ANONYMOUS: &str = "anonymous";
const OF_PEERS: [&str; 4] = ["source", "source_ip", "certificate", "jwt"];

impl Samples {
    /// Peers: every SPIFFE ID that a policy, the data or a test mentions, those of a test with what
    /// else it says of them, one stranger of each trust domain, and a caller without identity.
    /// Requests: those of `*_test.yaml`, each once; `GET /` where there is none.
    #[must_use]
    pub fn derive(files: &Files) -> Self {
        let mut of_tests = Self::default();
        for (file, content) in files.iter().filter(|(file, _)| file.ends_with(REQUEST_CASES_SUFFIX))
        {
            let text = std::str::from_utf8(content).unwrap_or_default();
            of_tests.add_cases(file, text);
        }
        let mut mentioned = Mentioned::default();
        for (_, content) in files.iter() {
            mentioned.read(std::str::from_utf8(content).unwrap_or_default());
        }
        let mut samples = Self { peers: mentioned.peers(), requests: of_tests.requests };
        // A peer of a test that is more than its ID.
        for peer in of_tests.peers.into_iter().take(MAX_PEERS) {
            add(&mut samples.peers, peer);
        }
        add(&mut samples.peers, peer(ANONYMOUS, Value::Null));
        if samples.requests.is_empty() {
            let facts = Map::from_iter([("path".to_owned(), json!("/"))]);
            samples.requests.push(Sample { name: request_name(&facts), facts });
        }
        samples
    }

    /// Broken files and cases are for `policy test` to report.
    fn add_cases(&mut self, file: &str, text: &str) {
        let Ok(root) = yaml::parse(text) else { return };
        let cases = root.as_mapping().and_then(|root| root.get_sequence("cases"));
        for case in cases.into_iter().flat_map(|cases| cases.iter()) {
            let case = yaml::to_json(case);
            let described = match (case.get("request"), case.get("input")) {
                (Some(Value::Object(described)), _) => described.clone(),
                (_, Some(document)) => described(document),
                _ => continue,
            };
            let (peer, request): (Map<_, _>, Map<_, _>) =
                described.into_iter().partition(|(key, _)| OF_PEERS.contains(&key.as_str()));
            let name = case.get("name").and_then(Value::as_str).unwrap_or(file);
            if peer.len() > 1 || (peer.len() == 1 && !peer.contains_key("source")) {
                let id = peer.get("source").and_then(Value::as_str).map_or(ANONYMOUS, short);
                let sample = Sample { name: format!("{id} ({name})"), facts: peer };
                add_sound(&mut self.peers, sample, MAX_PEERS);
            }
            let sample = Sample { name: request_name(&request), facts: request };
            add_sound(&mut self.requests, sample, MAX_REQUESTS);
        }
    }
}

fn add_sound(list: &mut Vec<Sample>, sample: Sample, most: usize) {
    if list.len() < most && sample.check().is_ok() {
        add(list, sample);
    }
}

/// A whole input document as a description.
fn described(document: &Value) -> Map<String, Value> {
    const OF_REQUEST: [&str; 12] = [
        "method",
        "path",
        "host",
        "route",
        "headers",
        "query",
        "scheme",
        "direction",
        "protocol",
        "body",
        "body_truncated",
        "service",
    ];
    let mut facts = Map::new();
    let mut take = |key: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            facts.insert(key.to_owned(), value.clone());
        }
    };
    for key in OF_REQUEST {
        take(key, document.pointer(&format!("/request/{key}")));
    }
    take("service", document.pointer("/destination/service"));
    take("source", document.pointer("/source/spiffe_id"));
    take("source_ip", document.pointer("/source/address/ip"));
    take("certificate", document.pointer("/source/certificate"));
    take("jwt", document.pointer("/source/jwt"));
    take("time", document.get("time"));
    take("tls", document.get("tls"));
    facts
}

/// What the files mention.
#[derive(Default)]
struct Mentioned {
    ids: BTreeSet<String>,
    domains: BTreeSet<String>,
}

impl Mentioned {
    fn read(&mut self, text: &str) {
        for (at, _) in text.match_indices(SCHEME) {
            let rest = text.get(at..).unwrap_or_default();
            let is_part = |c: char| c.is_ascii_alphanumeric() || "-._/:".contains(c);
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let written = rest.get(..end).unwrap_or_default();
            self.add(written.trim_end_matches(['.', ':']));
        }
    }

    fn add(&mut self, written: &str) {
        if self.ids.len() >= MAX_PEERS {
            return;
        }
        // A prefix such as `spiffe://td/ns/` stands for what is below it.
        let sample = match written.strip_suffix('/') {
            Some(prefix) if prefix.len() > SCHEME.len() => format!("{prefix}/{STRANGER}"),
            _ => written.to_owned(),
        };
        let domain = |name: &TrustDomain| name.as_str().to_owned();
        if let Ok(id) = SpiffeId::parse(&sample) {
            self.domains.insert(domain(id.trust_domain()));
            if !id.path().is_empty() {
                self.ids.insert(sample);
            }
        }
    }

    fn peers(self) -> Vec<Sample> {
        let strangers = self.domains.iter().map(|domain| format!("{SCHEME}{domain}/{STRANGER}"));
        let strangers: Vec<String> = strangers.filter(|id| !self.ids.contains(id)).collect();
        let all = self.ids.into_iter().chain(strangers);
        all.map(|id| peer(short(&id), Value::String(id.clone()))).collect()
    }
}

fn peer(name: &str, id: Value) -> Sample {
    Sample { name: name.to_owned(), facts: Map::from_iter([("source".to_owned(), id)]) }
}

/// An ID without its scheme.
fn short(id: &str) -> &str {
    id.strip_prefix(SCHEME).unwrap_or(id)
}
