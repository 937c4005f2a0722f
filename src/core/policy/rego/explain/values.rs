//! Values as an explanation shows them: Rego's way to write them, on one line, cut where they are long.
//! What is hidden is taken out of each text before anything is cut: half a credential is found nowhere.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use regorus::Value;

use crate::policy::explanation::{MASK, Masks, cut};

/// Characters that are written before the rest is left out.
const MAX_WRITTEN: usize = 400;

/// A value; of one that may be what a record masks only whether it is true, false or empty.
pub(super) fn shown(value: &Value, is_masked: bool, masks: &Masks<'_>) -> String {
    match value {
        Value::Undefined => "undefined".to_owned(),
        Value::Null | Value::Bool(_) => written(value, masks),
        Value::Set(members) if members.is_empty() => written(value, masks),
        Value::Array(items) if items.is_empty() => written(value, masks),
        _ if is_masked => MASK.to_owned(),
        Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Set(_)
        | Value::Object(_) => cut(&written(value, masks)),
    }
}

fn written(value: &Value, masks: &Masks<'_>) -> String {
    let mut text = String::new();
    write(value, masks, &mut text);
    text
}

fn write(value: &Value, masks: &Masks<'_>, out: &mut String) {
    match value {
        Value::Undefined => out.push_str("undefined"),
        Value::Null | Value::Bool(_) => {
            // A string takes every write.
            let _ = write!(out, "{value}");
        }
        Value::Number(_) => out.push_str(&masks.hide(&value.to_string())),
        Value::String(text) => {
            let left = MAX_WRITTEN.saturating_sub(out.len()).max(1);
            let text: String = masks.hide(text).chars().take(left).collect();
            let _ = write!(out, "{}", serde_json::Value::from(text));
        }
        Value::Array(items) => {
            out.push('[');
            list(items.iter(), masks, out);
            out.push(']');
        }
        Value::Set(items) if items.is_empty() => out.push_str("set()"),
        Value::Set(items) => {
            let mut items: Vec<&Value> = items.iter().collect();
            items.sort();
            out.push('{');
            list(items.into_iter(), masks, out);
            out.push('}');
        }
        Value::Object(members) => {
            out.push('{');
            for (number, (key, member)) in members.iter_sorted().enumerate() {
                if out.len() > MAX_WRITTEN {
                    out.push('…');
                    break;
                }
                out.push_str(if number > 0 { ", " } else { "" });
                write(key, masks, out);
                out.push_str(": ");
                write(member, masks, out);
            }
            out.push('}');
        }
    }
}

fn list<'a>(items: impl Iterator<Item = &'a Value>, masks: &Masks<'_>, out: &mut String) {
    for (number, item) in items.enumerate() {
        if out.len() > MAX_WRITTEN {
            return out.push('…');
        }
        out.push_str(if number > 0 { ", " } else { "" });
        write(item, masks, out);
    }
}

/// The texts and numbers in a value.
pub(super) fn leaves(value: &Value, found: &mut BTreeSet<Value>) {
    match value {
        Value::Undefined | Value::Null | Value::Bool(_) => {}
        Value::Number(_) | Value::String(_) => {
            found.insert(value.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Set(items) => items.iter().for_each(|item| leaves(item, found)),
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            leaves(key, found);
            leaves(member, found);
        }),
    }
}
