//! What is allowed and probably not meant, or costs more than it looks.

use regorus::unstable::{Expr, Query, Rule, RuleHead, Span};

use super::super::super::{Finding, Findings, Severity};
use super::super::module_files::is_test;
use super::super::names::{Names, dotted};
use super::super::paths::static_part;
use super::super::rules::Definition;
use super::super::walk::{Call, Uses, start_of};

/// Builtins whose first argument is a pattern that is compiled.
const PATTERNS: [&str; 8] = [
    "regex.match",
    "regex.is_valid",
    "regex.split",
    "regex.find_n",
    "regex.find_all_string_submatch_n",
    "regex.template_match",
    "regex.globs_match",
    "glob.match",
];

/// Warns about one definition; tests may do what they like.
pub(super) fn check_hazards(
    definition: &Definition,
    uses: &Uses,
    names: &Names<'_>,
    findings: &mut Findings,
) {
    if is_test(&definition.file) {
        return;
    }
    check_allow(definition, findings);
    for call in uses.calls.iter().filter(|call| !call.is_replacement) {
        if names.function(&call.name).is_none() {
            check_call(call, names, findings);
        }
    }
}

/// `allow` that holds for every request, written out.
fn check_allow(definition: &Definition, findings: &mut Findings) {
    if definition.path.0.last().is_none_or(|name| name != "allow") {
        return;
    }
    let (value, message, hint) = match &*definition.rule {
        Rule::Default { value, .. } => (
            Some(value),
            "`allow` is true by default: every request passes that no rule denies",
            "write `default allow := false` and say what is allowed",
        ),
        Rule::Spec { head: RuleHead::Compr { assign, .. }, bodies, .. }
            if bodies.iter().all(|body| is_empty(&body.query)) =>
        {
            (
                assign.as_ref().map(|assign| &assign.value),
                "`allow` is true for every request",
                "give it a condition with `if`",
            )
        }
        Rule::Spec { .. } => return,
    };
    if let Some(value) = value
        && matches!(&**value, Expr::Bool { value, .. } if value.as_bool().is_ok_and(|b| *b))
    {
        warn(findings, definition.rule.span(), message.to_owned(), hint);
    }
}

fn is_empty(query: &Query) -> bool {
    query.stmts.is_empty()
}

fn check_call(call: &Call, names: &Names<'_>, findings: &mut Findings) {
    let name = dotted(&call.name);
    match name.as_str() {
        "print" | "trace" => {
            let message = format!("`{name}` is left in: its output goes nowhere");
            warn(findings, &call.span, message, "remove it, or keep it in a test");
        }
        "walk" if call.arguments.first().is_some_and(|document| is_input(document, names)) => {
            let message = "`walk` visits every value of the input".to_owned();
            warn(findings, &call.span, message, "name the part of the input that is meant");
        }
        _ if PATTERNS.contains(&name.as_str()) => {
            if let Some(pattern) = call.arguments.first()
                && let Some(path) = static_part(pattern)
                && names.input_path(&path.root).is_some()
            {
                let message = format!("the caller chooses the pattern of `{name}`");
                let hint = "write the pattern into the policy, or keep it in data";
                warn(findings, start_of(pattern), message, hint);
            }
        }
        _ => {}
    }
}

/// The whole document, and not a part of it.
fn is_input(expr: &Expr, names: &Names<'_>) -> bool {
    matches!(expr, Expr::Var { span, .. }
        if names.input_path(span.text()).is_some_and(<[String]>::is_empty))
}

fn warn(findings: &mut Findings, at: &Span, message: String, hint: &str) {
    let finding = Finding::new(Severity::Warning, at.source.file(), at.line, at.col, message);
    findings.0.push(Finding { hint: Some(hint.to_owned()), ..finding });
}
