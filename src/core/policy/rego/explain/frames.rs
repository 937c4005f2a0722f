//! From what the interpreter said to frames: one for each evaluation of a definition.
//!
//! A definition that fails says nothing when it ends, so a frame ends when another one, further out,
//! speaks again. Rules never recurse: a definition stands in the chain of frames once at most.

use regorus::Value;

use super::record::Event;
use super::rounds::{Rounds, Step};
use super::sites::{Part, Site, Sites};

/// One evaluation of a definition: of a rule its only one, of a function one for each call.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) definition: usize,
    /// One for each body that was entered: more than one where `else` follows.
    pub(super) bodies: Vec<Rounds>,
    /// By the function's arguments that are names.
    pub(super) arguments: Vec<(usize, Value)>,
    /// Whether another frame led to it.
    pub(super) is_inner: bool,
    /// An error left it.
    pub(super) is_raised: bool,
    /// What it did later is not known.
    pub(super) is_cut: bool,
}

/// How what the interpreter said ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    Error,
    /// There was more.
    Cut,
}

/// All frames of one evaluation, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Frames {
    pub(super) frames: Vec<Frame>,
    chain: Vec<usize>,
}

impl Frames {
    pub(super) fn of(events: &[Event], sites: &Sites, end: End) -> Self {
        let mut frames = Self::default();
        for event in events {
            let (Event::Begins(number) | Event::Is(number, _)) = event;
            if let Some(site) = sites.sites.get(*number) {
                frames.feed(*site, event, sites);
            }
        }
        for frame in std::mem::take(&mut frames.chain) {
            if let Some(frame) = frames.frames.get_mut(frame) {
                frame.is_raised = end == End::Error;
                frame.is_cut = end == End::Cut;
            }
        }
        for rounds in frames.frames.iter_mut().flat_map(|frame| &mut frame.bodies) {
            rounds.close(sites);
        }
        frames
    }

    fn feed(&mut self, site: Site, event: &Event, sites: &Sites) {
        let (chain, outermost) = chain_to(site.body, sites);
        let Some(body) = sites.bodies.get(outermost) else { return };
        let is_first =
            sites.shape(body.definition).and_then(|shape| shape.bodies.first()) == Some(&outermost);
        // A definition without a body begins with its value.
        let enters = match site.part {
            Part::Enter => true,
            Part::Whole => !body.is_entered && matches!(event, Event::Begins(_)),
            Part::Operand(_) | Part::Name(_) | Part::Argument(_) => false,
        };
        let known = self.position(body.definition);
        if let Some(at) = known {
            self.chain.truncate(if enters && is_first { at } else { at + 1 });
        }
        if known.is_none() || (enters && is_first) {
            self.begin(body.definition, sites);
        }
        let Some(frame) = self.chain.last().and_then(|at| self.frames.get_mut(*at)) else { return };
        if let (Part::Argument(index), Event::Is(_, value)) = (site.part, event) {
            frame.arguments.retain(|(known, _)| *known != index);
            return frame.arguments.push((index, value.clone()));
        }
        if !frame.bodies.iter().any(|rounds| rounds.body == outermost) {
            frame.bodies.push(Rounds::new(outermost, None));
        }
        let rounds = frame.bodies.iter_mut().find(|rounds| rounds.body == outermost);
        let Some(rounds) = rounds.and_then(|rounds| descend(rounds, &chain)) else { return };
        match event {
            Event::Begins(_) => rounds.begins(site.statement, site.part, sites),
            Event::Is(_, value) => rounds.is(site.statement, site.part, value, sites),
        }
    }

    fn position(&self, definition: usize) -> Option<usize> {
        let is_it = |at: &usize| self.frames.get(*at).is_some_and(|f| f.definition == definition);
        self.chain.iter().rposition(is_it)
    }

    fn begin(&mut self, definition: usize, sites: &Sites) {
        let path = sites.shape(definition).map(|shape| &shape.path);
        while let Some(top) = self.chain.last() {
            let over = self.frames.get(*top).and_then(|frame| sites.shape(frame.definition));
            let uses = over
                .zip(path)
                .is_some_and(|(over, path)| over.path != *path && over.uses.contains(path));
            if uses {
                break;
            }
            self.chain.pop();
        }
        let number = self.frames.len();
        let over = self.chain.last().and_then(|at| self.frames.get_mut(*at));
        let is_inner = over.is_some();
        if let Some(step) = over.and_then(|frame| frame.bodies.last_mut()).and_then(innermost) {
            step.call(number);
        }
        let (bodies, arguments) = (Vec::new(), Vec::new());
        let (is_raised, is_cut) = (false, false);
        let frame = Frame { definition, bodies, arguments, is_inner, is_raised, is_cut };
        self.frames.push(frame);
        self.chain.push(number);
    }
}

/// The statements that lead to a body from the outermost one around it, and that one.
fn chain_to(body: usize, sites: &Sites) -> (Vec<usize>, usize) {
    let mut chain = Vec::new();
    let mut outermost = body;
    while let Some((over, statement)) = sites.bodies.get(outermost).and_then(|body| body.within) {
        chain.push(statement);
        outermost = over;
    }
    chain.reverse();
    (chain, outermost)
}

fn descend<'a>(rounds: &'a mut Rounds, chain: &[usize]) -> Option<&'a mut Rounds> {
    let mut rounds = rounds;
    for statement in chain {
        rounds = rounds.step(*statement)?.inner.as_deref_mut()?;
    }
    Some(rounds)
}

/// The step that is going on, in an `every` that of its body.
fn innermost(rounds: &mut Rounds) -> Option<&mut Step> {
    let step = rounds.last()?;
    if step.inner.as_deref_mut().is_some_and(|inner| inner.last().is_some()) {
        return innermost(step.inner.as_deref_mut()?);
    }
    Some(step)
}
