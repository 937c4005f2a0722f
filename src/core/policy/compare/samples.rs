//! Sample peers and requests, as a file of `policy matrix` names them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::cases::yaml;
use super::super::{Findings, json};
use crate::masking;
use crate::request::AccessRequest;

/// A file of samples is written by people.
const MAX_FILE_BYTES: usize = 4 << 20;
const MAX_NAME_BYTES: usize = 200;
const OF_PEERS: [&str; 4] = ["spiffe_id", "source_ip", "certificate", "jwt"];
const OF_REQUESTS: [&str; 14] = [
    "method",
    "path",
    "host",
    "route",
    "service",
    "headers",
    "query",
    "scheme",
    "direction",
    "protocol",
    "body",
    "body_truncated",
    "time",
    "tls",
];

/// Who asks, and what is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    pub peers: Vec<Sample>,
    pub requests: Vec<Sample>,
}

/// One peer or one request: a part of what [`AccessRequest::described`] reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub name: String,
    pub facts: Map<String, Value>,
}

/// Why samples are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SamplesError {
    #[error("the file is larger than {MAX_FILE_BYTES} bytes")]
    TooLarge,
    #[error("{0}")]
    Syntax(String),
    #[error("line {line}: {message}")]
    Yaml { line: u32, message: String },
    #[error("{place}: {message}")]
    Shape { place: String, message: String },
    #[error("the name `{0}` is given twice")]
    Twice(String),
    #[error("`{name}` cannot be asked: {message}")]
    NoRequest { name: String, message: String },
}

impl Samples {
    /// Reads a file in the form of `schemas/policy-matrix.json`, JSON or YAML.
    ///
    /// # Errors
    /// It is neither, or does not fit the schema.
    pub fn read(text: &str, is_json: bool) -> Result<Self, SamplesError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(SamplesError::TooLarge);
        }
        let value = if is_json { from_json(text)? } else { from_yaml(text)? };
        let root = object("the file", &value)?;
        known("the file", root, &["peers", "requests"])?;
        let list = |key: &str| match root.get(key) {
            None => Ok(&[][..]),
            Some(Value::Array(items)) => Ok(items.as_slice()),
            Some(_) => Err(shape(key, "must be a list")),
        };
        let mut samples = Self::default();
        for (index, item) in list("peers")?.iter().enumerate() {
            let mut sample = sample(&format!("peers[{index}]"), item, &OF_PEERS)?;
            if let Some(id) = sample.facts.remove("spiffe_id") {
                sample.facts.insert("source".to_owned(), id);
            }
            samples.peers.push(sample);
        }
        let mut made = BTreeMap::new();
        for (index, item) in list("requests")?.iter().enumerate() {
            let place = format!("requests[{index}]");
            let mut request = sample(&place, item, &OF_REQUESTS)?;
            if item.get("name").is_none() {
                request.name = counted(&mut made, request.name);
            }
            if !request.facts.contains_key("path") {
                return Err(shape(&place, "the key `path` is missing"));
            }
            samples.requests.push(request);
        }
        Ok(samples)
    }

    /// Whether every name is there once and each peer may ask each request.
    ///
    /// # Errors
    /// A name stands twice, or something is not what a request can have.
    pub fn check(&self) -> Result<(), SamplesError> {
        for list in [&self.peers, &self.requests] {
            let mut names = BTreeSet::new();
            if let Some(twice) = list.iter().find(|sample| !names.insert(&sample.name)) {
                return Err(SamplesError::Twice(twice.name.clone()));
            }
        }
        let (peers, requests) = (self.peers.iter(), self.requests.iter());
        peers.chain(requests).try_for_each(Sample::check)
    }

    /// The samples as they may be printed, without credentials.
    #[must_use]
    pub fn shown(&self) -> Self {
        let shown = |list: &[Sample]| list.iter().map(Sample::shown).collect();
        Self { peers: shown(&self.peers), requests: shown(&self.requests) }
    }

    /// Adds what is not there yet; a name that is taken by something else is counted up.
    pub fn add(&mut self, other: Self) {
        let lists = [(&mut self.peers, other.peers), (&mut self.requests, other.requests)];
        for (list, others) in lists {
            others.into_iter().for_each(|sample| add(list, sample));
        }
    }
}

impl Sample {
    /// The sample as it may be printed, without credentials.
    #[must_use]
    pub fn shown(&self) -> Self {
        Self { name: self.name.clone(), facts: shown(&self.facts) }
    }

