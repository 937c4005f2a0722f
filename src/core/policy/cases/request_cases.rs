//! Our own cases, `*_test.yaml`: a request, the decision that is expected of it, in either language.
//!
//! ```yaml
//! cases:
//!   - name: the shop may read orders
//!     request: {source: spiffe://prod.example.org/shop, method: GET, path: /orders/1}
//!     expect: allow
//!     policy: orders.cedar:3
//! ```

use marked_yaml::Node;
use marked_yaml::types::{MarkedMappingNode, MarkedScalarNode};
use serde_json::Value;

use super::super::{Bundle, decide};
use super::expectation::{Expectation, outcome_of, reason_of};
use super::mask::without_credentials;
use super::yaml::{self, Wrong};
use super::{CaseOutcome, CaseResult, MAX_CASES};
use crate::request::{AccessRequest, DocumentError};

const KEYS: [&str; 6] = ["name", "request", "input", "expect", "reason", "policy"];

/// Line and name of a case, and the case or what is wrong with it.
type Entry = (u32, String, Result<Case, Wrong>);

/// One case as it stands in the file.
#[derive(Debug, PartialEq)]
struct Case {
    subject: Subject,
    expect: Expectation,
}

/// What is decided.
#[derive(Debug, PartialEq)]
enum Subject {
    /// Under `request`: what differs from an ordinary request.
    Described(Value),
    /// Under `input`: an input document with every key.
    Document(Value),
}

pub(super) fn run(path: &str, text: &str, bundle: &Bundle) -> Vec<CaseResult> {
    let cases = match read(text) {
        Ok(cases) => cases,
        Err(wrong) => return vec![CaseResult::unreadable(path, wrong.line, wrong.message)],
    };
    let run = |(line, name, case): Entry| match case {
        Ok(case) => run_case(path, line, name, &case, bundle),
        Err(wrong) => CaseResult::new(path, wrong.line, name, CaseOutcome::errored(wrong.message)),
    };
    cases.into_iter().map(run).collect()
}

/// What the selected cases ask, as far as they can be read.
pub(super) fn requests(text: &str, is_selected: &dyn Fn(&str) -> bool) -> Vec<AccessRequest> {
    let cases = read(text).unwrap_or_default().into_iter();
    let selected = cases.filter(|(_, name, _)| is_selected(name));
    selected.filter_map(|(_, _, case)| case.ok()?.subject.request().ok()).collect()
}

impl Subject {
    fn request(&self) -> Result<AccessRequest, DocumentError> {
        match self {
            Self::Described(value) => AccessRequest::described(value),
            Self::Document(value) => AccessRequest::from_document(value),
        }
    }
}

fn run_case(path: &str, line: u32, name: String, case: &Case, bundle: &Bundle) -> CaseResult {
    let request = match case.subject.request() {
        Ok(request) => request,
        Err(error) => {
            let outcome = CaseOutcome::errored(format!("this is no request: {error}"));
            return CaseResult::new(path, line, name, outcome);
        }
    };
    let mut decision = decide(bundle, &request);
    for error in &mut decision.errors {
        error.text = without_credentials(&error.text, &request);
    }
    let result = CaseResult::new(path, line, name, case.expect.judge(&decision));
    CaseResult { policies: decision.policies, ..result }
}

/// The cases of a file with line and name, or what is wrong with the whole file.
fn read(text: &str) -> Result<Vec<Entry>, Wrong> {
    let root = yaml::parse(text)?;
    let root = root.as_mapping().ok_or_else(|| Wrong::new(0, "the file must be a mapping"))?;
    check_keys(root, &["cases"])?;
    let cases =
        root.get_node("cases").ok_or_else(|| Wrong::new(0, "the key `cases` is missing"))?;
    let line = yaml::line(cases);
    let cases = cases.as_sequence().ok_or_else(|| Wrong::new(line, "`cases` must be a list"))?;
    if cases.is_empty() {
        return Err(Wrong::new(line, "`cases` is empty"));
    }
    if cases.len() > MAX_CASES {
        return Err(Wrong::new(line, format!("there are more than {MAX_CASES} cases")));
    }
    Ok(cases.iter().enumerate().map(|(index, node)| read_case(index, node)).collect())
}

fn read_case(index: usize, node: &Node) -> Entry {
    let line = yaml::line(node);
    let unnamed = format!("case {}", index.saturating_add(1));
    let Some(case) = node.as_mapping() else {
        return (line, unnamed, Err(Wrong::new(line, "a case must be a mapping")));
    };
    // A mapping's own mark may be that of its first value; its first key stands where it begins.
    let line = case.keys().next().map_or(line, |key| yaml::start_line(key.span()));
    let name = match text_of(case, "name") {
        Ok(Some(name)) => name.as_str().to_owned(),
        Ok(None) => return (line, unnamed, Err(Wrong::new(line, "the key `name` is missing"))),
        Err(wrong) => return (line, unnamed, Err(wrong)),
    };
    (line, name, read_body(line, case))
}

