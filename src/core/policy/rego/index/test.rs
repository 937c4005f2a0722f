//! A condition that is plain enough to be held against a request without an engine.

use super::leaf::Leaf;
use regorus::Value;

/// `path == "a"`, `startswith(path, "a")` and their like, or `not` one of them.
#[derive(Debug)]
pub(super) struct Test {
    /// Which of the index's paths is looked at.
    pub(super) path: u16,
    pub(super) is_negated: bool,
    pub(super) check: Check,
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
    pub(super) fn holds(&self, leaf: &Leaf<'_>) -> Held {
        // An undefined condition is not true, and `not` of it is.
        let Some(is_true) = self.check.value(leaf) else { return Held::Raises };
        if is_true == self.is_negated { Held::No } else { Held::Yes }
    }

    /// Whether a value of the wrong type is an error here.
    pub(super) fn may_raise(&self) -> bool {
        matches!(self.check, Check::Prefix(_) | Check::Suffix(_) | Check::Part(_))
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
