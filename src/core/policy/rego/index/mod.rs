//! The index over the definitions of one entry rule: which of them a request can match, and what the
//! plain ones say, without an engine.
//!
//! It is exact: a definition is left out only where a plain test fails before anything in it could
//! raise an error, or where another definition raises the very same. One whose whole body is plain
//! tests is decided here. The meaning stays the interpreter's; the tests hold both against each other.

mod facts;
mod ground;
mod keys;
mod leaf;
mod steps;
mod test;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use regorus::Value;
use regorus::unstable::{Query, Rule, RuleHead};

use super::super::Way;
use super::entry::EntryDefinition;
use super::names::Names;
use super::rules::Rules;
use super::subject::Subject;
use super::walk::declared;
use ground::Scope;
pub(super) use ground::constant;
use keys::{KeyOf, Keys, keys_of};
use leaf::{Leaf, Place};
use steps::{Gates, Lead, Paths};
use test::{Held, Test};

/// The index of one entry rule.
#[derive(Debug)]
pub(super) struct Index {
    places: Vec<Place>,
    /// By path.
    keys: Vec<Keys>,
    definitions: Vec<Indexed>,
    /// Definitions without a key.
    always: Vec<u32>,
}

#[derive(Debug)]
struct Indexed {
    tests: Vec<Test>,
    /// What the head says where the body holds, if that is a constant and the body all tests.
    native: Option<Value>,
    /// The line of the first condition that only the engine can evaluate.
    rest: Option<u32>,
    is_keyed: bool,
}

/// What the index says of a definition that a request may match.
#[derive(Debug, PartialEq)]
pub(super) enum Judged<'a> {
    /// It is not true.
    Fails,
    /// It is true, and this is its value.
    Holds(&'a Value),
    /// The engine has to say.
    Unknown,
}

/// The values of a request that the index has looked at.
pub(super) struct Leaves<'a> {
    subject: &'a Subject<'a>,
    places: &'a [Place],
    seen: Vec<OnceCell<Leaf<'a>>>,
}

impl Index {
    pub(super) fn of(definitions: &[EntryDefinition], rules: &Rules) -> Self {
        let mut paths = Paths::default();
        let mut gates = Gates::default();
        let indexed = definitions.iter().map(|definition| {
            let names = Names::of(&definition.module, rules);
            Indexed::of(&definition.rule, &names, rules, &mut paths, &mut gates)
        });
        let mut definitions: Vec<Indexed> = indexed.collect();
        let places: Vec<Place> = paths.into_paths().iter().map(Place::of).collect();
        let mut keys: Vec<Keys> = places.iter().map(|_| Keys::default()).collect();
        let always = hang(&mut definitions, &mut keys);
        Self { places, keys, definitions, always }
    }

