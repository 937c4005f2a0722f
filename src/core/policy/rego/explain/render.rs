//! From frames to nodes: which definitions are worth showing, and what of each.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::super::paths::RulePath;
use super::super::rules::{Kind as RuleKind, Rules};
use super::frames::{Frame, Frames};
use super::rounds::{Became, Round, Rounds, Step, became};
use super::sites::{Kind, Shape, Sites, Statement, Watched};
use super::values::{self, leaves};
use crate::policy::explanation::{Asked, Detail, Node, NodeKind, Seen, Truth};

/// Definitions that did not hold and are shown, those that got furthest.
const MAX_MISSES: usize = 3;
/// A chain of rules longer than this is a page of its own.
const MAX_RULE_DEPTH: usize = 8;

/// What is to be shown, and what has been.
pub(super) struct Render<'a> {
    sites: &'a Sites,
    frames: &'a Frames,
    rules: &'a Rules,
    asked: Asked<'a>,
    by_path: BTreeMap<&'a RulePath, Vec<usize>>,
    shown: BTreeSet<RulePath>,
}

/// One definition and, if it was evaluated, its frame.
#[derive(Clone, Copy)]
struct Tried<'a> {
    shape: &'a Shape,
    frame: Option<&'a Frame>,
}

impl<'a> Render<'a> {
    pub(super) fn new(
        sites: &'a Sites,
        frames: &'a Frames,
        rules: &'a Rules,
        asked: Asked<'a>,
    ) -> Self {
        let mut by_path: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (number, frame) in frames.frames.iter().enumerate() {
            if let Some(shape) = sites.shape(frame.definition) {
                by_path.entry(&shape.path).or_default().push(number);
            }
        }
        Self { sites, frames, rules, asked, by_path, shown: BTreeSet::new() }
    }

    pub(super) fn shown(&self, value: &Value, is_masked: bool) -> String {
        values::shown(value, is_masked, self.asked.masks)
    }

    /// The definitions of an entry rule; those of `deny` that came near say nothing.
    pub(super) fn entry(&mut self, path: &RulePath, shows_near: bool) -> Vec<Node> {
        self.shown.insert(path.clone());
        let frames = self.by_path.get(path).cloned().unwrap_or_default();
        let tried = self.tried(path, &frames, |frame| !frame.is_inner);
        self.definitions(path, tried, 0, shows_near)
    }

    /// Whether a rule has the value that no definition of it gave.
    pub(super) fn default_note(&self, path: &RulePath, node: &Node) -> Option<String> {
        let has_default = self.rules.at(path).iter().any(|d| d.kind == RuleKind::Default);
        let is_given = node.children.iter().any(|child| child.result == Truth::True);
        let is_value = matches!(node.result, Truth::True | Truth::False);
        (has_default && !is_given && is_value).then(|| "by its default".to_owned())
    }

