//! Definitions that contradict each other, and defaults that are no constants.

use regorus::unstable::{Expr, Rule, RuleHead};

use super::super::super::{Code, Findings};
use super::super::paths::{RulePath, static_part};
use super::super::rules::{Definition, Kind, Rules};
use super::super::walk::start_of;
use super::report;

/// OPA refuses these too; regorus takes whichever it meets first.
pub(super) fn check_kinds(definitions: &[Definition], findings: &mut Findings) {
    let mut defaults = definitions.iter().filter(|d| matches!(*d.rule, Rule::Default { .. }));
    if let Some(first) = defaults.next() {
        for other in defaults {
            let Definition { path, file, line, .. } = first;
            let message = format!("rule `{path}` has its default at {file}:{line} already");
            report(findings, other.rule.span(), Code::RegoTypeError, message, None);
        }
    }
    let mut kinds = definitions.iter().filter(|d| d.kind != Kind::Default);
    let Some(first) = kinds.next() else { return };
    for other in kinds.filter(|other| other.kind != first.kind) {
        let message = format!(
            "rule `{}` is of another kind than its definition at {}:{}",
            other.path, first.file, first.line
        );
        report(findings, other.rule.span(), Code::RegoTypeError, message, None);
    }
}

/// A rule below another that has a value of its own, and of which it would be a part.
pub(super) fn check_overlap(
    path: &RulePath,
    definitions: &[Definition],
    rules: &Rules,
    findings: &mut Findings,
) {
    let Some(whole) = definitions.iter().find(|definition| is_whole(&definition.rule)) else {
        return;
    };
    for below in rules.below(path).filter_map(|below| rules.at(below).first()) {
        let message = format!(
            "rule `{}` lies inside rule `{path}`, which {}:{} gives a value of its own",
            below.path, whole.file, whole.line
        );
        report(findings, below.rule.span(), Code::RegoTypeError, message, None);
    }
}

/// Whether nothing in the head is computed: `a.b := 1`, and not `a[x] := 1`.
fn is_whole(rule: &Rule) -> bool {
    let refr = match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec { head, .. } => match head {
            RuleHead::Compr { refr, .. }
            | RuleHead::Set { refr, .. }
            | RuleHead::Func { refr, .. } => refr,
        },
    };
    static_part(refr).is_some_and(|path| path.is_whole)
}

/// A default is the value where nothing can be evaluated.
pub(super) fn check_default(definition: &Definition, findings: &mut Findings) {
    let Rule::Default { value, .. } = &*definition.rule else { return };
    if let Some(found) = computed(value) {
        let message = format!("the default of `{}` is not a constant", definition.path);
        let hint = Some("write the value itself; an `else` may compute one");
        report(findings, start_of(found), Code::RegoParseError, message, hint);
    }
}

/// The first part of a value that is no constant; comprehensions are OPA's to allow.
fn computed(value: &Expr) -> Option<&Expr> {
    match value {
        Expr::String { .. }
        | Expr::RawString { .. }
        | Expr::Number { .. }
        | Expr::Bool { .. }
        | Expr::Null { .. }
        | Expr::ArrayCompr { .. }
        | Expr::SetCompr { .. }
        | Expr::ObjectCompr { .. } => None,
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().find_map(|item| computed(item))
        }
        Expr::Object { fields, .. } => {
            fields.iter().find_map(|(_, key, value)| computed(key).or_else(|| computed(value)))
        }
        Expr::UnaryExpr { expr, .. } => computed(expr),
        Expr::Call { fcn, .. } => Some(fcn),
        Expr::Var { .. }
        | Expr::RefDot { .. }
        | Expr::RefBrack { .. }
        | Expr::BinExpr { .. }
        | Expr::BoolExpr { .. }
        | Expr::ArithExpr { .. }
        | Expr::AssignExpr { .. }
        | Expr::Membership { .. } => Some(value),
    }
}
