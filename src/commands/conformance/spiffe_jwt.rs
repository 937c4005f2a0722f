//! Suite `spiffe-jwt`: tokens through the verifier of the product, at a given time.
//!
//! A file is an array of our cases, or a set of JWS vectors as Project Wycheproof publishes them: of
//! those only header, key and signature are judged, since their payloads are no claims.

use std::collections::BTreeMap;
use std::path::Path;

use portreeve_core::Timestamp;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult};
use portreeve_core::spiffe::jwt::DEFAULT_LEEWAY;
use portreeve_core::spiffe::{JwtAuthorities, JwtError, TrustDomain};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::json_cases::{self, CaseFile};

/// A token, and either whose it is or why it is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "rule")]
    _rule: String,
    #[serde(rename = "section")]
    _section: String,
    token: String,
    /// By trust domain; a text stands for a bundle's bytes.
    bundles: BTreeMap<String, Value>,
    audience: Vec<String>,
    time: Timestamp,
    expected_id: Option<String>,
    expected_reason: Option<String>,
}

/// A file of Wycheproof's.
#[derive(Debug, Deserialize)]
struct Vectors {
    #[serde(rename = "testGroups")]
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    public: Option<Value>,
    private: Option<Value>,
    tests: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    #[serde(rename = "tcId")]
    id: u32,
    comment: String,
    /// A token, or an object in the JSON serialisation.
    jws: Option<Value>,
    jwe: Option<Value>,
    result: String,
}

pub(super) fn run(files: Vec<CaseFile>) -> Vec<CaseResult> {
    let mut results = Vec::new();
    let mut ours = Vec::new();
    for file in files {
        match serde_json::from_str::<Vectors>(&file.text) {
            Ok(vectors) => results.extend(run_vectors(&file.name, vectors)),
            Err(_) => ours.push(file),
        }
    }
    results.extend(json_cases::run(&ours, run_case));
    results
}

fn run_case(case: &Case) -> CaseOutcome {
    let authorities = match authorities(&case.bundles) {
        Ok(authorities) => authorities,
        Err(message) => return CaseOutcome::errored(message),
    };
    let verified = authorities.verify(&case.token, &case.audience, case.time, DEFAULT_LEEWAY);
    let (expected, is_expected) = match (&case.expected_id, &case.expected_reason) {
        (Some(id), None) => {
            (id.clone(), verified.as_ref().is_ok_and(|svid| svid.id.as_str() == id))
        }
        (None, Some(reason)) => {
            let is_expected = verified.as_ref().is_err_and(|error| error.reason() == reason);
            (refused(reason), is_expected)
        }
        _ => {
            let message = "a case has either `expected_id` or `expected_reason`";
            return CaseOutcome::errored(message);
        }
    };
    outcome(expected, is_expected, verified.map(|svid| svid.id.as_str().to_owned()))
}

fn authorities(bundles: &BTreeMap<String, Value>) -> Result<JwtAuthorities, String> {
    let mut read = Vec::new();
    for (name, bundle) in bundles {
        let trust_domain = TrustDomain::parse(name)
            .map_err(|error| format!("`{name}` is no trust domain: {error}"))?;
        let text = bundle.as_str().map_or_else(|| bundle.to_string(), str::to_owned);
        read.push((trust_domain, text));
    }
    Ok(JwtAuthorities::new(read.iter().map(|(name, text)| (name.clone(), text.as_bytes()))))
}

fn run_vectors(file: &str, vectors: Vectors) -> Vec<CaseResult> {
    let stem = Path::new(file).file_stem().unwrap_or_default().display().to_string();
    let mut results = Vec::new();
    for group in vectors.groups {
        let keys = group.public.or(group.private).unwrap_or_default();
        let bundles = BTreeMap::from([(String::from("wycheproof"), key_set(keys))]);
        for vector in group.tests {
            let name = format!("{stem} {}: {}", vector.id, vector.comment);
            let outcome = run_vector(&bundles, vector);
            results.push(CaseResult::new(file, 0, name, outcome));
        }
    }
    results
}

fn run_vector(bundles: &BTreeMap<String, Value>, vector: Vector) -> CaseOutcome {
    let trust_domain = TrustDomain::parse("wycheproof");
    let (Ok(authorities), Ok(trust_domain)) = (authorities(bundles), trust_domain) else {
        return CaseOutcome::errored("the vector's keys cannot be given to a trust domain");
    };
    let token = match vector.jws.or(vector.jwe) {
        Some(Value::String(token)) => token,
        Some(object) => object.to_string(),
        None => return CaseOutcome::errored("the vector has no token"),
    };
    let verified = authorities.verify_signature(&token, &trust_domain);
    let is_valid = vector.result == "valid";
    let expected = if is_valid { "accepted" } else { "refused" };
    let is_expected = verified.is_ok() == is_valid;
    outcome(expected.to_owned(), is_expected, verified.map(|()| String::from("accepted")))
}

/// A set of public keys, of a set or of one key that may be private.
fn key_set(keys: Value) -> Value {
    let keys = match keys {
        Value::Object(mut set) if set.contains_key("keys") => {
            set.swap_remove("keys").unwrap_or_default()
        }
        one => json!([one]),
    };
    let members = keys.as_array().cloned().unwrap_or_default();
    json!({ "keys": members.into_iter().map(public).collect::<Vec<_>>() })
}

/// Without the members of RFC 7518 §6.2.2 and §6.3.2.
fn public(mut key: Value) -> Value {
    let nothing = &mut Map::new();
    let members = key.as_object_mut().unwrap_or(nothing);
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        members.swap_remove(name);
    }
    key
}

fn outcome(expected: String, is_expected: bool, seen: Result<String, JwtError>) -> CaseOutcome {
    if is_expected {
        return CaseOutcome::Passed;
    }
    let (actual, detail) = match seen {
        Ok(seen) => (seen, None),
        Err(error) => (refused(error.reason()), Some(error.to_string())),
    };
    CaseOutcome::Failed { expected, actual, detail }
}

fn refused(reason: &str) -> String {
    format!("refused ({reason})")
}