    fn tried(
        &self,
        path: &RulePath,
        frames: &[usize],
        is_meant: impl Fn(&Frame) -> bool,
    ) -> Vec<Tried<'a>> {
        let shapes = self.sites.shapes.iter().enumerate().filter(|(_, s)| s.path == *path);
        let frame = |definition: usize| {
            let mut frames = frames.iter().filter_map(|at| self.frames.frames.get(*at));
            frames.find(|frame| frame.definition == definition && is_meant(frame))
        };
        shapes.map(|(number, shape)| Tried { shape, frame: frame(number) }).collect()
    }

    /// Those that held, erred or decided, and of the others those that came nearest.
    fn definitions(
        &mut self,
        path: &RulePath,
        tried: Vec<Tried<'a>>,
        depth: usize,
        shows_near: bool,
    ) -> Vec<Node> {
        let is_full = self.asked.detail == Detail::Full;
        let mut missed: Vec<(usize, usize)> = Vec::new();
        let mut chosen = BTreeSet::new();
        for (index, tried) in tried.iter().enumerate() {
            let is_miss = matches!(self.truth(*tried), Truth::Undefined | Truth::NotEvaluated);
            if is_full || !is_miss || self.is_deciding(tried.shape) {
                chosen.insert(index);
            } else {
                missed.push((self.got(*tried), index));
            }
        }
        let holds = tried.iter().any(|tried| self.truth(*tried) == Truth::True);
        // Of a rule that holds, what did not is no answer to why.
        missed.sort_by_key(|(got, index)| (std::cmp::Reverse(*got), *index));
        let best = missed.first().map_or(0, |(got, _)| *got);
        let is_near = |got: usize| got == best && (best > 0 || tried.len() <= MAX_MISSES);
        let near =
            missed.iter().filter(|(got, _)| shows_near && !holds && is_near(*got)).take(MAX_MISSES);
        chosen.extend(near.map(|(_, index)| *index));
        let mut nodes = Vec::new();
        for index in &chosen {
            if let Some(tried) = tried.get(*index) {
                nodes.push(self.definition(*tried, depth));
            }
        }
        let rest = missed.iter().filter(|(_, index)| !chosen.contains(index));
        nodes.extend(summaries(path, rest.map(|(got, _)| *got), best > 0 && shows_near && !holds));
        nodes
    }

    fn is_deciding(&self, shape: &Shape) -> bool {
        self.asked.is_deciding(&shape.path.to_string(), &shape.file, shape.line)
    }

    fn truth(&self, tried: Tried<'_>) -> Truth {
        let Some(frame) = tried.frame else {
            let bodies = tried.shape.bodies.iter().filter_map(|body| self.sites.bodies.get(*body));
            let is_constant = bodies.clone().count() == 1
                && bodies.clone().all(|body| body.statements.is_empty());
            return match is_constant {
                true if !tried.shape.is_function => Truth::True,
                _ => Truth::NotEvaluated,
            };
        };
        if frame.is_raised {
            Truth::Error
        } else if self.held(tried.shape, frame) {
            Truth::True
        } else {
            Truth::Undefined
        }
    }

    /// An `else` without a query holds where nothing before it does.
    fn held(&self, shape: &Shape, frame: &Frame) -> bool {
        let last = shape.bodies.last().and_then(|body| self.sites.bodies.get(*body));
        let falls_through = shape.bodies.len() > 1
            && last.is_some_and(|last| !last.is_entered && last.literal.is_some());
        falls_through || frame.bodies.iter().any(|rounds| rounds.held.is_some())
    }

    fn got(&self, tried: Tried<'_>) -> usize {
        let bodies = tried.frame.map_or(&[][..], |frame| &frame.bodies);
        let got = |rounds: &Rounds| {
            rounds.best(self.sites).map_or(0, |round| rounds.got(round, self.sites))
        };
        bodies.iter().map(got).max().unwrap_or_default()
    }

    fn definition(&mut self, tried: Tried<'a>, depth: usize) -> Node {
        let Tried { shape, frame } = tried;
        let result = self.truth(tried);
        let mut node = Node::new(NodeKind::Definition, shape.text.clone(), result);
        node = node.at(&shape.file, shape.line);
        node.decided = self.is_deciding(shape);
        let Some(frame) = frame else { return node };
        for (index, value) in &frame.arguments {
            if let Some(argument) = shape.arguments.get(*index) {
                node.values.push(self.seen(argument, value));
            }
        }
        for rounds in &frame.bodies {
            let children = self.rounds(rounds, shape, frame.is_raised, depth);
            if shape.bodies.first() == Some(&rounds.body) {
                node.children.extend(children);
            } else {
                let body = self.sites.bodies.get(rounds.body);
                let held = rounds.held.is_some();
                let result = if held { Truth::True } else { Truth::Undefined };
                let mut other = Node::new(NodeKind::Definition, "else".to_owned(), result);
                other = other.at(&shape.file, body.map_or(shape.line, |body| body.line));
                other.value = body.filter(|_| held).and_then(|body| body.literal.clone());
                other.children = children;
                node.children.push(other);
            }
        }
        if result == Truth::Undefined {
            let best = frame.bodies.iter().max_by_key(|rounds| {
                rounds.best(self.sites).map_or(0, |round| rounds.got(round, self.sites))
            });
            node.note = best.and_then(|rounds| self.how_far(rounds));
        }
        node
    }

    fn how_far(&self, rounds: &Rounds) -> Option<String> {
        let of = self.sites.bodies.get(rounds.body)?.statements.len();
        let got = rounds.got(rounds.best(self.sites)?, self.sites);
        (of > 1).then(|| format!("{got} of {of} statements held"))
    }

    fn rounds(
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

    /// The rules and calls that a statement led to.
    fn called(&mut self, statement: &Statement, step: &Step, depth: usize) -> Vec<Node> {
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

    fn seen(&self, watched: &Watched, value: &Value) -> Seen {
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

/// How many definitions are not shown; beside one that came near, how near they came.
fn summaries(
    path: &RulePath,
    got: impl Iterator<Item = usize>,
    is_beside: bool,
) -> impl Iterator<Item = Node> {
    let (mut at_first, mut later) = (0_usize, 0_usize);
    for got in got {
        if got == 0 { at_first += 1 } else { later += 1 }
    }
    let count = |count: usize| match count {
        1 => "1 definition".to_owned(),
        more => format!("{more} definitions"),
    };
    let later_text = if is_beside { "got less far" } else { "did not hold" };
    let their = if at_first == 1 { "its" } else { "their" };
    let first_text = format!("did not hold at {their} first statement");
    let lines = [(later, later_text.to_owned()), (at_first, first_text)];
    let path = path.to_string();
    lines.into_iter().filter(|(number, _)| *number > 0).map(move |(number, text)| {
        let text = format!("{} of {path} {text}", count(number));
        Node::new(NodeKind::Summary, text, Truth::Undefined)
    })
}
