//! The `decision` record: every field of a request that may be written, and what was decided.

use http::HeaderMap;

use super::fragment::{InstanceFragment, RecordFragment};
use super::mask::Pointers;
use super::{DecisionId, Line, Scratch, json, query};
use crate::masking::{self, ALLOWED_HEADERS};
use crate::policy::{Decision, EvaluationError, Ground, Outcome, PolicyRef, Reason, Revision};
use crate::request::{AccessRequest, Body, Direction};

const MAX_METHOD_BYTES: usize = 160;
const MAX_HOST_BYTES: usize = 512;
const MAX_PATH_BYTES: usize = 4_096;
const MAX_ROUTE_BYTES: usize = 256;
const MAX_HEADER_BYTES: usize = 512;
/// Of one name.
const MAX_HEADER_VALUES: usize = 4;
/// More policies than these say the same of why.
const MAX_POLICIES: usize = 16;
const MAX_POLICY_BYTES: usize = 256;
const MAX_ERRORS: usize = 8;
const MAX_ERROR_BYTES: usize = 512;

/// What a record says of a decision: all but its effects and its permit.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    pub outcome: Outcome,
    pub ground: Option<Ground>,
    pub reason: Reason,
    pub policies: &'a [PolicyRef],
    pub errors: &'a [EvaluationError],
}

impl<'a> From<&'a Decision> for Decided<'a> {
    fn from(decision: &'a Decision) -> Self {
        let Decision { outcome, reason, policies, errors, .. } = decision;
        Self { outcome: *outcome, ground: decision.ground(), reason: *reason, policies, errors }
    }
}

/// The first decision on a request that is decided again: its number, where its record has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstDecision(pub Option<u64>);

impl Scratch {
    /// Formats the record of one decision; `of` is the first where the request is decided again.
    pub fn decision(
        &mut self,
        instance: &InstanceFragment,
        id: &DecisionId,
        of: Option<FirstDecision>,
        request: &AccessRequest,
        decision: Decided<'_>,
        revision: &Revision,
    ) -> &mut Line {
        self.begin(id, request.time, "decision", instance);
        match of {
            None => {}
            Some(FirstDecision(Some(seq))) => self.number(",\"of\":", seq),
            Some(FirstDecision(None)) => self.raw(",\"of\":null"),
        }
        let connection = RecordFragment::of(&request.connection);
        let (out, masked) = (self.line.out(), &mut self.masked);
        for pointer in &connection.masked {
            masked.add(pointer);
        }
        out.push(b',');
        out.extend_from_slice(&connection.json);
        write_request(out, masked, request);
        write_decision(out, masked, request, decision);
        out.push(b',');
        self.revision(revision);
        let out = self.line.out();
        out.extend_from_slice(b",\"masked\":[");
        self.masked.write(out);
        out.extend_from_slice(b"]}\n");
        &mut self.line
    }

