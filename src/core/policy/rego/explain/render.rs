//! From frames to nodes: which definitions are worth showing, and what of each.

use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;

use super::super::paths::RulePath;
use super::super::rules::{Kind as RuleKind, Rules};
use super::frames::{Frame, Frames};
use super::rounds::Rounds;
use super::sites::{Shape, Sites};
use super::values;
use crate::policy::explanation::{Asked, Detail, Node, NodeKind, Truth};

/// Definitions that did not hold and are shown, those that got furthest.
const MAX_MISSES: usize = 3;

/// What is to be shown, and what has been.
pub(super) struct Render<'a> {
    pub(super) sites: &'a Sites,
    pub(super) frames: &'a Frames,
    pub(super) rules: &'a Rules,
    asked: Asked<'a>,
    pub(super) by_path: BTreeMap<&'a RulePath, Vec<usize>>,
    /// Rules that stand in the tree already.
    pub(super) shown: BTreeSet<RulePath>,
}

/// One definition and, if it was evaluated, its frame.
#[derive(Clone, Copy)]
pub(super) struct Tried<'a> {
    pub(super) shape: &'a Shape,
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

    pub(super) fn tried(
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
    pub(super) fn definitions(
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

    pub(super) fn truth(&self, tried: Tried<'_>) -> Truth {
        let Some(frame) = tried.frame else {
            let bodies = tried.shape.bodies.iter().filter_map(|body| self.sites.bodies.get(*body));
            let is_constant = bodies.clone().count() == 1
                && bodies.clone().all(|body| body.statements.is_empty());
            return match is_constant {
                true if !tried.shape.is_function => Truth::True,
                _ => Truth::NotEvaluated,
            };
        };
        if frame.is_cut {
            Truth::NotEvaluated
        } else if frame.is_raised {
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
        let Some(frame) = frame.filter(|frame| !frame.is_cut) else { return node };
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
