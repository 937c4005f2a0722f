//! Why the rules of a bundle have the values that they have for one request.
//!
//! The interpreter says it itself: a second engine gets the bundle's modules with calls of extensions
//! around the statements and what is in them ([`watch`]), and what those record becomes a tree. Its
//! values are compared with those of the engine that decides; where they differ, nothing of the second
//! engine is shown. No value leaves that a record masks ([`taint`]).

mod syntax;
mod taint;
mod sites;
mod edits;
mod watch;
mod statements;
mod operands;
mod record;
mod rounds;
mod frames;
mod values;
mod render;
mod steps;
mod calls;
#[cfg(test)]
mod tests;

use regorus::Value;

use super::entry::EntryRule;
use super::{Policies, builtins, input};
use crate::policy::explanation::{Asked, Node, NodeKind, Truth};
use frames::{End, Frames};
use record::Recorder;
use render::Render;
use taint::Taint;
use watch::Watch;

impl Policies {
    /// The entry rules of a decision, each with its definitions and what became of them.
    pub(in crate::policy) fn explain(&self, asked: Asked<'_>) -> Vec<Node> {
        let request = asked.request;
        let taint = Taint::of(&self.rules, request.head.query().is_some());
        let watch = watch::watch(&self.rules, &taint);
        builtins::set_now(request.time);
        builtins::set_wide(self.is_wide);
        let input = input::document(request, self.reads);
        let mut plain = self.engine.clone();
        plain.set_input(input.clone());
        let mut recorder = Recorder::load(&mut plain, &watch, input);
        let mut nodes = Vec::new();
        for rule in [Some(&self.entry.allow), self.entry.deny.as_ref()].into_iter().flatten() {
            let parts =
                if rule.parts.is_empty() { std::slice::from_ref(rule) } else { &rule.parts };
            for part in parts {
                let value = record::evaluate(&mut plain, &part.name);
                nodes.push(self.rule_node(part, value, recorder.as_mut(), &watch, &taint, asked));
            }
        }
        nodes
    }

    fn rule_node(
        &self,
        rule: &EntryRule,
        value: Option<Value>,
        recorder: Option<&mut Recorder>,
        watch: &Watch,
        taint: &Taint,
        asked: Asked<'_>,
    ) -> Node {
        let recorded = recorder.map(|recorder| recorder.evaluate(&rule.name));
        let agreeing = recorded.filter(|recorded| recorded.value == value);
        let is_watched = agreeing.is_some();
        let (events, is_cut) = agreeing.map_or((Vec::new(), false), |r| (r.events, r.is_cut));
        let end = match (is_cut, &value) {
            (true, _) => End::Cut,
            (false, None) => End::Error,
            (false, Some(_)) => End::Whole,
        };
        let frames = Frames::of(&events, &watch.sites, end);
        let mut render = Render::new(&watch.sites, &frames, &self.rules, asked);
        let mut node = Node::new(NodeKind::Rule, rule.name.clone(), truth(value.as_ref()));
        let first = rule.definitions.first().map(|first| &first.policy);
        if let Some(first) = first {
            node = node.at(&first.file, first.line);
        }
        let is_masked = taint.masks(&rule.path);
        let is_allow = rule.path.starts_with(&self.entry.allow.path);
        node.value = value.as_ref().map(|value| render.shown(value, is_masked));
        node.children = render.entry(&rule.path, is_allow);
        node.note = note(is_watched, is_cut).or_else(|| render.default_note(&rule.path, &node));
        node.decided = node.children.iter().any(|child| child.decided);
        node
    }
}

fn truth(value: Option<&Value>) -> Truth {
    match value {
        None => Truth::Error,
        Some(Value::Undefined) => Truth::Undefined,
        Some(Value::Bool(false)) => Truth::False,
        // A `deny` of which no definition holds.
        Some(Value::Set(members)) if members.is_empty() => Truth::False,
        Some(_) => Truth::True,
    }
}

fn note(is_watched: bool, is_cut: bool) -> Option<String> {
    if !is_watched {
        return Some("its statements could not be watched".to_owned());
    }
    is_cut.then(|| "it was evaluated longer than could be watched".to_owned())
}