    /// What every record begins with, after the sequence number.
    pub(super) fn begin(
        &mut self,
        id: &DecisionId,
        time: crate::Timestamp,
        kind: &str,
        instance: &InstanceFragment,
    ) {
        self.masked.clear();
        let out = self.line.begin();
        out.extend_from_slice(b"\"id\":\"");
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(b"\",\"time\":");
        self.time(time);
        let out = self.line.out();
        out.extend_from_slice(b",\"kind\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",");
        out.extend_from_slice(instance.as_bytes());
    }
}

fn write_request(out: &mut Vec<u8>, masked: &mut Pointers, request: &AccessRequest) {
    let head = &request.head;
    out.extend_from_slice(match request.direction {
        Direction::Inbound => b",\"request\":{\"direction\":\"inbound\",\"method\":",
        Direction::Outbound => b",\"request\":{\"direction\":\"outbound\",\"method\":",
    });
    text(out, masked, "/request/method", head.method.as_str().as_bytes(), MAX_METHOD_BYTES);
    out.extend_from_slice(b",\"scheme\":\"");
    out.extend_from_slice(head.scheme.as_str().as_bytes());
    out.extend_from_slice(b"\",\"host\":");
    text(out, masked, "/request/host", head.host.as_bytes(), MAX_HOST_BYTES);
    out.extend_from_slice(b",\"path\":");
    text(out, masked, "/request/path", head.path().as_bytes(), MAX_PATH_BYTES);
    out.extend_from_slice(b",\"query\":");
    query::write(out, masked, head);
    out.extend_from_slice(b",\"route\":");
    text(out, masked, "/request/route", request.route.as_bytes(), MAX_ROUTE_BYTES);
    out.extend_from_slice(b",\"protocol\":\"");
    out.extend_from_slice(head.protocol.as_str().as_bytes());
    out.extend_from_slice(b"\",\"headers\":{");
    write_headers(out, masked, &head.headers);
    out.push(b'}');
    if let Some(upgrade) = &head.upgrade {
        out.extend_from_slice(b",\"upgrade\":");
        text(out, masked, "/request/upgrade", upgrade.as_bytes(), MAX_ROUTE_BYTES);
    }
    match request.body {
        Body::NotRead => {}
        Body::Parsed(_) => masked.add("/request/body"),
        Body::Truncated => out.extend_from_slice(b",\"body_truncated\":true"),
    }
    out.push(b'}');
}

/// The map gives the values of one name one after another.
fn write_headers(out: &mut Vec<u8>, masked: &mut Pointers, headers: &HeaderMap) {
    const PARENT: &str = "/request/headers";
    let start = out.len();
    let mut last = None;
    let mut values = 0;
    for (name, value) in headers {
        let is_new = last != Some(name);
        if !ALLOWED_HEADERS.contains(name) {
            if is_new {
                masked.add_member(PARENT, name.as_str());
            }
            last = Some(name);
            continue;
        }
        values = if is_new { 1 } else { values + 1 };
        last = Some(name);
        if values > MAX_HEADER_VALUES {
            if values == MAX_HEADER_VALUES + 1 {
                masked.add_member(PARENT, name.as_str());
            }
            continue;
        }
        if is_new {
            if out.len() > start {
                out.extend_from_slice(b"],");
            }
            out.push(b'"');
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b"\":[");
        } else {
            out.push(b',');
        }
        if !json::string(out, value.as_bytes(), MAX_HEADER_BYTES) {
            masked.add_member(PARENT, name.as_str());
        }
    }
    if out.len() > start {
        out.push(b']');
    }
}

fn write_decision(
    out: &mut Vec<u8>,
    masked: &mut Pointers,
    request: &AccessRequest,
    decision: Decided<'_>,
) {
    out.extend_from_slice(b",\"decision\":{\"outcome\":\"");
    out.extend_from_slice(decision.outcome.as_str().as_bytes());
    out.extend_from_slice(b"\",\"ground\":");
    match decision.ground {
        Some(ground) => {
            out.push(b'"');
            out.extend_from_slice(ground.as_str().as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"reason\":\"");
    out.extend_from_slice(decision.reason.as_str().as_bytes());
    out.extend_from_slice(b"\",\"policies\":[");
    for (at, policy) in decision.policies.iter().take(MAX_POLICIES).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_policy(out, masked, "/decision/policies", policy);
    }
    if decision.policies.len() > MAX_POLICIES {
        masked.add_once("/decision/policies");
    }
    out.extend_from_slice(b"],\"errors\":[");
    for (at, error) in decision.errors.iter().take(MAX_ERRORS).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_error(out, masked, request, error);
    }
    if !decision.errors.is_empty() {
        masked.add_once("/decision/errors");
    }
    out.extend_from_slice(b"]}");
}

fn write_policy(out: &mut Vec<u8>, masked: &mut Pointers, pointer: &str, policy: &PolicyRef) {
    out.extend_from_slice(b"{\"id\":");
    text(out, masked, pointer, policy.id.as_bytes(), MAX_POLICY_BYTES);
    out.extend_from_slice(b",\"file\":");
    text(out, masked, pointer, policy.file.as_bytes(), MAX_POLICY_BYTES);
    out.extend_from_slice(b",\"line\":");
    json::number(out, u64::from(policy.line));
    out.push(b'}');
}

fn write_error(
    out: &mut Vec<u8>,
    masked: &mut Pointers,
    request: &AccessRequest,
    error: &EvaluationError,
) {
    out.extend_from_slice(b"{\"policy\":");
    match &error.policy {
        Some(policy) => write_policy(out, masked, "/decision/errors", policy),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"text\":");
    let shown = masking::error_text(&error.text, request);
    json::string(out, shown.as_bytes(), MAX_ERROR_BYTES);
    out.push(b'}');
}

fn text(out: &mut Vec<u8>, masked: &mut Pointers, pointer: &str, value: &[u8], max: usize) {
    if !json::string(out, value, max) {
        masked.add_once(pointer);
    }
}