    pub(super) fn leaves<'a>(&'a self, subject: &'a Subject<'a>) -> Leaves<'a> {
        let seen = self.places.iter().map(|_| OnceCell::new()).collect();
        Leaves { subject, places: &self.places, seen }
    }

    /// The definitions that a request may match, in their order.
    pub(super) fn candidates(&self, leaves: &Leaves<'_>) -> Vec<u32> {
        let mut found = self.always.clone();
        for (path, keys) in (0..).zip(&self.keys) {
            match leaves.at(path) {
                _ if keys.is_empty() => {}
                Some(leaf) => keys.collect(leaf, &mut found),
                None => found.extend((0..).zip(&self.definitions).map(|(number, _)| number)),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Holds the plain tests of a definition against a request.
    pub(super) fn judge(&self, definition: u32, leaves: &Leaves<'_>) -> Judged<'_> {
        let index = usize::try_from(definition).unwrap_or(usize::MAX);
        let Some(definition) = self.definitions.get(index) else { return Judged::Unknown };
        match test::all(&definition.tests, leaves) {
            Held::Yes => definition.native.as_ref().map_or(Judged::Unknown, Judged::Holds),
            Held::No => Judged::Fails,
            Held::Raises => Judged::Unknown,
        }
    }

    /// How each definition is evaluated and why not faster, in their order.
    pub(super) fn ways(&self) -> impl Iterator<Item = (Way, String)> {
        self.definitions.iter().map(|definition| {
            match (definition.native.is_some(), definition.rest) {
                (true, _) => (Way::Native, String::new()),
                (false, Some(line)) if definition.is_keyed => {
                    (Way::Interpreter, format!("only the engine can evaluate line {line}"))
                }
                (false, Some(line)) => {
                    (Way::Always, format!("no plain comparison comes before line {line}"))
                }
                (false, None) => (Way::Interpreter, "its value is computed".to_owned()),
            }
        })
    }
}

impl<'a> Leaves<'a> {
    /// `None` for a path that the index does not have, which is not the same as nothing there.
    fn at(&self, path: u16) -> Option<&Leaf<'a>> {
        let index = usize::from(path);
        let (leaf, place) = (self.seen.get(index)?, self.places.get(index)?);
        Some(leaf.get_or_init(|| place.read(self.subject)))
    }
}

impl Indexed {
    fn of(
        rule: &Rule,
        names: &Names<'_>,
        rules: &Rules,
        paths: &mut Paths,
        gates: &mut Gates,
    ) -> Self {
        let engine_only =
            |line| Self { tests: vec![], native: None, rest: Some(line), is_keyed: false };
        let Rule::Spec { span, head, bodies } = rule else { return engine_only(0) };
        let body: Option<&Query> = match bodies.as_slice() {
            [] => None,
            [body] if body.assign.is_none() && !body.is_else => Some(&body.query),
            // An `else` is evaluated where the body before it does not hold.
            _ => return engine_only(span.line),
        };
        let locals = body.map(declared).unwrap_or_default();
        let scope = Scope { names, rules, locals, depth: 0 };
        let lead = body.map(|body| Lead::of(body, &scope, paths, gates));
        let Lead { tests, rest } = lead.unwrap_or(Lead { tests: Vec::new(), rest: None });
        let native = value_of(head).filter(|_| rest.is_none());
        let rest = rest.or((native.is_none()).then_some(span.line));
        Self { tests, native, rest, is_keyed: false }
    }
}

/// The value of a head that is a constant; of a set's the set of it.
fn value_of(head: &RuleHead) -> Option<Value> {
    match head {
        RuleHead::Compr { assign: None, .. } => Some(Value::from(true)),
        RuleHead::Compr { assign: Some(assign), .. } => constant(&assign.value),
        RuleHead::Set { key, .. } => {
            let member = constant(key.as_ref()?)?;
            let mut set = Value::new_set();
            set.as_set_mut().ok()?.insert(member);
            Some(set)
        }
        RuleHead::Func { .. } => None,
    }
}

/// Hangs each definition on the test that it shares with the fewest others; those that have none are
/// returned.
fn hang(definitions: &mut [Indexed], keys: &mut [Keys]) -> Vec<u32> {
    let mut sharing: BTreeMap<KeyOf, u32> = BTreeMap::new();
    for test in definitions.iter().flat_map(|definition| &definition.tests) {
        for key in keys_of(test) {
            let count = sharing.entry(key).or_default();
            *count = count.saturating_add(1);
        }
    }
    let mut always = Vec::new();
    for (number, definition) in (0..).zip(definitions) {
        let mut choices: Vec<(u32, usize)> = Vec::new();
        for (index, test) in definition.tests.iter().enumerate() {
            let of = keys_of(test);
            let shared = of.iter().filter_map(|key| sharing.get(key)).sum();
            if !of.is_empty() {
                choices.push((shared, index));
            }
        }
        choices.sort_unstable();
        definition.is_keyed =
            choices.into_iter().any(|(_, index)| add(number, &definition.tests, index, keys));
        if !definition.is_keyed {
            always.push(number);
        }
    }
    always
}

/// Hangs a definition on one of its tests.
fn add(number: u32, tests: &[Test], key: usize, keys: &mut [Keys]) -> bool {
    let Some(Test::Plain(test)) = tests.get(key) else { return false };
    let Some(at) = keys.get_mut(usize::from(test.path)) else { return false };
    if !at.add(number, &test.check) {
        return false;
    }
    let mut raising = BTreeSet::new();
    tests.iter().take(key.saturating_add(1)).for_each(|test| test.raising(&mut raising));
    for path in raising {
        if let Some(at) = keys.get_mut(usize::from(path)) {
            at.add_raising(number);
        }
    }
    true
}
