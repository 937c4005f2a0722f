//! Inputs for one bundle: what its policies mention, put together so that rules match, then flipped.

use serde_json::Value;

use super::fill::Filled;
use super::flip::{self, Kind};
use super::random::Random;
use super::recipe::{Recipes, Step, Test};
use super::{native, places, words};
use crate::request::AccessRequest;

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
    pub(super) recipes: Recipes,
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
            document = random
                .one(&[Value::Null, 7.into(), "x".into(), Value::Array(vec![])])
                .cloned()
                .into();
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
            ["request.body.", "request.headers.", "source.jwt.claims."]
                .iter()
                .any(|free| shown.starts_with(free))
        };
        let free: Vec<_> = places::all(&document).into_iter().filter(is_free).collect();
        let Some(target) = random.one(&free) else { return request };
        let kind = random.one(&Kind::ALL).copied().unwrap_or(Kind::Null);
        flip::flip(&mut document, target, kind, &self.texts, random);
        AccessRequest::from_document(&document).unwrap_or(request)
    }
}

/// A request of which as much is as the mentions say as a request can be.
fn request(mentions: &[(Vec<Step>, Value)], random: &mut Random) -> Option<AccessRequest> {
    let base = words::request(random);
    let mut whole = base.clone();
    for (steps, value) in mentions {
        places::put(&mut whole, &native::native(steps), value.clone());
    }
    if let Some(request) = settled(&whole) {
        return Some(request);
    }
    let mut kept = base;
    for (steps, value) in mentions {
        let mut with = kept.clone();
        places::put(&mut with, &native::native(steps), value.clone());
        if settled(&with).is_some() {
            kept = with;
        }
    }
    settled(&kept)
}

fn settled(document: &Value) -> Option<AccessRequest> {
    let mut document = document.clone();
    native::settle(&mut document);
    AccessRequest::from_document(&document).ok()
}
