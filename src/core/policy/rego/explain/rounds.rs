//! How often a body was gone through, and how far each time: from events to rounds of steps.
//!
//! A body without a loop has one round. In a loop a statement begins anew with each element: the round
//! before it ends there, and the next one keeps the steps in front of the loop.

use regorus::Value;

use super::sites::{Kind, Part, Sites, Statement};

/// Rounds that did not hold and are kept: those that got furthest.
const MAX_KEPT: usize = 3;
/// What one step called.
const MAX_CALLED: usize = 64;

/// A statement in one round.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) statement: usize,
    pub(super) begun: bool,
    pub(super) whole: Option<Value>,
    /// Undefined where it was begun and has no value.
    pub(super) operands: Vec<(usize, Value)>,
    pub(super) names: Vec<(usize, Value)>,
    /// Elements that its loop has tried.
    pub(super) elements: usize,
    /// Of an `every`: its body for the last element, since it ends with the first that fails.
    pub(super) inner: Option<Box<Rounds>>,
    /// The frames of the rules and calls that it led to.
    pub(super) called: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Round {
    pub(super) steps: Vec<Step>,
    pub(super) holds: bool,
    /// How many steps in front it shares with the rounds beside it.
    pub(super) shared: usize,
}

/// All rounds of one body.
#[derive(Clone, Debug, Default)]
pub(super) struct Rounds {
    pub(super) body: usize,
    /// The element of an `every`.
    pub(super) element: Option<Value>,
    current: Option<Round>,
    /// The first that held.
    pub(super) held: Option<Round>,
    /// Those that did not and got furthest, in the order in which they were.
    pub(super) missed: Vec<Round>,
    pub(super) missed_count: usize,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    Held,
    False,
    Undefined,
    /// Nothing says.
    Unknown,
}

impl Rounds {
    /// Ready for the first round.
    pub(super) fn new(body: usize, element: Option<Value>) -> Self {
        Self { body, element, current: Some(Round::default()), ..Self::default() }
    }

    /// The step that is going on.
    pub(super) fn last(&mut self) -> Option<&mut Step> {
        let step = self.current.as_mut()?.steps.last_mut()?;
        Some(step)
    }

    pub(super) fn step(&mut self, statement: usize) -> Option<&mut Step> {
        let round = self.current.as_mut()?;
        round.steps.iter_mut().find(|step| step.statement == statement)
    }

    pub(super) fn begins(&mut self, statement: usize, part: Part, sites: &Sites) {
        match part {
            Part::Whole => {
                self.again(statement, sites);
                self.push(Step { statement, begun: true, ..Step::default() });
            }
            Part::Operand(index) => {
                if let Some(step) = self.step(statement) {
                    step.operands.retain(|(known, _)| *known != index);
                    step.operands.push((index, Value::Undefined));
                }
            }
            Part::Enter | Part::Name(_) | Part::Argument(_) => {}
        }
    }

    pub(super) fn is(&mut self, statement: usize, part: Part, value: &Value, sites: &Sites) {
        match part {
            Part::Whole => {
                if let Some(step) = self.step(statement) {
                    step.whole = Some(value.clone());
                }
            }
            Part::Operand(index) => {
                let operands = self.step(statement).map(|step| &mut step.operands);
                let known = operands.into_iter().flatten().find(|(known, _)| *known == index);
                if let Some((_, operand)) = known {
                    *operand = value.clone();
                }
            }
            Part::Name(index) => self.named(statement, index, value, sites),
            Part::Enter | Part::Argument(_) => {}
        }
    }

    /// A name gets a value: with that of an `every` its body begins, with the same name again the next
    /// round.
    fn named(&mut self, statement: usize, index: usize, value: &Value, sites: &Sites) {
        let inner = sites.statement(self.body, statement).and_then(|statement| statement.inner);
        if let Some(inner) = inner {
            if let Some(step) = self.step(statement) {
                step.elements += 1;
                step.inner = Some(Box::new(Self::new(inner, Some(value.clone()))));
            }
            return;
        }
        let is_known = |step: &&mut Step| step.names.iter().any(|(known, _)| *known == index);
        if self.step(statement).is_some_and(|step| is_known(&step)) {
            let at = self.position(statement).map_or(0, |at| at + 1);
            self.finish(sites, at);
            if let Some(step) = self.step(statement) {
                step.names.retain(|(known, _)| *known < index);
            }
        }
        if self.step(statement).is_none() {
            self.push(Step { statement, ..Step::default() });
        }
        if let Some(step) = self.step(statement) {
            step.elements += usize::from(index == 0);
            step.names.push((index, value.clone()));
        }
    }

