//! Arithmetic that can leave the range of 64-bit integers: the one error of an evaluated policy that
//! strict validation lets through, and under our rule an error denies.

use serde_json::{Map, Value};

use super::Findings;
use super::parse::ParsedFile;
use super::place::warn_at;
use super::scan::tokens;

/// Far more segments than any path may have.
const MOST_SEGMENTS: i128 = 1 << 20;
const ALL: Range = Range { least: i64::MIN as i128, most: i64::MAX as i128 };

/// What a number can be.
#[derive(Clone, Copy)]
struct Range {
    least: i128,
    most: i128,
}

/// Warns about the first such operation of each policy and template.
pub(super) fn check(file: &ParsedFile<'_>, findings: &mut Findings) {
    for (id, statement) in &file.statements {
        let body = file.source.text.get(statement.start..statement.end).unwrap_or_default();
        // The JSON form costs as much as parsing the policy did.
        if !tokens(body).any(|(_, token)| ["+", "-", "*"].contains(&token)) {
            continue;
        }
        let policy = file.set.policy(id).and_then(|policy| policy.to_json().ok());
        let json = policy.or_else(|| file.set.template(id)?.to_json().ok());
        let Some(operator) = json.as_ref().and_then(overflowing) else { continue };
        let place = tokens(body).find(|(_, token)| *token == operator);
        let offset = statement.start + place.map_or(0, |(offset, _)| offset);
        let message = format!(
            "`{operator}` can leave the range of 64-bit integers, which is an error when it happens"
        );
        let hint = "an error in any policy denies the request: compare without arithmetic, or keep \
                    to `context.segment_count` and literals";
        warn_at(findings, file.source, offset, message, hint);
    }
}

/// The first operator of a policy's JSON form that can overflow.
fn overflowing(policy: &Value) -> Option<&'static str> {
    let mut found = None;
    let conditions = policy.get("conditions").and_then(Value::as_array);
    for body in conditions.into_iter().flatten().filter_map(|condition| condition.get("body")) {
        range(body, &mut found);
    }
    found
}

/// What an expression can be, where it is a number; `found` gets the first operator that overflows.
fn range(expression: &Value, found: &mut Option<&'static str>) -> Range {
    match expression {
        Value::Object(object) => {
            let mut ranges = object.iter().map(|(name, operand)| operator(name, operand, found));
            let first = ranges.next();
            ranges.for_each(drop);
            first.unwrap_or(ALL)
        }
        Value::Array(items) => {
            items.iter().for_each(|item| _ = range(item, found));
            ALL
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => ALL,
    }
}

fn operator(name: &str, operand: &Value, found: &mut Option<&'static str>) -> Range {
    let mut part = |name: &str| operand.get(name).map_or(ALL, |part| range(part, found));
    match name {
        "Value" => operand.as_i64().map_or(ALL, |value| Range::of([i128::from(value)])),
        "Var" | "Slot" => ALL,
        // Its keys are the author's words, not operators.
        "Record" => {
            let fields = operand.as_object().into_iter().flat_map(Map::values);
            fields.for_each(|field| _ = range(field, found));
            ALL
        }
        "." if is_segment_count(operand) => Range { least: 0, most: MOST_SEGMENTS },
        "if-then-else" => {
            let (_, yes, no) = (part("if"), part("then"), part("else"));
            Range::of([yes.least, yes.most, no.least, no.most])
        }
        "+" => {
            let (left, right) = (part("left"), part("right"));
            Range::of([left.least + right.least, left.most + right.most]).held("+", found)
        }
        "-" => {
            let (left, right) = (part("left"), part("right"));
            Range::of([left.least - right.most, left.most - right.least]).held("-", found)
        }
        "*" => {
            let (left, right) = (part("left"), part("right"));
            let ends = [left.least * right.least, left.least * right.most];
            let other_ends = [left.most * right.least, left.most * right.most];
            Range::of(ends.into_iter().chain(other_ends)).held("*", found)
        }
        "neg" => {
            let inner = part("arg");
            Range::of([-inner.least, -inner.most]).held("-", found)
        }
        _ => range(operand, found),
    }
}

fn is_segment_count(operand: &Value) -> bool {
    let is_context = operand.pointer("/left/Var").is_some_and(|variable| variable == "context");
    is_context && operand.get("attr").is_some_and(|name| name == "segment_count")
}

impl Range {
    fn of(ends: impl IntoIterator<Item = i128>) -> Self {
        let none = Self { least: i128::MAX, most: i128::MIN };
        ends.into_iter().fold(none, |range, end| Self {
            least: range.least.min(end),
            most: range.most.max(end),
        })
    }

    /// What is left where the operation is no error.
    fn held(self, operator: &'static str, found: &mut Option<&'static str>) -> Self {
        if self.least < ALL.least || self.most > ALL.most {
            found.get_or_insert(operator);
        }
        Self {
            least: self.least.clamp(ALL.least, ALL.most),
            most: self.most.clamp(ALL.least, ALL.most),
        }
    }
}
