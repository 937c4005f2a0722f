//! Inputs for one bundle: what its policies mention, put together so that rules match, then flipped.

use serde_json::Value;

use super::flip::{self, Kind};
use super::random::Random;
use super::recipe::{Place, Recipe, Recipes, Step, Test};
use super::{places, words};
use crate::request::AccessRequest;

/// How deep the rules that a rule uses are followed.
const MAX_DEPTH: usize = 4;
/// Beside the one whose turn it is.
const MAX_MORE_FLIPS: usize = 3;

/// One input. With a document it is that, of any shape; without one it is the request.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) request: AccessRequest,
    pub(super) document: Option<Value>,
    /// What was flipped to what.
    pub(super) flips: Vec<(String, Kind)>,
}

/// What inputs are made from.
pub(super) struct Generator<'a> {
    recipes: Recipes,
    /// The document that a request is decided on; `None` where policies see no document.
    document: &'a dyn Fn(&AccessRequest) -> Option<Value>,
    /// The places that are read and what they are inside of, each in turn flipped to each kind.
    targets: Vec<Vec<Step>>,
    texts: Vec<String>,
    seed: u64,
}

impl<'a> Generator<'a> {
    pub(super) fn new(
        recipes: Recipes,
        document: &'a dyn Fn(&AccessRequest) -> Option<Value>,
        seed: u64,
    ) -> Self {
        let prefixes = recipes.places.iter().flat_map(|steps| {
            (1..=steps.len()).filter_map(|length| Some(steps.get(..length)?.to_vec()))
        });
        let targets: std::collections::BTreeSet<_> = prefixes.collect();
        let recipes_of_all = recipes.groups.iter().flatten();
        let tests = recipes_of_all.flat_map(|recipe| &recipe.mentions).flat_map(|(_, tests)| tests);
        let text = |test: &Test| match test {
            Test::Is(value) => value.as_str().map(str::to_owned),
            Test::Starts(text) | Test::Ends(text) | Test::Like(text) => Some(text.clone()),
        };
        let mut texts: Vec<String> = tests.filter_map(text).collect();
        texts.sort_unstable();
        texts.dedup();
        Self { recipes, document, targets: targets.into_iter().collect(), texts, seed }
    }

    /// The input of this number: of four, three are documents, and two of them are flipped in turn.
    pub(super) fn input(&self, number: usize) -> Option<Input> {
        let mut random = Random::of(self.seed, number);
        let random = &mut random;
        let Filled { mentions, places: filled } = self.filled(random);
        let request = request(&mentions, random)?;
        let mut flips = Vec::new();
        let document = if number % 4 == 3 { None } else { (self.document)(&request) };
        let Some(mut document) = document else {
            let request = self.flipped_request(request, random);
            return Some(Input { request, document: None, flips });
        };
        if random.once_in(2) {
            for (steps, value) in mentions {
                places::put(&mut document, &steps, value);
            }
        }
        if let Some(turn) = (number % 4).checked_sub(1) {
            let turn = (number / 4) * 2 + turn;
            let kind = Kind::ALL.get(turn % Kind::ALL.len()).copied().unwrap_or(Kind::Null);
            let target = (turn / Kind::ALL.len()).checked_rem(self.targets.len());
            if let Some(target) = target.and_then(|index| self.targets.get(index)) {
                self.flip(&mut document, target, kind, random, &mut flips);
            }
        }
        if random.once_in(2) {
            for _ in 0..=random.below(MAX_MORE_FLIPS) {
                let any = places::all(&document);
                let of = match random.below(4) {
                    0 => &self.targets,
                    1 => &any,
                    _ => &filled,
                };
                let Some(target) = random.one(of).cloned() else { continue };
                let kind = random.one(&Kind::ALL).copied().unwrap_or(Kind::Null);
                self.flip(&mut document, &target, kind, random, &mut flips);
            }
        }
        if random.once_in(200) {
            document = random.one(&[Value::Null, 7.into(), "x".into(), Value::Array(vec![])]).cloned().into();
        }
        Some(Input { request, document: Some(document), flips })
    }

    fn flip(
        &self,
        document: &mut Value,
        target: &[Step],
        kind: Kind,
        random: &mut Random,
        flips: &mut Vec<(String, Kind)>,
    ) {
        if flip::flip(document, target, kind, &self.texts, random) {
            flips.push((places::shown(target), kind));
        }
    }

    /// Flips what a request can hold of any kind: a body, claims. What no request can be is left.
    fn flipped_request(&self, request: AccessRequest, random: &mut Random) -> AccessRequest {
        if !random.once_in(2) {
            return request;
        }
        let mut document = request.to_document();
        let is_free = |steps: &Vec<Step>| {
            let shown = places::shown(steps);
            ["request.body.", "request.headers.", "source.jwt.claims."].iter().any(|free| shown.starts_with(free))
        };
        let free: Vec<_> = places::all(&document).into_iter().filter(is_free).collect();
        let Some(target) = random.one(&free) else { return request };
        let kind = random.one(&Kind::ALL).copied().unwrap_or(Kind::Null);
        flip::flip(&mut document, target, kind, &self.texts, random);
        AccessRequest::from_document(&document).unwrap_or(request)
    }