    fn position(&self, statement: usize) -> Option<usize> {
        self.current.as_ref()?.steps.iter().position(|step| step.statement == statement)
    }

    fn push(&mut self, step: Step) {
        self.current.get_or_insert_with(Round::default).steps.push(step);
    }

    fn again(&mut self, statement: usize, sites: &Sites) {
        if let Some(at) = self.position(statement) {
            self.finish(sites, at);
        }
    }

    /// Ends the round, and begins the next with as many of its steps.
    fn finish(&mut self, sites: &Sites, shared: usize) {
        let Some(mut round) = self.current.take() else { return };
        let next: Vec<Step> = round.steps.iter().take(shared).cloned().collect();
        for step in &mut round.steps {
            if let Some(inner) = &mut step.inner {
                inner.finish(sites, 0);
            }
        }
        if shared > 0 {
            round.shared = shared;
        }
        round.holds = self.holds(&round, sites);
        if round.holds {
            self.held.get_or_insert(round);
        } else {
            self.missed_count += 1;
            self.missed.push(round);
            self.drop_worst(sites);
        }
        self.current = Some(Round { steps: next, shared, ..Round::default() });
    }

    fn drop_worst(&mut self, sites: &Sites) {
        if self.missed.len() > MAX_KEPT {
            let got = |round: &Round| self.got(round, sites);
            let worst = self
                .missed
                .iter()
                .enumerate()
                .min_by_key(|(at, round)| (got(round), std::cmp::Reverse(*at)));
            if let Some((at, _)) = worst {
                self.missed.remove(at);
            }
        }
    }

    /// Ends the last round.
    pub(super) fn close(&mut self, sites: &Sites) {
        self.finish(sites, 0);
        self.current = None;
    }

    fn holds(&self, round: &Round, sites: &Sites) -> bool {
        let Some(body) = sites.bodies.get(self.body) else { return false };
        let held = |(index, statement): (usize, &Statement)| {
            let step = round.steps.iter().find(|step| step.statement == index);
            match step {
                Some(step) => matches!(became(statement, step), Became::Held | Became::Unknown),
                None => statement.whole.is_none() && statement.names.is_empty(),
            }
        };
        body.statements.iter().enumerate().all(held)
    }

    /// How many statements of a round held.
    pub(super) fn got(&self, round: &Round, sites: &Sites) -> usize {
        let held = |step: &&Step| {
            let statement = sites.statement(self.body, step.statement);
            statement.is_some_and(|statement| became(statement, step) == Became::Held)
        };
        round.steps.iter().filter(held).count()
    }

    /// The round that says most: the one that held, or the one that got furthest.
    pub(super) fn best(&self, sites: &Sites) -> Option<&Round> {
        let furthest = self.missed.iter().rev().max_by_key(|round| self.got(round, sites));
        self.held.as_ref().or(furthest)
    }
}

/// What became of a statement in one round.
pub(super) fn became(statement: &Statement, step: &Step) -> Became {
    let is_false = |value: &Value| matches!(value, Value::Bool(false) | Value::Undefined);
    let all_named = step.names.len() == statement.names.len() && !statement.names.is_empty();
    match (statement.kind, &step.whole) {
        (Kind::Not, None) => Became::Held,
        (Kind::Not, Some(value)) if is_false(value) => Became::Held,
        (Kind::Not, Some(_)) => Became::False,
        (Kind::Test, Some(value)) if is_false(value) => Became::False,
        (Kind::Test | Kind::Value, Some(_)) => Became::Held,
        (Kind::Assign | Kind::SomeIn | Kind::Silent, _) if all_named => Became::Held,
        (Kind::Test | Kind::Value | Kind::Assign | Kind::SomeIn | Kind::Every, None)
            if step.begun =>
        {
            Became::Undefined
        }
        (Kind::Assign | Kind::SomeIn, _) if statement.names.is_empty() => match step.whole {
            Some(_) => Became::Held,
            None => Became::Unknown,
        },
        (Kind::Assign | Kind::SomeIn, _) => Became::False,
        (Kind::Every, Some(domain)) => every(domain, step),
        (Kind::Test | Kind::Value | Kind::Every | Kind::Silent, _) => Became::Unknown,
    }
}

fn every(domain: &Value, step: &Step) -> Became {
    let is_collection = matches!(domain, Value::Array(_) | Value::Set(_) | Value::Object(_));
    let holds = step.inner.as_ref().is_none_or(|inner| inner.held.is_some());
    if is_collection && holds { Became::Held } else { Became::False }
}

impl Step {
    pub(super) fn call(&mut self, frame: usize) {
        if self.called.len() < MAX_CALLED {
            self.called.push(frame);
        }
    }
}
