//! From rounds to nodes: the statements of a body as far as it got, and the values that they read.

use std::collections::BTreeSet;

use regorus::Value;

use super::render::Render;
use super::rounds::{Became, Round, Rounds, Step, became};
use super::sites::{Kind, Shape, Statement, Watched};
use super::values::leaves;
use crate::policy::explanation::{Node, NodeKind, Seen, Truth};

impl<'a> Render<'a> {
    pub(super) fn rounds(
        &mut self,
        rounds: &Rounds,
        shape: &'a Shape,
        is_raised: bool,
        depth: usize,
    ) -> Vec<Node> {
        let body = rounds.body;
        if let Some(held) = &rounds.held {
            return self.steps(body, held, 0, shape, false, depth);
        }
        let last = rounds.missed.last().filter(|_| is_raised);
        let only = last.or(match rounds.missed.as_slice() {
            [only] => Some(only),
            _ => None,
        });
        if let Some(only) = only {
            return self.steps(body, only, 0, shape, is_raised, depth);
        }
        let shared = rounds.missed.iter().map(|round| round.shared).min().unwrap_or_default();
        let mut nodes = Vec::new();
        if let Some(first) = rounds.missed.first() {
            let steps = first.steps.iter().take(shared).cloned().collect();
            let front = Round { steps, ..Round::default() };
            nodes = self.steps_of(body, &front, 0, shape, depth);
        }
        for round in &rounds.missed {
            nodes.push(self.element(body, round, shared, shape, depth));
        }
        let more = rounds.missed_count.saturating_sub(rounds.missed.len());
        if more > 0 {
            let text = format!("{more} more elements did not hold");
            nodes.push(Node::new(NodeKind::Summary, text, Truth::False));
        }
        nodes
    }

    fn element(
        &mut self,
        body: usize,
        round: &Round,
        shared: usize,
        shape: &'a Shape,
        depth: usize,
    ) -> Node {
        let mut node = Node::new(NodeKind::Element, "element".to_owned(), Truth::False);
        let loop_step = shared.checked_sub(1).and_then(|at| round.steps.get(at));
        if let Some(step) = loop_step
            && let Some(statement) = self.sites.statement(body, step.statement)
        {
            node.values = self.names(statement, step);
        }
        node.children = self.steps(body, round, shared, shape, false, depth);
        node
    }

    /// The steps of a round and, where none of them says why it did not hold, the one that is missing.
    fn steps(
        &mut self,
        body: usize,
        round: &Round,
        from: usize,
        shape: &'a Shape,
        is_raised: bool,
        depth: usize,
    ) -> Vec<Node> {
        let mut nodes = self.steps_of(body, round, from, shape, depth);
        if is_raised {
            if let Some(last) = nodes.last_mut() {
                last.result = Truth::Error;
            }
        } else if !round.holds && nodes.iter().all(|node| node.result == Truth::True) {
            nodes.extend(self.missing(body, round, shape));
        }
        nodes
    }

    fn missing(&self, body: usize, round: &Round, shape: &Shape) -> Option<Node> {
        let statements = &self.sites.bodies.get(body)?.statements;
        let is_there = |index: usize| round.steps.iter().any(|step| step.statement == index);
        let (_, statement) = statements.iter().enumerate().find(|(index, _)| !is_there(*index))?;
        let node = Node::new(NodeKind::Statement, statement.text.clone(), Truth::Undefined);
        let mut node = node.at(&shape.file, statement.line);
        node.note = Some("nothing to loop over".to_owned());
        Some(node)
    }

    fn steps_of(
        &mut self,
        body: usize,
        round: &Round,
        from: usize,
        shape: &'a Shape,
        depth: usize,
    ) -> Vec<Node> {
        let steps = round.steps.iter().skip(from);
        steps.filter_map(|step| self.step(body, step, shape, depth)).collect()
    }

    fn step(&mut self, body: usize, step: &Step, shape: &'a Shape, depth: usize) -> Option<Node> {
        let statement = self.sites.statement(body, step.statement)?;
        let result = match became(statement, step) {
            Became::Held | Became::Unknown => Truth::True,
            Became::False => Truth::False,
            Became::Undefined => Truth::Undefined,
        };
        let kind =
            if statement.kind == Kind::Value { NodeKind::Value } else { NodeKind::Statement };
        let mut node = Node::new(kind, statement.text.clone(), result);
        node = node.at(&shape.file, statement.line);
        node.values = self.values(statement, step);
        if matches!(statement.kind, Kind::SomeIn | Kind::Every) && step.whole.is_some() {
            node.note = Some(match step.elements {
                0 => "no element".to_owned(),
                1 => "1 element tried".to_owned(),
                more => format!("{more} elements tried"),
            });
        }
        if let Some(inner) = &step.inner {
            node.children = self.every(inner, statement, shape, depth);
        }
        node.children.extend(self.called(statement, step, depth));
        Some(node)
    }

    fn every(
        &mut self,
        rounds: &Rounds,
        statement: &Statement,
        shape: &'a Shape,
        depth: usize,
    ) -> Vec<Node> {
        let result = if rounds.held.is_some() { Truth::True } else { Truth::False };
        let mut node = Node::new(NodeKind::Element, "element".to_owned(), result);
        if let (Some(value), Some(name)) = (&rounds.element, statement.names.first()) {
            node.values.push(self.seen(name, value));
        }
        node.children = self.rounds(rounds, shape, false, depth);
        vec![node]
    }

    pub(super) fn seen(&self, watched: &Watched, value: &Value) -> Seen {
        let value = self.shown(value, watched.is_masked);
        Seen { text: watched.text.clone(), value }
    }

    fn names(&self, statement: &Statement, step: &Step) -> Vec<Seen> {
        let named = step
            .names
            .iter()
            .filter_map(|(index, value)| Some(self.seen(statement.names.get(*index)?, value)));
        named.collect()
    }

    /// What a statement read. Where it read what is masked, an equal value beside it is masked too.
    fn values(&self, statement: &Statement, step: &Step) -> Vec<Seen> {
        let operands = step.operands.iter();
        let mut read: Vec<(&Watched, Value)> = operands
            .filter_map(|(index, value)| Some((statement.operands.get(*index)?, value.clone())))
            .collect();
        let is_bool = |value: &Value| matches!(value, Value::Bool(_));
        if let Some(whole) = &statement.whole {
            let value = step.whole.clone().unwrap_or(Value::Undefined);
            let says_more =
                matches!(statement.kind, Kind::Assign | Kind::SomeIn | Kind::Every | Kind::Value);
            let is_known = statement.kind == Kind::Test && value == Value::Undefined;
            if says_more || (read.is_empty() && !is_bool(&value) && !is_known) {
                read.push((whole, value));
            }
        }
        let named = step.names.iter();
        read.extend(named.filter_map(|(i, value)| Some((statement.names.get(*i)?, value.clone()))));
        let mut secrets = BTreeSet::new();
        let masked = read.iter().filter(|(watched, _)| watched.is_masked);
        masked.for_each(|(_, value)| leaves(value, &mut secrets));
        let mut seen: Vec<Seen> = Vec::new();
        for (watched, value) in read {
            let mut own = BTreeSet::new();
            leaves(&value, &mut own);
            let is_masked = watched.is_masked || !own.is_disjoint(&secrets);
            let one = Seen { text: watched.text.clone(), value: self.shown(&value, is_masked) };
            if !seen.contains(&one) {
                seen.push(one);
            }
        }
        seen
    }
}
