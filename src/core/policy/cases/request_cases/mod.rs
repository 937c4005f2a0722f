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

use super::super::{Bundle, PolicyRef, decide};
use super::expectation::{Expectation, outcome_of, reason_of};
use super::mask::without_credentials;
use super::yaml::{self, Wrong};
use super::{CaseOutcome, CaseResult, MAX_CASES, Run, relaxations};
use crate::masking::masked;
use crate::request::{AccessRequest, Relaxed};

const KEYS: [&str; 7] = ["name", "request", "input", "expect", "reason", "policy", "relax"];

/// Line and name of a case, and the case or what is wrong with it.
type Entry = (u32, String, Result<Case, Wrong>);

/// One case as it stands in the file.
#[derive(Debug, PartialEq)]
struct Case {
    subject: Subject,
    expect: Expectation,
    /// What the route of this request keeps.
    relaxed: Relaxed,
}

/// What is decided.
#[derive(Debug, PartialEq)]
enum Subject {
    /// Under `request`: what differs from an ordinary request.
    Described(Value),
    /// Under `input`: an input document with every key.
    Document(Value),
}

pub(super) fn run(path: &str, text: &str, bundle: &Bundle, run: &Run<'_>) -> Vec<CaseResult> {
    let cases = match read(text) {
        Ok(cases) => cases,
        Err(wrong) => return vec![CaseResult::unreadable(path, wrong.line, wrong.message)],
    };
    let selected = cases.into_iter().filter(|(_, name, _)| run.filter.selects(name));
    let run_one = |(line, name, case): Entry| match case {
        Ok(case) => {
            let outcome = |(outcome, policies)| CaseResult {
                policies,
                ..CaseResult::new(path, line, name, outcome)
            };
            let mut result = run.timed(|| outcome(run_case(&case, bundle)));
            result.evidence.request = Some(masked(case.subject.value()));
            result
        }
        Err(wrong) => CaseResult::new(path, wrong.line, name, CaseOutcome::errored(wrong.message)),
    };
    selected.map(run_one).collect()
}

/// What the selected cases ask, as far as they can be read.
pub(super) fn requests(text: &str, is_selected: &dyn Fn(&str) -> bool) -> Vec<AccessRequest> {
    let cases = read(text).unwrap_or_default().into_iter();
    let selected = cases.filter(|(_, name, _)| is_selected(name));
    selected.filter_map(|(_, _, case)| case.ok()?.request().ok()).collect()
}

impl Case {
    /// What is asked, or why it is no request.
    fn request(&self) -> Result<AccessRequest, String> {
        let request = match &self.subject {
            Subject::Described(value) => AccessRequest::described(value),
            Subject::Document(value) => AccessRequest::from_document(value),
        };
        let request = request.map_err(|error| format!("this is no request: {error}"))?;
        relaxations::check(&request.head, self.relaxed)?;
        Ok(request)
    }
}

fn run_case(case: &Case, bundle: &Bundle) -> (CaseOutcome, Vec<PolicyRef>) {
    let request = match case.request() {
        Ok(request) => request,
        Err(message) => return (CaseOutcome::errored(message), Vec::new()),
    };
    let mut decision = decide(bundle, &request);
    for error in &mut decision.errors {
        error.text = without_credentials(&error.text, &request);
    }
    (case.expect.judge(&decision), decision.policies)
}

impl Subject {
    const fn value(&self) -> &Value {
        match self {
            Self::Described(value) | Self::Document(value) => value,
        }
    }
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
    Ok(Case { subject, expect, relaxed: relaxed(case)? })
}

fn relaxed(case: &MarkedMappingNode) -> Result<Relaxed, Wrong> {
    let Some(node) = case.get_node("relax") else { return Ok(Relaxed::default()) };
    let words = node.as_sequence();
    let words = words.ok_or_else(|| Wrong::new(yaml::line(node), "`relax` must be a list"))?;
    let mut relaxed = Relaxed::default();
    for word in words.iter() {
        let text = word.as_scalar().map(|word| word.as_str()).unwrap_or_default();
        relaxations::add(&mut relaxed, text).map_err(|text| Wrong::new(yaml::line(word), text))?;
    }
    Ok(relaxed)
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
mod tests;
