//! Case results for people: what did not pass, with what helps to see why.

use std::io::{self, Write};
use std::time::Duration;

use portreeve_core::policy::FailedExpression;
use portreeve_core::policy::cases::{CaseOutcome, CaseResult, Evidence, Summary};
use serde_json::Value;

use super::{place, printable};

/// A test that takes longer is told of: its author waits for it again and again.
const SLOW: Duration = Duration::from_secs(1);

pub(super) fn print(
    out: &mut impl Write,
    results: &[CaseResult],
    summary: Summary,
) -> io::Result<()> {
    for result in results {
        let place = place(&result.file, result.line);
        let name = printable(&result.name);
        match &result.outcome {
            CaseOutcome::Passed => {}
            CaseOutcome::Failed { .. } => writeln!(out, "FAILED {place} {name}")?,
            CaseOutcome::Errored { .. } => writeln!(out, "ERROR {place} {name}")?,
            CaseOutcome::Skipped { reason } => {
                writeln!(out, "skipped {place} {name}: {}", printable(reason))?;
            }
        }
        for line in why(result) {
            writeln!(out, "  {line}")?;
        }
    }
    for result in results {
        if let Some(duration) = result.duration.filter(|duration| *duration > SLOW) {
            let place = place(&result.file, result.line);
            let name = printable(&result.name);
            writeln!(out, "slow {place} {name}: {}", told(duration))?;
        }
    }
    if summary.total() == 0 {
        writeln!(out, "no test was found")?;
    }
    if let Some(total) = super::total(results) {
        writeln!(out, "took {}", told(total))?;
    }
    writeln!(out, "{summary}")
}

/// The lines below the headline of a case that did not pass.
pub(super) fn why(result: &CaseResult) -> Vec<String> {
    let mut lines = Vec::new();
    let Evidence { request, failed_at, prints } = &result.evidence;
    match &result.outcome {
        CaseOutcome::Passed | CaseOutcome::Skipped { .. } => return lines,
        CaseOutcome::Failed { expected, actual, detail } => {
            lines.extend(request.iter().flat_map(request_lines));
            lines.push(format!("expected: {}", printable(expected)));
            lines.push(format!("actual:   {}", printable(actual)));
            lines.extend(detail.iter().map(|detail| format!("because:  {}", printable(detail))));
        }
        CaseOutcome::Errored { message } => {
            lines.extend(message.lines().map(|line| printable(line).into_owned()));
        }
    }
    lines.extend(failed_at.iter().flat_map(expression_lines));
    let prints = prints.iter().flat_map(|print| print.lines());
    lines.extend(prints.map(|print| format!("print:    {}", printable(print))));
    lines
}

/// `request:  path     /orders/1`, a line for each key, the values one under the other.
fn request_lines(request: &Value) -> Vec<String> {
    let Value::Object(members) = request else { return Vec::new() };
    let width = members.keys().map(|key| key.chars().count()).max().unwrap_or_default();
    let line = |(index, (key, value)): (usize, (&String, &Value))| {
        let lead = if index == 0 { "request: " } else { "         " };
        let value = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{lead} {:width$}  {}", printable(key), printable(&value))
    };
    members.iter().enumerate().map(line).collect()
}

/// The place, the expression behind its line number, the values in it one under the other.
fn expression_lines(at: &FailedExpression) -> Vec<String> {
    let mut lines = vec![format!("not true at {}:{}", place(&at.file, at.line), at.column)];
    let number = at.line.to_string();
    for line in at.expression.lines() {
        lines.push(format!("  {number} | {}", printable(line)));
    }
    let blank = " ".repeat(number.len());
    let width = at.values.iter().map(|value| value.expression.chars().count()).max();
    let width = width.unwrap_or_default().min(40);
    for value in &at.values {
        let (expression, value) = (printable(&value.expression), printable(&value.value));
        lines.push(format!("  {blank} |   {expression:width$} = {value}"));
    }
    lines
}

/// `12 ms`, `1.20 s`
fn told(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.2} s", duration.as_secs_f64())
    }
}
