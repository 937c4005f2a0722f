//! What a run has shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::decide::Verdict;
use super::super::{Effects, Outcome, PolicyRef};
use super::flip::Kind;
use super::inputs::Input;

/// A few tell what is wrong; the others are counted.
const MAX_DIFFERENCES: usize = 8;

/// The summary of a run over one bundle, or of several runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    pub seed: u64,
    pub inputs: usize,
    /// Verdicts that were held against the meaning.
    pub compared: usize,
    pub allows: usize,
    pub denies: usize,
    pub errors: usize,
    /// Verdicts that were other than the meaning, the first of them in `differences`.
    pub differing: usize,
    pub differences: Vec<Difference>,
    /// How often a place of the input became a value of each kind.
    pub flips: BTreeMap<String, BTreeMap<Kind, usize>>,
}

/// One input on which a way and the meaning disagree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// With the seed it makes the input again.
    pub number: usize,
    pub way: String,
    /// The input document, or the native part of the request's.
    pub input: Value,
    pub meaning: String,
    pub seen: String,
}

impl Evidence {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub(super) fn count(&mut self, input: &Input, outcome: Outcome) {
        self.inputs += 1;
        match outcome {
            Outcome::Allow => self.allows += 1,
            Outcome::Deny => self.denies += 1,
            Outcome::Error => self.errors += 1,
        }
        for (place, kind) in &input.flips {
            *self.flips.entry(place.clone()).or_default().entry(*kind).or_default() += 1;
        }
    }

    pub(super) fn add(&mut self, difference: impl FnOnce() -> Difference) {
        self.differing += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference());
        }
    }

    /// Adds what another run has shown.
    pub fn join(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.compared += other.compared;
        self.allows += other.allows;
        self.denies += other.denies;
        self.errors += other.errors;
        self.differing += other.differing;
        let room = MAX_DIFFERENCES.saturating_sub(self.differences.len());
        self.differences.extend(other.differences.into_iter().take(room));
        for (place, kinds) in other.flips {
            let counts = self.flips.entry(place).or_default();
            kinds.into_iter().for_each(|(kind, count)| *counts.entry(kind).or_default() += count);
        }
    }
}

/// `200 inputs (80 allow, 90 deny, 30 error), 250 verdicts, 0 differ`
impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, compared, allows, denies, errors, differing, .. } = self;
        write!(
            f,
            "{inputs} inputs ({allows} allow, {denies} deny, {errors} error), \
             {compared} verdicts, {differing} differ"
        )
    }
}

/// What to do with it: the number, both verdicts and the input.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, way, input, meaning, seen } = self;
        write!(f, "input {number} by {way}\n  means {meaning}\n  seen  {seen}\n  input {input}")
    }
}

impl Difference {
    pub(super) fn new(
        number: usize,
        way: &str,
        input: &Input,
        meaning: &Verdict,
        seen: &Verdict,
    ) -> Self {
        Self {
            number,
            way: way.to_owned(),
            input: input.document.clone().unwrap_or_else(|| input.request.to_document()),
            meaning: told(meaning),
            seen: told(seen),
        }
    }
}

/// A verdict whole, in one line.
pub(super) fn told(verdict: &Verdict) -> String {
    let Verdict { outcome, reason, policies, errors, effects } = verdict;
    let place = |policy: &PolicyRef| format!("{}:{} {}", policy.file, policy.line, policy.id);
    let mut text = format!("{} {}", outcome.as_str(), reason.as_str());
    if !policies.is_empty() {
        let policies: Vec<_> = policies.iter().map(place).collect();
        text.push_str(&format!(" by {}", policies.join(", ")));
    }
    for error in errors {
        let raised_by = error.policy.as_ref().map(place).unwrap_or_default();
        text.push_str(&format!("; error of {raised_by}: {}", error.text));
    }
    if *effects != Effects::default() {
        text.push_str(&format!("; {effects:?}"));
    }
    text
}
