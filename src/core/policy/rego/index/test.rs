//! A condition that is plain enough to be held against a request without an engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use regorus::Value;

use super::Leaves;
use super::leaf::Leaf;

/// A condition without anything that only an engine can do.
#[derive(Debug)]
pub(super) enum Test {
    Plain(Plain),
    Helper(Helper),
}

/// `path == "a"`, `startswith(path, "a")` and their like, or `not` one of them.
#[derive(Debug)]
pub(super) struct Plain {
    /// Which of the index's paths is looked at.
    pub(super) path: u16,
    pub(super) is_negated: bool,
    pub(super) check: Check,
}

/// A rule that is true or nothing, by such conditions alone, or `not` one.
#[derive(Debug)]
pub(super) struct Helper {
    pub(super) is_negated: bool,
    pub(super) definitions: Arc<[Vec<Test>]>,
}

#[derive(Debug)]
pub(super) enum Check {
    Equal(Value),
    Differs(Value),
    /// The value, compared with a constant on its right.
    Order(Order, Value),
    OneOf(Vec<Value>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Part(Box<str>),
    /// The value itself is the condition.
    Truth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What became of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    Yes,
    No,
    /// The engine raises an error here.
    Raises,
}

impl Test {
    pub(super) fn holds(&self, leaves: &Leaves<'_>) -> Held {
        match self {
            // Without the value only the engine can say.
            Self::Plain(plain) => {
                leaves.at(plain.path).map_or(Held::Raises, |leaf| plain.holds(leaf))
            }
            Self::Helper(helper) => helper.holds(leaves),
        }
    }

    /// Adds the paths at which a value of the wrong type is an error.
    pub(super) fn raising(&self, paths: &mut BTreeSet<u16>) {
        match self {
            Self::Plain(Plain { path, check, .. }) => {
                if let Check::Prefix(_) | Check::Suffix(_) | Check::Part(_) = check {
                    paths.insert(*path);
                }
            }
            Self::Helper(Helper { definitions, .. }) => {
                definitions.iter().flatten().for_each(|test| test.raising(paths));
            }
        }
    }
}

impl Plain {
    fn holds(&self, leaf: &Leaf<'_>) -> Held {
        // An undefined condition is not true, and `not` of it is.
        let Some(is_true) = self.check.value(leaf) else { return Held::Raises };
        Held::of(is_true != self.is_negated)
    }
}

impl Helper {
    /// Every definition is looked at: one that raises an error does so beside one that is true.
    fn holds(&self, leaves: &Leaves<'_>) -> Held {
        let mut is_true = false;
        for definition in &*self.definitions {
            match all(definition, leaves) {
                Held::Yes => is_true = true,
                Held::No => {}
                Held::Raises => return Held::Raises,
            }
        }
        Held::of(is_true != self.is_negated)
    }
}

/// In their order, up to the first that does not hold.
pub(super) fn all(tests: &[Test], leaves: &Leaves<'_>) -> Held {
    let each = tests.iter().map(|test| test.holds(leaves));
    each.into_iter().find(|held| *held != Held::Yes).unwrap_or(Held::Yes)
}

impl Held {
    const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl Order {
    /// The same with its sides exchanged.
    pub(super) const fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

impl Check {
    /// Whether the condition is true; `None` where it is an error.
    fn value(&self, leaf: &Leaf<'_>) -> Option<bool> {
        let text = match leaf {
            Leaf::Undefined => return Some(false),
            Leaf::Text(text) => Some(&**text),
            Leaf::Other(_) => None,
        };
        Some(match self {
            Self::Equal(constant) => is_equal(leaf, constant),
            Self::Differs(constant) => !is_equal(leaf, constant),
            Self::Order(order, constant) => is_ordered(*order, leaf, constant),
            Self::OneOf(constants) => constants.iter().any(|constant| is_equal(leaf, constant)),
            Self::Prefix(prefix) => text?.starts_with(&**prefix),
            Self::Suffix(suffix) => text?.ends_with(&**suffix),
            Self::Part(part) => text?.contains(&**part),
            Self::Truth => !matches!(leaf, Leaf::Other(Value::Bool(false))),
        })
    }
}

pub(super) fn is_equal(leaf: &Leaf<'_>, constant: &Value) -> bool {
    match leaf {
        Leaf::Undefined => false,
        Leaf::Text(text) => matches!(constant, Value::String(constant) if **constant == **text),
        Leaf::Other(value) => value == constant,
    }
}

/// Values of two types have an order too.
fn is_ordered(order: Order, leaf: &Leaf<'_>, constant: &Value) -> bool {
    let seen = match (leaf, constant) {
        (Leaf::Undefined, _) => return false,
        (Leaf::Text(text), Value::String(constant)) => (**text).cmp(constant),
        (Leaf::Text(text), constant) => Value::from(&**text).cmp(constant),
        (Leaf::Other(value), constant) => value.cmp(constant),
    };
    match order {
        Order::Less => seen.is_lt(),
        Order::LessOrEqual => seen.is_le(),
        Order::Greater => seen.is_gt(),
        Order::GreaterOrEqual => seen.is_ge(),
    }
}
