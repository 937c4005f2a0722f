//! Why a request was decided as it was: which rules and policies matched, with the values they saw.
//!
//! A bundle, a request and the decision on it enter; a tree of what the engines did leaves, as data
//! that is safe to print but for control characters. The tree is made by asking the engines again and
//! is never asked for a decision: what it says of the outcome is the decision's own. No value of it
//! is one that a record masks.

mod masks;
mod tree;
#[cfg(test)]
mod tests;

pub(super) use masks::{MASK, Masks};
pub(super) use tree::cut;
pub use tree::{Explanation, Node, NodeKind, Place, Seen, Truth};

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use super::{Bundle, Decision, EvaluationError, PolicyRef};
use crate::request::{AccessRequest, Enforcement};

/// How much of what was evaluated an explanation holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// What decided, what raised an error, and what came nearest to holding; the rest is counted.
    #[default]
    Brief,
    /// Everything that was evaluated, within the limits of a tree.
    Full,
}

/// Says why `decision` was made on `request` under `bundle`.
#[must_use]
pub fn explain(
    bundle: &Bundle,
    request: &AccessRequest,
    decision: &Decision,
    detail: Detail,
) -> Explanation {
    let masks = Masks::of(request);
    let mut explanation = Explanation::of(decision);
    if request.enforcement == Enforcement::Probe {
        explanation.notes.push("a configured probe: no policy is asked".to_owned());
        return explanation;
    }
    let asked = Asked { request, decision, detail, masks: &masks };
    match catch_unwind(AssertUnwindSafe(|| bundle.explained(asked))) {
        Ok(nodes) => explanation.nodes = nodes,
        Err(_) => explanation.notes.push("an engine panicked when it was asked again".to_owned()),
    }
    explanation.nodes.extend(decision.errors.iter().map(|error| error_node(error, &masks)));
    explanation.bounded(detail)
}

/// What an engine explains itself by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) request: &'a AccessRequest,
    pub(super) decision: &'a Decision,
    pub(super) detail: Detail,
    pub(super) masks: &'a Masks<'a>,
}

impl Asked<'_> {
    /// Whether a policy is one of those that decided.
    pub(super) fn is_deciding(&self, id: &str, file: &str, line: u32) -> bool {
        let is_it = |p: &PolicyRef| *p.id == *id && *p.file == *file && p.line == line;
        self.decision.policies.iter().any(is_it)
    }
}

fn error_node(error: &EvaluationError, masks: &Masks<'_>) -> Node {
    let policy = error.policy.as_ref();
    let text = policy.map_or_else(|| "the evaluation".to_owned(), |policy| policy.id.to_string());
    let mut node = Node::new(NodeKind::Error, text, Truth::Error);
    node.place = policy.map(|policy| Place { file: policy.file.to_string(), line: policy.line });
    node.note = Some(masks.error(&error.text));
    node
}
