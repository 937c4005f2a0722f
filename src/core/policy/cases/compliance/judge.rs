//! What a case wants, held against what came.

use regorus::Value;

use super::super::CaseOutcome;
use super::bindings;
use crate::policy::rego::{Answer, BuiltinErrors, Question, ask, is_raised_by_ours};

/// Longer values are cut in what people read.
const MAX_SHOWN_CHARACTERS: usize = 400;
/// What the engine says where one thing has two values: a rule, two rules, a key of a comprehension.
const CONFLICTS: [&str; 3] =
    ["multiple outputs", "rule conflicts with rule", "generated multiple times"];
/// What the engine says when it has taken too long.
const TIME_LIMIT: &str = "execution exceeded time limit";

#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Bindings { bindings: Vec<Value>, sorts: bool },
    Defined(bool),
    Error(ErrorKind),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ErrorKind {
    /// At load, by a finding that contains the text.
    Refused(Option<String>),
    Conflict,
    /// An evaluation error that is no conflict.
    Builtin,
    Evaluation,
}

pub(super) fn run(question: &Question, wanted: &Wanted, is_strict: bool) -> CaseOutcome {
    let answer = ask(question, BuiltinErrors::Strict);
    if is_as_wanted(wanted, &answer) {
        return CaseOutcome::Passed;
    }
    let detail = why_strict(question, wanted, is_strict, &answer).map(str::to_owned);
    CaseOutcome::Failed { expected: wanted_text(wanted), actual: answer_text(&answer), detail }
}

/// Says so where the case only fails because an error of a builtin is an error here.
fn why_strict(
    question: &Question,
    wanted: &Wanted,
    is_strict: bool,
    answer: &Answer,
) -> Option<&'static str> {
    let Answer::Error(text) = answer else { return None };
    if is_strict || matches!(wanted, Wanted::Error(_)) {
        return None;
    }
    if is_as_wanted(wanted, &ask(question, BuiltinErrors::Undefined)) {
        return Some("it passes where an error of a builtin is undefined");
    }
    // The engine knows no undefined result of ours.
    is_raised_by_ours(text).then_some("the case wants an error of a builtin of ours undefined")
}

fn is_as_wanted(wanted: &Wanted, answer: &Answer) -> bool {
    match (wanted, answer) {
        (Wanted::Bindings { bindings, sorts }, Answer::Bindings(came)) => {
            bindings::set_of(bindings, *sorts) == bindings::set_of(came, *sorts)
        }
        (Wanted::Defined(is_defined), Answer::Bindings(came)) => *is_defined != came.is_empty(),
        (Wanted::Error(ErrorKind::Refused(text)), Answer::Refused(findings)) => {
            text.as_ref().is_none_or(|text| findings.contains(text))
        }
        (Wanted::Error(kind), Answer::Error(text)) => is_kind(kind, text),
        (Wanted::Bindings { .. } | Wanted::Defined(_), _) | (Wanted::Error(_), _) => false,
    }
}

fn is_kind(kind: &ErrorKind, text: &str) -> bool {
    let is_conflict = CONFLICTS.iter().any(|conflict| text.contains(conflict));
    !text.contains(TIME_LIMIT)
        && match kind {
            ErrorKind::Refused(_) => false,
            ErrorKind::Conflict => is_conflict,
            ErrorKind::Builtin => !is_conflict,
            ErrorKind::Evaluation => true,
        }
}

fn wanted_text(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Bindings { bindings, sorts } => {
            bindings_text(&bindings::set_of(bindings, *sorts).into_iter().collect::<Vec<_>>())
        }
        Wanted::Defined(true) => "any result".to_owned(),
        Wanted::Defined(false) => "no result".to_owned(),
        Wanted::Error(ErrorKind::Refused(None)) => "refused at load".to_owned(),
        Wanted::Error(ErrorKind::Refused(Some(text))) => format!("refused at load: …{text}…"),
        Wanted::Error(ErrorKind::Conflict) => "an evaluation error: two values".to_owned(),
        Wanted::Error(ErrorKind::Builtin | ErrorKind::Evaluation) => {
            "an evaluation error".to_owned()
        }
    }
}

fn answer_text(answer: &Answer) -> String {
    match answer {
        Answer::Refused(findings) => format!("refused at load: {}", shown(findings)),
        Answer::Error(text) => format!("an evaluation error: {}", shown(text)),
        Answer::Panicked => "the engine panicked".to_owned(),
        Answer::Bindings(came) => bindings_text(came),
    }
}

fn bindings_text(bindings: &[Value]) -> String {
    if bindings.is_empty() {
        return "no result".to_owned();
    }
    let texts: Vec<String> = bindings.iter().map(ToString::to_string).collect();
    shown(&texts.join(", "))
}

fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace('\n', "; ")
}
