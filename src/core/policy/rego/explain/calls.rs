//! The rules and functions that a statement led to, each under it.

use super::super::paths::RulePath;
use super::super::rules::Kind as RuleKind;
use super::render::{Render, Tried};
use super::rounds::Step;
use super::sites::{Shape, Statement};
use crate::policy::explanation::{Node, NodeKind, Truth};

/// A chain of rules longer than this is a page of its own.
const MAX_RULE_DEPTH: usize = 8;

impl<'a> Render<'a> {
    /// The rules and calls that a statement led to.
    pub(super) fn called(&mut self, statement: &Statement, step: &Step, depth: usize) -> Vec<Node> {
        if depth >= MAX_RULE_DEPTH {
            return Vec::new();
        }
        let mut nodes = Vec::new();
        let mut calls: Vec<(&RulePath, Vec<usize>)> = Vec::new();
        for frame in &step.called {
            let Some(shape) = self.shape_of(*frame) else { continue };
            let is_new = |(path, frames): &(&RulePath, Vec<usize>)| {
                *path != &shape.path
                    || frames
                        .iter()
                        .any(|f| self.shape_of(*f).is_some_and(|other| std::ptr::eq(other, shape)))
            };
            match calls.last_mut().filter(|last| !is_new(last)) {
                Some((_, frames)) => frames.push(*frame),
                None => calls.push((&shape.path, vec![*frame])),
            }
        }
        for (path, frames) in &calls {
            nodes.push(self.rule(path, frames, depth));
        }
        for path in &statement.uses {
            let is_here = calls.iter().any(|(called, _)| *called == path);
            let Some(frames) = self.by_path.get(path).cloned().filter(|_| !is_here) else {
                continue;
            };
            if self.shown.contains(path) {
                let tried = self.tried(path, &frames, |_| true);
                let mut node = Node::new(NodeKind::Rule, path.to_string(), self.rule_truth(&tried));
                node.note = Some("as above".to_owned());
                nodes.push(node);
            } else {
                nodes.push(self.rule(path, &frames, depth));
            }
        }
        nodes
    }

    fn shape_of(&self, frame: usize) -> Option<&'a Shape> {
        self.sites.shape(self.frames.frames.get(frame)?.definition)
    }

    fn rule_truth(&self, tried: &[Tried<'_>]) -> Truth {
        let any = |truth: Truth| tried.iter().any(|tried| self.truth(*tried) == truth);
        if any(Truth::Error) {
            Truth::Error
        } else if any(Truth::True) {
            Truth::True
        } else {
            Truth::Undefined
        }
    }

    fn rule(&mut self, path: &RulePath, frames: &[usize], depth: usize) -> Node {
        self.shown.insert(path.clone());
        let tried = self.tried(path, frames, |_| true);
        let mut node = Node::new(NodeKind::Rule, path.to_string(), self.rule_truth(&tried));
        if let Some(first) = tried.first() {
            node = node.at(&first.shape.file, first.shape.line);
        }
        let has_default = self.rules.at(path).iter().any(|d| d.kind == RuleKind::Default);
        if node.result == Truth::Undefined && has_default {
            node.note = Some("by its default".to_owned());
        }
        node.children = self.definitions(path, tried, depth + 1, true);
        node
    }
}
