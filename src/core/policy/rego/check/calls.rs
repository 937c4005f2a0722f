//! Calls: builtins that do not exist, leave the process or do not repeat, and builtins whose cost an
//! argument sets.

use regorus::unstable::{BUILTINS, Expr};

use super::super::super::{Code, Findings};
use super::super::builtins;
use super::super::names::{Names, builtin_arity, dotted};
use super::super::paths::RulePath;
use super::super::rules::{Definition, Kind, Rules, package_of};
use super::super::walk::{Call, Reference};
use super::report;

/// The longest range that `numbers.range` may build.
const MAX_RANGE: u64 = 10_000;

/// The function of the bundle that is called, if it is one.
pub(super) fn check_call(
    call: &Call,
    definition: &Definition,
    names: &Names<'_>,
    rules: &Rules,
    findings: &mut Findings,
) -> Option<RulePath> {
    let Some(function) = names.function(&call.name) else {
        check_builtin(call, definition, findings);
        return None;
    };
    check_arity(call, &function, rules, findings);
    Some(function)
}

fn check_arity(call: &Call, function: &RulePath, rules: &Rules, findings: &mut Findings) {
    let Some(Kind::Function { arity }) = rules.at(function).first().map(|d| d.kind) else { return };
    if !call.is_replacement && !takes(call, arity, true) {
        let given = call.arguments.len();
        at(call, findings, format!("`{function}` takes {arity} arguments, not {given}"));
    }
}

/// One more argument than a function takes receives its result, in a statement. The engine has that
/// form of functions and of its own builtins; of ours, none that it knows is left after the rewriting.
const fn takes(call: &Call, arity: usize, may_receive: bool) -> bool {
    let given = call.arguments.len();
    given == arity || (given == arity + 1 && may_receive && call.is_statement)
}

fn check_builtin(call: &Call, definition: &Definition, findings: &mut Findings) {
    let name = dotted(&call.name);
    if let Some(reason) = builtins::reason_refused(&name) {
        return at(call, findings, format!("the builtin `{name}` is not allowed: {reason}"));
    }
    if call.is_replacement {
        return;
    }
    if name == "print" {
        return;
    }
    let Some(arity) = builtin_arity(&name) else {
        let package = package_of(&definition.module);
        let message = format!("`{name}` is no builtin function and no function of `{package}`");
        return at(call, findings, message);
    };
    let may_receive = BUILTINS.contains_key(name.as_str()) && name != "time.now_ns";
    if !takes(call, arity, may_receive) {
        let given = call.arguments.len();
        at(call, findings, format!("`{name}` takes {arity} arguments, not {given}"));
    }
    if name.starts_with("numbers.range") {
        check_range(call, &name, findings);
    }
}

/// What the policy writes out; the call itself refuses what the input sets too far.
fn check_range(call: &Call, name: &str, findings: &mut Findings) {
    let written: Option<Vec<i64>> = call.arguments.iter().map(|a| number(a)).collect();
    let Some([first, last, rest @ ..]) = written.as_deref() else { return };
    let step =
        rest.first().filter(|_| name != "numbers.range").map_or(1, |step| step.unsigned_abs());
    let steps = first.abs_diff(*last).checked_div(step).unwrap_or_default();
    if steps >= MAX_RANGE {
        let message = format!("`{name}` builds more than {MAX_RANGE} numbers");
        at(call, findings, message);
    }
}

fn number(expr: &Expr) -> Option<i64> {
    if let Expr::Number { value, .. } = expr {
        value.as_i64().ok()
    } else if let Expr::UnaryExpr { expr, .. } = expr {
        number(expr).map(i64::saturating_neg)
    } else {
        None
    }
}

fn at(call: &Call, findings: &mut Findings, message: String) {
    report(findings, &call.span, Code::RegoTypeError, message, None);
}

/// A function that stands where a value is read.
pub(super) fn check_reference(
    reference: &Reference,
    path: &RulePath,
    rules: &Rules,
    findings: &mut Findings,
) {
    let is_function = rules.at(path).first().is_some_and(Definition::is_function);
    if is_function && !reference.is_replacement {
        let message = format!("`{path}` is a function: it has a value only where it is called");
        report(findings, &reference.span, Code::RegoTypeError, message, None);
    }
}

/// `with` replaces the input, data, functions and builtins, and nothing else.
pub(super) fn check_target(target: &Reference, names: &Names<'_>, findings: &mut Findings) {
    let root = target.name.root.as_str();
    let is_document = root == "input" || root == "data" || names.is_import(root);
    if !is_document && !names.is_callable(&target.name) {
        let message = format!("`with` cannot replace `{}`", dotted(&target.name));
        let hint = Some("it replaces parts of `input` and `data`, functions and builtins");
        return report(findings, &target.span, Code::RegoTypeError, message, hint);
    }
    // The engine looks for these only where they are called.
    let name = dotted(&target.name);
    let is_ours_alone = builtins::arity(&name).is_some() && !BUILTINS.contains_key(name.as_str());
    if !is_document && is_ours_alone && names.function(&target.name).is_none() {
        let message = format!("`with` cannot replace the builtin `{name}`");
        let hint = Some("call it in a function of your own, and replace that function");
        report(findings, &target.span, Code::RegoTypeError, message, hint);
    }
}