    /// Places and values that make a rule match, or nearly.
    fn filled(&self, random: &mut Random) -> Filled {
        let every: Vec<usize> = (0..self.recipes.groups.len()).collect();
        let is_entry = !random.once_in(6) && !self.recipes.entry.is_empty();
        let from = if is_entry { &self.recipes.entry } else { &every };
        let mut filled = Filled::default();
        // Of several rules the last has the last word, and two may still hold at once.
        let rules = match random.below(12) {
            0 => 0,
            1..8 => 1,
            8..11 => 2,
            _ => 3,
        };
        for _ in 0..rules {
            if let Some(group) = random.one(from) {
                self.fill(*group, &[], MAX_DEPTH, true, random, &mut filled);
            }
        }
        if random.once_in(4) {
            let index = random.below(filled.mentions.len());
            if let Some((_, Value::String(text))) = filled.mentions.get_mut(index) {
                *text = flip::near(text, random);
            }
        }
        filled
    }

    /// Takes one definition of a rule: first what it uses, then its own mentions, which win. What it
    /// uses and is not to hold is only told by its places.
    fn fill(
        &self,
        group: usize,
        arguments: &[Option<Vec<Step>>],
        depth: usize,
        is_to_hold: bool,
        random: &mut Random,
        filled: &mut Filled,
    ) {
        let Some(Recipe { mentions, uses }) =
            self.recipes.groups.get(group).and_then(|group| random.one(group))
        else {
            return;
        };
        for used in uses.iter().filter(|_| depth > 0) {
            let holds = if used.is_negated { random.once_in(8) } else { !random.once_in(8) };
            let place = |place: &Option<Place>| resolve(place.as_ref()?, arguments);
            let inner: Vec<_> = used.arguments.iter().map(place).collect();
            self.fill(used.group, &inner, depth - 1, is_to_hold && holds, random, filled);
        }
        for (place, tests) in mentions {
            let Some(steps) = resolve(place, arguments) else { continue };
            filled.places.push(steps.clone());
            if let Some(test) = random.one(tests).filter(|_| is_to_hold) {
                filled.mentions.push((steps, value(test, random)));
            }
        }
    }
}

/// What some rules mention, and with which values they hold.
#[derive(Default)]
struct Filled {
    mentions: Vec<(Vec<Step>, Value)>,
    places: Vec<Vec<Step>>,
}

/// The place in the input of one that may be in an argument.
fn resolve(place: &Place, arguments: &[Option<Vec<Step>>]) -> Option<Vec<Step>> {
    match place.argument {
        None => Some(place.steps.clone()),
        Some(index) => {
            let outer = arguments.get(index)?.as_ref()?;
            Some(outer.iter().chain(&place.steps).cloned().collect())
        }
    }
}

/// A value for which the test holds; of a prefix and a suffix, now and then, one short of it.
fn value(test: &Test, random: &mut Random) -> Value {
    let text = match test {
        Test::Is(Value::String(text)) => text.clone(),
        Test::Is(value) => return value.clone(),
        Test::Starts(text) if random.once_in(8) => {
            text.chars().take(text.chars().count().saturating_sub(1)).collect()
        }
        Test::Ends(text) if random.once_in(8) => text.chars().skip(1).collect(),
        Test::Starts(text) => {
            format!("{text}{}", random.word(&["", "", "x", "/", "orders", "1/a"]))
        }
        Test::Ends(text) => format!("{}{text}", random.word(&["", "", "/x", "x"])),
        Test::Like(text) => plain(text),
    };
    Value::from(text)
}

/// A text that a simple pattern matches: wildcards and classes become a letter.
fn plain(pattern: &str) -> String {
    let mut text = String::new();
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '^' | '$' | '(' | ')' | '?' | '+' | '\\' => {}
            '[' => {
                let _ = characters.by_ref().find(|end| *end == ']');
                text.push('a');
            }
            '*' if !text.ends_with('a') => text.push('a'),
            '*' => {}
            other => text.push(other),
        }
    }
    text
}

/// A request of which as much is as the mentions say as a request can be.
fn request(mentions: &[(Vec<Step>, Value)], random: &mut Random) -> Option<AccessRequest> {
    let base = words::request(random);
    let mut whole = base.clone();
    for (steps, value) in mentions {
        places::put(&mut whole, &words::native(steps), value.clone());
    }
    if let Some(request) = settled(&whole) {
        return Some(request);
    }
    let mut kept = base;
    for (steps, value) in mentions {
        let mut with = kept.clone();
        places::put(&mut with, &words::native(steps), value.clone());
        if settled(&with).is_some() {
            kept = with;
        }
    }
    settled(&kept)
}

fn settled(document: &Value) -> Option<AccessRequest> {
    let mut document = document.clone();
    words::settle(&mut document);
    AccessRequest::from_document(&document).ok()
}
