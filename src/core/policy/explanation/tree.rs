//! The tree of an explanation, and how large it may grow.

use serde::{Deserialize, Serialize};

use super::super::Decision;
use super::Detail;

/// Below it people follow a chain of rules; more is a page of its own.
const MAX_DEPTH: usize = 24;
/// Under one node; the rest is counted.
const MAX_CHILDREN: usize = 64;
const MAX_CHILDREN_IN_FULL: usize = 20_000;
/// In the whole tree: a few screens, or with every rule of a large bundle.
const MAX_NODES: usize = 2_000;
const MAX_NODES_IN_FULL: usize = 50_000;
/// A value or a statement stands on one line.
const MAX_TEXT_CHARACTERS: usize = 160;

/// Why one request was decided as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// As the decision has it.
    pub outcome: String,
    /// As the decision has it.
    pub reason: String,
    pub nodes: Vec<Node>,
    /// What holds for the whole tree, such as a limit that was met.
    pub notes: Vec<String>,
}

/// One rule, policy, statement or condition, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub kind: NodeKind,
    /// As it stands in the policy: a rule's path, a policy's id, a statement.
    pub text: String,
    pub place: Option<Place>,
    pub result: Truth,
    /// Whether it is one of those that the decision names.
    pub decided: bool,
    /// Of a rule, its value.
    pub value: Option<String>,
    /// What a statement read, that is no literal.
    pub values: Vec<Seen>,
    pub note: Option<String>,
    pub children: Vec<Self>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// A Rego rule with its definitions.
    Rule,
    /// One definition of a rule, or one call of a function's.
    Definition,
    /// A statement of a body.
    Statement,
    /// One round of a loop.
    Element,
    /// The value that a definition gives.
    Value,
    /// A Cedar policy.
    Policy,
    /// A part of a policy's scope.
    Scope,
    /// A `when` or `unless` clause.
    Clause,
    /// An operand of a clause's top-level `&&` or `||`.
    Condition,
    /// An error of the decision.
    Error,
    /// A count of what is left out.
    Summary,
}

/// What became of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Truth {
    True,
    False,
    /// It has no value.
    Undefined,
    Error,
    /// An error or a limit stood before it.
    NotEvaluated,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// An expression and its value, both as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub text: String,
    pub value: String,
}

impl Truth {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::Undefined => "undefined",
            Self::Error => "error",
            Self::NotEvaluated => "not evaluated",
        }
    }
}

impl Node {
    pub(in crate::policy) fn new(kind: NodeKind, text: String, result: Truth) -> Self {
        Self {
            kind,
            text,
            place: None,
            result,
            decided: false,
            value: None,
            values: Vec::new(),
            note: None,
            children: Vec::new(),
        }
    }

    pub(in crate::policy) fn at(mut self, file: &str, line: u32) -> Self {
        self.place = Some(Place { file: file.to_owned(), line });
        self
    }

    /// The nodes below and itself.
    #[must_use]
    pub fn count(&self) -> usize {
        1 + self.children.iter().map(Self::count).sum::<usize>()
    }
}

impl Explanation {
    pub(super) fn of(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome.as_str().to_owned(),
            reason: decision.reason.as_str().to_owned(),
            nodes: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Leaves out what is beyond the limits, and says so.
    pub(super) fn bounded(mut self, detail: Detail) -> Self {
        let (mut left, children) = match detail {
            Detail::Brief => (MAX_NODES, MAX_CHILDREN),
            Detail::Full => (MAX_NODES_IN_FULL, MAX_CHILDREN_IN_FULL),
        };
        let before: usize = self.nodes.iter().map(Node::count).sum();
        bound(&mut self.nodes, MAX_DEPTH, children, &mut left);
        let after: usize = self.nodes.iter().map(Node::count).sum();
        if after < before {
            self.notes.push(format!("{} of {before} nodes are left out", before - after));
        }
        self
    }
}

fn bound(nodes: &mut Vec<Node>, depth: usize, children: usize, left: &mut usize) {
    let room = if depth == 0 { 0 } else { children.min(*left) };
    nodes.truncate(room);
    *left -= nodes.len();
    for node in nodes {
        bound(&mut node.children, depth - 1, children, left);
    }
}

/// A text on one line and of bounded length.
pub(in crate::policy) fn cut(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = line.char_indices().nth(MAX_TEXT_CHARACTERS) {
        line.truncate(at);
        line.push('…');
    }
    line
}
