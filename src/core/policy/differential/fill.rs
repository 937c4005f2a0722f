//! Values for the places that a rule mentions, so that it holds, or nearly.

use serde_json::Value;

use super::flip;
use super::inputs::Generator;
use super::random::Random;
use super::recipe::{Place, Recipe, Step, Test};

/// How deep the rules that a rule uses are followed.
const MAX_DEPTH: usize = 4;

impl Generator<'_> {
    /// Places and values that make a rule match, or nearly.
    pub(super) fn filled(&self, random: &mut Random) -> Filled {
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
pub(super) struct Filled {
    pub(super) mentions: Vec<(Vec<Step>, Value)>,
    pub(super) places: Vec<Vec<Step>>,
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
