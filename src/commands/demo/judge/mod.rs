//! What should have come back, held against what did. Pure: it reads texts and gives verdicts.

use std::fmt::Display;
use std::time::Duration;

use portreeve_core::request::DECISION_ID_HEADER;
use serde_json::Value;

use super::world::workload;

/// The promise: a commit decides within two seconds.
pub(super) const DECIDES_WITHIN: Duration = Duration::from_secs(2);

/// A command that has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ran {
    /// `None` where a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// What `portreeve call` says of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) server: String,
    /// The decision's id.
    pub(super) id: String,
}

/// A decision's record, as far as the demo compares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) id: String,
    pub(super) outcome: String,
    /// The policies that decided: `orders.cedar:6`.
    pub(super) places: Vec<String>,
    pub(super) commit: String,
}

/// One thing that should be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) passed: bool,
    pub(super) text: String,
}

impl Ran {
    /// Reads `403 from spiffe://demo.test/orders (decision ID)`; empty where that is not said.
    pub(super) fn answer(&self) -> Answer {
        let read = |line: &str| {
            let (status, rest) = line.split_once(" from ")?;
            let (server, rest) = rest.split_once(" (decision ")?;
            let id = rest.strip_suffix(')')?;
            let owned = str::to_owned;
            Some(Answer { status: owned(status), server: owned(server), id: owned(id) })
        };
        self.err.lines().find_map(read).unwrap_or_default()
    }
}

impl Decision {
    pub(super) fn read(record: &Value) -> Self {
        let text = |value: &Value, pointer: &str| {
            value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let policies = record.pointer("/decision/policies").and_then(Value::as_array);
        let place = |policy: &Value| {
            let line = policy.get("line").and_then(Value::as_u64).unwrap_or_default();
            format!("{}:{line}", text(policy, "/file"))
        };
        Self {
            id: text(record, "/id"),
            outcome: text(record, "/decision/outcome"),
            places: policies.into_iter().flatten().map(place).collect(),
            commit: text(record, "/policy/commit"),
        }
    }
}

pub(super) fn allowed(ran: &Ran, served: u64) -> Vec<Verdict> {
    let body: Value = serde_json::from_str(&ran.out).unwrap_or_default();
    let caller = body.get("caller").and_then(Value::as_str).unwrap_or("nobody");
    let mut verdicts = answered(ran, 0, "200");
    verdicts.push(same("the service saw the caller as", workload("web").as_str(), caller));
    verdicts.push(same("requests that reached the service:", 1, served));
    verdicts
}

pub(super) fn denied(ran: &Ran, served: u64) -> Vec<Verdict> {
    let mut verdicts = answered(ran, 1, "403");
    verdicts.push(holds(
        !ran.answer().id.is_empty() && ran.out.contains(&ran.answer().id),
        format!("the body and `{DECISION_ID_HEADER}` carry the same id"),
    ));
    verdicts.push(same("requests that reached the service:", 1, served));
    verdicts
}

/// `denied` is the answer that is to be explained.
pub(super) fn explained(ran: &Ran, denied: &Answer, commit: &str) -> Vec<Verdict> {
    let tells = |what: &str, text: &str| {
        let shown = !text.is_empty() && ran.out.contains(text);
        holds(shown, format!("{what} is told: {text}"))
    };
    vec![
        same("exit code", "0", &code(ran)),
        tells("the id of call 2", &denied.id),
        tells("the reason", "deny: not_allowed"),
        tells("the caller", &workload("web")),
        tells("the commit of the policy", commit),
    ]
}

/// Edit and commit, then the call, which ended `after` them; `commits` stand before and after.
pub(super) fn changed(
    change: &[Ran],
    call: &Ran,
    commits: [&str; 2],
    after: Duration,
) -> Vec<Verdict> {
    let [before, now] = commits;
    let codes: Vec<_> = change.iter().map(code).collect();
    let mut verdicts = vec![
        same("exit codes of edit and commit", "0, 0", codes.join(", ").as_str()),
        holds(before != now, "the repository stands at another commit".to_owned()),
    ];
    verdicts.extend(answered(call, 0, "200"));
    let (within, after_s) = (DECIDES_WITHIN.as_secs(), after.as_secs_f64());
    let text = format!("decided within {within} s of the commit: {after_s:.2} s");
    verdicts.push(holds(after <= DECIDES_WITHIN, text));
    verdicts
}

/// The log against the answers, in the order of the calls.
pub(super) fn logged(
    ran: &Ran,
    decisions: &[Decision],
    expected: &[Decision; 3],
    served: u64,
) -> Vec<Verdict> {
    let list = |of: fn(&Decision) -> String, decisions: &[Decision]| {
        decisions.iter().map(of).collect::<Vec<_>>().join(", ")
    };
    let compare = |what: &str, of: fn(&Decision) -> String| {
        same(what, &list(of, expected), &list(of, decisions))
    };
    let shown = expected.iter().all(|it| !it.id.is_empty() && ran.out.contains(&it.id));
    let allows = expected.iter().filter(|it| it.outcome == "allow").count();
    vec![
        same("exit code", "0", &code(ran)),
        holds(shown, "each of the three decisions is shown by its id".to_owned()),
        compare("outcomes in the log:", |it| it.outcome.clone()),
        holds(
            list(|it| it.id.clone(), expected) == list(|it| it.id.clone(), decisions),
            "their ids are those of the responses".to_owned(),
        ),
        compare("policies that decided:", |it| match it.places.as_slice() {
            [] => "none".to_owned(),
            places => places.join(" and "),
        }),
        compare("commits:", |it| it.commit.chars().take(8).collect()),
        same("requests that reached the service:", allows as u64, served),
    ]
}

/// Where the policy begins whose text holds `part`: behind the last empty line and its comments.
pub(super) fn line_of_policy(text: &str, part: &str) -> usize {
    let mut begin = 0;
    for (position, line) in text.lines().enumerate() {
        if line.contains(part) {
            return begin + 1;
        }
        if line.is_empty() || line.starts_with(['#', '/']) {
            begin = position + 1;
        }
    }
    0
}

fn answered(ran: &Ran, exit: i32, status: &str) -> Vec<Verdict> {
    let answer = ran.answer();
    vec![
        same("exit code", &exit.to_string(), &code(ran)),
        same("status", status, &answer.status),
        same("answered by", &workload("orders"), &answer.server),
    ]
}

fn code(ran: &Ran) -> String {
    ran.code.map_or_else(|| "none: a signal ended it".to_owned(), |code| code.to_string())
}

fn same<T: PartialEq + Display>(what: &str, expected: T, seen: T) -> Verdict {
    let passed = expected == seen;
    let text = if passed {
        format!("{what} {expected}")
    } else {
        format!("{what} `{seen}`, and it should be `{expected}`")
    };
    Verdict { passed, text }
}

fn holds(passed: bool, text: String) -> Verdict {
    Verdict { passed, text }
}

#[cfg(test)]
mod tests;
