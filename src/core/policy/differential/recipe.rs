//! What a policy mentions of its input, in a form that inputs can be made from.

use std::collections::BTreeSet;

use serde_json::Value;

/// A step of a path into the input document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum Step {
    Key(String),
    Index(usize),
    /// Any member: `[_]`, `some … in`.
    Any,
}

/// A place in the input, or in the argument of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) struct Place {
    /// Of the function that the mention stands in; `None` is the input.
    pub(in crate::policy) argument: Option<usize>,
    pub(in crate::policy) steps: Vec<Step>,
}

/// What a value is held against.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::policy) enum Test {
    Is(Value),
    Starts(String),
    Ends(String),
    /// A pattern, or a text that something is done with.
    Like(String),
}

/// One definition of a rule, or one Cedar policy.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct Recipe {
    /// Places with the tests that stand beside them, in the order of the text; one test of each is to
    /// hold.
    pub(in crate::policy) mentions: Vec<(Place, Vec<Test>)>,
    pub(in crate::policy) uses: Vec<Use>,
}

/// A reference to a rule, or a call of a function.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Use {
    /// Which of [`Recipes::groups`].
    pub(in crate::policy) group: usize,
    pub(in crate::policy) arguments: Vec<Option<Place>>,
    pub(in crate::policy) is_negated: bool,
}

/// All that a bundle mentions.
#[derive(Clone, Debug, Default)]
pub(in crate::policy) struct Recipes {
    /// The definitions of each rule.
    pub(in crate::policy) groups: Vec<Vec<Recipe>>,
    /// The groups that a decision asks for.
    pub(in crate::policy) entry: Vec<usize>,
    /// Every place of the input that is read.
    pub(in crate::policy) places: BTreeSet<Vec<Step>>,
}

impl Place {
    pub(in crate::policy) fn input(steps: Vec<Step>) -> Self {
        Self { argument: None, steps }
    }

    /// The place of the same kind one step further in.
    pub(in crate::policy) fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }
}

impl Recipe {
    pub(in crate::policy) fn mention(&mut self, place: &Place, tests: &[Test]) {
        if !tests.is_empty() {
            self.mentions.push((place.clone(), tests.to_vec()));
        }
    }
}

impl Recipes {
    /// Joins what another engine of the bundle mentions.
    pub(in crate::policy) fn join(&mut self, other: Self) {
        let before = self.groups.len();
        let moved = |mut recipe: Recipe| {
            recipe.uses.iter_mut().for_each(|used| used.group += before);
            recipe
        };
        let groups = other.groups.into_iter();
        self.groups.extend(groups.map(|group| group.into_iter().map(moved).collect()));
        self.entry.extend(other.entry.into_iter().map(|group| group + before));
        self.places.extend(other.places);
    }
}
