//! Coverage for machines: OPA's document for Rego, with Cedar and the whole beside its files.

use portreeve_core::policy::{
    ClauseCoverage, Count, LineCoverage, OperandCoverage, PolicyCoverage, Seen,
};
use serde_json::{Map, Value, json};

use super::Measured;

pub(super) fn document(measured: &Measured) -> Value {
    let coverage = &measured.coverage;
    let (lines, outcomes, total) = (coverage.lines(), coverage.outcomes(), coverage.total());
    let files: Map<String, Value> =
        coverage.rego.iter().map(|lines| (lines.file.clone(), file(lines))).collect();
    let missing = measured.missing.iter();
    let missing: Vec<Value> =
        missing.map(|(bundle, why)| json!({ "bundle": bundle, "why": why })).collect();
    json!({
        "files": files,
        "covered_lines": lines.covered,
        "not_covered_lines": left(lines),
        "coverage": lines.percent(),
        "cedar": {
            "policies": coverage.cedar.iter().map(policy).collect::<Vec<_>>(),
            "covered_outcomes": outcomes.covered,
            "not_covered_outcomes": left(outcomes),
            "coverage": outcomes.percent(),
        },
        "total": {
            "covered": total.covered,
            "not_covered": left(total),
            "coverage": total.percent(),
        },
        "not_measured": missing,
        "threshold": measured.threshold,
        "meets_threshold": measured.shortfall().is_none(),
    })
}

fn left(count: Count) -> usize {
    count.total.saturating_sub(count.covered)
}

fn file(lines: &LineCoverage) -> Value {
    let count = lines.count();
    json!({
        "covered": ranges(&lines.reached()),
        "not_covered": ranges(&lines.gaps()),
        "covered_lines": count.covered,
        "not_covered_lines": left(count),
        "coverage": count.percent(),
    })
}

fn ranges(ranges: &[(u32, u32)]) -> Vec<Value> {
    let range =
        |(first, last): &(u32, u32)| json!({ "start": { "row": first }, "end": { "row": last } });
    ranges.iter().map(range).collect()
}

fn policy(policy: &PolicyCoverage) -> Value {
    let count = policy.count();
    json!({
        "id": policy.id,
        "file": policy.file,
        "line": policy.line,
        "in_scope": policy.was_in_scope,
        "satisfied": policy.was_satisfied,
        "conditions": policy.clauses.iter().map(condition).collect::<Vec<_>>(),
        "covered_outcomes": count.covered,
        "not_covered_outcomes": left(count),
    })
}

fn condition(clause: &ClauseCoverage) -> Value {
    json!({
        "clause": clause.clause.as_str(),
        "line": clause.line,
        "seen": seen(clause.seen),
        "operands": clause.operands.iter().map(operand).collect::<Vec<_>>(),
    })
}

fn operand(operand: &OperandCoverage) -> Value {
    json!({ "text": operand.text, "line": operand.line, "seen": seen(operand.seen) })
}

fn seen(seen: Seen) -> Value {
    json!({ "true": seen.r#true, "false": seen.r#false, "error": seen.error })
}