fn read_body(line: u32, case: &MarkedMappingNode) -> Result<Case, Wrong> {
    check_keys(case, &KEYS)?;
    let subject = match (case.get_node("request"), case.get_node("input")) {
        (Some(request), None) => Subject::Described(yaml::to_json(request)),
        (None, Some(input)) => Subject::Document(yaml::to_json(input)),
        (Some(_), Some(_)) => {
            return Err(Wrong::new(line, "a case has either `request` or `input`, not both"));
        }
        (None, None) => return Err(Wrong::new(line, "the key `request` or `input` is missing")),
    };
    let Some(expect) = text_of(case, "expect")? else {
        return Err(Wrong::new(line, "the key `expect` is missing"));
    };
    let at = |node: &MarkedScalarNode| {
        let line = yaml::start_line(node.span());
        move |message| Wrong::new(line, message)
    };
    let reason = text_of(case, "reason")?;
    let expect = Expectation {
        outcome: outcome_of(expect.as_str()).map_err(at(expect))?,
        reason: reason.map(|word| reason_of(word.as_str()).map_err(at(word))).transpose()?,
        policy: text_of(case, "policy")?.map(|policy| policy.as_str().to_owned()),
    };
    Ok(Case { subject, expect })
}

fn text_of<'a>(
    case: &'a MarkedMappingNode,
    key: &str,
) -> Result<Option<&'a MarkedScalarNode>, Wrong> {
    match case.get_node(key) {
        None => Ok(None),
        Some(Node::Scalar(text)) if !text.as_str().is_empty() => Ok(Some(text)),
        Some(other) => Err(Wrong::new(yaml::line(other), format!("`{key}` must be a text"))),
    }
}

fn check_keys(mapping: &MarkedMappingNode, known: &[&str]) -> Result<(), Wrong> {
    for key in mapping.keys() {
        if !known.contains(&key.as_str()) {
            let known = known.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
            let message = format!("unknown key `{}`; known here: {known}", key.as_str());
            return Err(Wrong::new(yaml::start_line(key.span()), message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `line name: what was read` for each case, or the error of the file.
    fn seen(text: &str) -> Vec<String> {
        match read(text) {
            Err(wrong) => vec![format!("{} file: {}", wrong.line, wrong.message)],
            Ok(cases) => cases
                .into_iter()
                .map(|(line, name, case)| match case {
                    Ok(case) => format!("{line} {name}: {}", case.expect.outcome.as_str()),
                    Err(wrong) => format!("{} {name}: {}", wrong.line, wrong.message),
                })
                .collect(),
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let seen = seen(text);
        assert_eq!(seen.len(), expected.len(), "{seen:?}");
        for (seen, expected) in seen.iter().zip(expected) {
            assert!(seen.starts_with(expected), "{seen} instead of {expected}");
        }
    }

    #[test]
    fn cases_are_read_with_their_lines() {
        let text = "cases:\n  - name: a\n    request: {path: /a}\n    expect: allow\n\
                    \n  - expect: deny\n    reason: forbidden\n    policy: x.cedar:3\n    \
                    name: b\n    input: {}\n";
        check(text, &["2 a: allow", "6 b: deny"]);
        let (_, _, case) = read(text).unwrap().remove(1);
        let case = case.unwrap();
        assert_eq!(case.subject, Subject::Document(serde_json::json!({})));
        assert_eq!(case.expect.policy.as_deref(), Some("x.cedar:3"));
    }

    #[test]
    fn a_wrong_case_is_an_error_of_its_own_and_the_others_run() {
        let text = "cases:\n- name: a\n  request: {}\n  expct: allow\n- name: b\n  request: {}\n  \
                    expect: allow\n- request: {}\n  expect: allow\n- 7\n- name: e\n  request: {}\n  \
                    expect: permit\n- name: f\n  request: {}\n- name: g\n  expect: deny\n\
                    - name: h\n  request: {}\n  input: {}\n  expect: deny\n\
                    - name: i\n  request: {}\n  expect: deny\n  reason: because";
        let expected = [
            "4 a: unknown key `expct`; known here: `name`, `request`",
            "5 b: allow",
            "8 case 3: the key `name` is missing",
            "10 case 4: a case must be a mapping",
            "13 e: `expect` must be one of",
            "14 f: the key `expect` is missing",
            "16 g: the key `request` or `input` is missing",
            "18 h: a case has either",
            "25 i: `reason` must be one of",
        ];
        check(text, &expected);
    }

    #[test]
    fn a_file_without_cases_is_an_error() {
        check("", &["0 file: the key `cases` is missing"]);
        check("cases: []", &["1 file: `cases` is empty"]);
        check("cases: 1", &["1 file: `cases` must be a list"]);
        check("cases: []\nmore: 1", &["2 file: unknown key `more`"]);
        check("cases: [", &["2 file: this is not YAML"]);
    }
}
