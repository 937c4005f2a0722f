//! The log as an auditor reads it, and what must hold of every log and every upstream.

use std::collections::BTreeMap;
use std::path::Path;

use portreeve::audit;
use serde_json::Value;

use super::Seen;

/// All records of a log, in order; the first line that is not one fails the test.
pub(crate) fn read_log(dir: &Path) -> Vec<Value> {
    let lines = audit::read(dir).unwrap();
    lines.map(|line| serde_json::from_slice(&line.unwrap()).unwrap()).collect()
}

pub(crate) fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| text(record, "/kind") == kind).collect()
}

pub(crate) fn decisions(records: &[Value]) -> Vec<&Value> {
    of_kind(records, "decision")
}

/// A member as text: a string without its quotes, anything else as JSON, nothing as the empty text.
pub(crate) fn text(record: &Value, pointer: &str) -> String {
    match record.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// O1 and O2 of the list of attacks: whatever reached the upstream has exactly one record that permits
/// it, which stood in the log by then; sequence numbers have no gap and decisions have one record each.
#[track_caller]
pub(crate) fn check_oracles(records: &[Value], seen: &[Seen]) {
    for (at, record) in records.iter().enumerate() {
        assert_eq!(text(record, "/seq"), (at + 1).to_string(), "{record}");
    }
    let mut by_id: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for decision in decisions(records) {
        by_id.entry(text(decision, "/id")).or_default().push(decision);
    }
    for (id, decisions) in &by_id {
        assert_eq!(decisions.len(), 1, "decision {id} is recorded more than once");
    }
    let mut forwarded = BTreeMap::new();
    for request in seen {
        let id = request.decision_id();
        let decision = by_id.get(&id).map(|decisions| decisions[0]);
        assert!(decision.is_some(), "no record of {} {}", request.method, request.target);
        let ground = text(decision.unwrap(), "/decision/ground");
        assert!(matches!(&*ground, "allowed" | "shadow"), "forwarded without a permit: {id}");
        assert!(request.was_recorded != Some(false), "forwarded before its record: {id}");
        let times = forwarded.entry(id).or_insert(0);
        *times += 1;
        assert_eq!(*times, 1, "one decision, forwarded twice: {}", request.target);
    }
}