    /// The request of a peer.
    pub(super) fn asks(&self, request: &Self) -> Map<String, Value> {
        let mut facts = self.facts.clone();
        facts.extend(request.facts.clone());
        facts
    }

    /// Whether there is such a peer, or such a request.
    pub(super) fn check(&self) -> Result<(), SamplesError> {
        let mut facts = self.facts.clone();
        facts.entry("path").or_insert_with(|| "/".into());
        let no_request = |error: crate::request::DocumentError| SamplesError::NoRequest {
            name: self.name.clone(),
            message: error.to_string(),
        };
        AccessRequest::described(&Value::Object(facts)).map(drop).map_err(no_request)
    }
}

pub(super) fn add(list: &mut Vec<Sample>, mut sample: Sample) {
    if list.iter().any(|known| known.facts == sample.facts) {
        return;
    }
    let name = sample.name.clone();
    let mut number = 2_usize;
    while list.iter().any(|known| known.name == sample.name) {
        sample.name = format!("{name} #{number}");
        number += 1;
    }
    list.push(sample);
}

fn from_json(text: &str) -> Result<Value, SamplesError> {
    let mut findings = Findings::default();
    let mut values = json::MAX_VALUES;
    if !json::check("", text, &mut values, &mut findings) {
        let first = findings.0.first();
        let message = first.map(|f| format!("line {}: {}", f.line, f.message));
        return Err(SamplesError::Syntax(message.unwrap_or_default()));
    }
    serde_json::from_str(text).map_err(|error| SamplesError::Syntax(error.to_string()))
}

fn from_yaml(text: &str) -> Result<Value, SamplesError> {
    let node = yaml::parse(text)
        .map_err(|wrong| SamplesError::Yaml { line: wrong.line, message: wrong.message })?;
    Ok(yaml::to_json(&node))
}

fn sample(place: &str, value: &Value, keys: &[&str]) -> Result<Sample, SamplesError> {
    let fields = object(place, value)?;
    let named: Vec<&str> = ["name"].into_iter().chain(keys.iter().copied()).collect();
    known(place, fields, &named)?;
    let mut facts = fields.clone();
    let name = match facts.shift_remove("name") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(shape(&format!("{place}.name"), "must be a text")),
        None => match (fields.get("spiffe_id"), fields.get("path")) {
            (Some(Value::String(id)), _) => id.clone(),
            (None, Some(Value::String(_))) => request_name(fields),
            _ => return Err(shape(place, "the key `name` is missing")),
        },
    };
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        let message = format!("must have 1 to {MAX_NAME_BYTES} bytes");
        return Err(shape(&format!("{place}.name"), &message));
    }
    Ok(Sample { name, facts })
}

fn shown(facts: &Map<String, Value>) -> Map<String, Value> {
    let masked = masking::masked(&Value::Object(facts.clone()));
    masked.as_object().cloned().unwrap_or_default()
}

/// Requests that differ only in what is masked have names of their own all the same.
fn counted(made: &mut BTreeMap<String, usize>, name: String) -> String {
    let number = made.entry(name.clone()).or_default();
    *number += 1;
    if *number == 1 { name } else { format!("{name} #{number}") }
}

/// `GET /orders/1?page=*** (orders)`: what people call a request that has no other name.
pub(super) fn request_name(facts: &Map<String, Value>) -> String {
    let facts = shown(facts);
    let text = |key: &str| facts.get(key).and_then(Value::as_str);
    let mut name = format!("{} {}", text("method").unwrap_or("GET"), text("path").unwrap_or("/"));
    if let Some(route) = text("route") {
        name.push_str(&format!(" ({route})"));
    }
    if let Some(headers) = facts.get("headers").and_then(Value::as_object) {
        headers.keys().for_each(|header| name.push_str(&format!(" +{header}")));
    }
    name
}

fn object<'a>(place: &str, value: &'a Value) -> Result<&'a Map<String, Value>, SamplesError> {
    value.as_object().ok_or_else(|| shape(place, "must be a mapping"))
}

fn known(place: &str, fields: &Map<String, Value>, keys: &[&str]) -> Result<(), SamplesError> {
    let Some(other) = fields.keys().find(|key| !keys.contains(&key.as_str())) else {
        return Ok(());
    };
    let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    Err(shape(place, &format!("unknown key `{}`; known here: {keys}", other.escape_debug())))
}

fn shape(place: &str, message: &str) -> SamplesError {
    SamplesError::Shape { place: place.to_owned(), message: message.to_owned() }
}
