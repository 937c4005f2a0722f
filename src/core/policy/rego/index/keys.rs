//! Which rules a value can match, found by hashing it.
//!
//! Each rule hangs on one of its tests, its key: a rule whose key does not match is not true, and no
//! request pays for it. A value of the wrong type makes prefix tests raise: the rules in which that
//! comes before, or is, the key stand beside.

use std::collections::{BTreeMap, HashMap};

use regorus::Value;

use super::leaf::Leaf;
use super::test::{Check, Test};

/// A value is hashed once for each length.
const MAX_LENGTHS: usize = 32;

/// The keys on one path.
#[derive(Debug, Default)]
pub(super) struct Keys {
    texts: HashMap<Box<str>, Vec<u32>>,
    /// Constants that are no texts.
    others: BTreeMap<Value, Vec<u32>>,
    prefixes: Affixes,
    suffixes: Affixes,
    /// Rules that raise an error where the value is no text.
    raising: Vec<u32>,
}

#[derive(Debug, Default)]
struct Affixes {
    lengths: Vec<usize>,
    rules: HashMap<Box<str>, Vec<u32>>,
}

impl Keys {
    /// Hangs a rule on a test; false where it cannot be a key here.
    pub(super) fn add(&mut self, rule: u32, check: &Check) -> bool {
        match check {
            Check::Equal(constant) => self.add_constant(rule, constant),
            Check::OneOf(constants) => {
                constants.iter().for_each(|constant| self.add_constant(rule, constant));
            }
            Check::Prefix(prefix) => return self.prefixes.add(rule, prefix),
            Check::Suffix(suffix) => return self.suffixes.add(rule, suffix),
            Check::Differs(_) | Check::Order(..) | Check::Part(_) | Check::Truth => return false,
        }
        true
    }

    pub(super) fn add_raising(&mut self, rule: u32) {
        self.raising.push(rule);
    }

    fn add_constant(&mut self, rule: u32, constant: &Value) {
        let rules = if let Value::String(text) = constant {
            self.texts.entry((**text).into()).or_default()
        } else {
            self.others.entry(constant.clone()).or_default()
        };
        if rules.last() != Some(&rule) {
            rules.push(rule);
        }
    }

    /// Adds the rules that a value can match, or at which it raises an error.
    pub(super) fn collect(&self, leaf: &Leaf<'_>, found: &mut Vec<u32>) {
        match leaf {
            Leaf::Undefined => {}
            Leaf::Text(text) => {
                found.extend(self.texts.get(&**text).into_iter().flatten());
                for length in &self.prefixes.lengths {
                    let Some(start) = text.get(..*length) else { continue };
                    found.extend(self.prefixes.rules.get(start).into_iter().flatten());
                }
                for length in &self.suffixes.lengths {
                    let end = text.len().checked_sub(*length).and_then(|at| text.get(at..));
                    let Some(end) = end else { continue };
                    found.extend(self.suffixes.rules.get(end).into_iter().flatten());
                }
            }
            Leaf::Other(value) => {
                found.extend(self.others.get(value).into_iter().flatten());
                found.extend(&self.raising);
            }
        }
    }

    /// Whether a value has to be looked at.
    pub(super) fn is_empty(&self) -> bool {
        let Self { texts, others, prefixes, suffixes, raising } = self;
        texts.is_empty()
            && others.is_empty()
            && prefixes.rules.is_empty()
            && suffixes.rules.is_empty()
            && raising.is_empty()
    }
}

impl Affixes {
    fn add(&mut self, rule: u32, affix: &str) -> bool {
        if !self.lengths.contains(&affix.len()) {
            if self.lengths.len() >= MAX_LENGTHS {
                return false;
            }
            self.lengths.push(affix.len());
        }
        self.rules.entry(affix.into()).or_default().push(rule);
        true
    }
}

/// What makes one test the same key as another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyOf {
    Constant(u16, Value),
    Prefix(u16, Box<str>),
    Suffix(u16, Box<str>),
}

/// The keys that a rule would hang on with this test; none where it cannot be one.
pub(super) fn keys_of(test: &Test) -> Vec<KeyOf> {
    let Test::Plain(test) = test else { return Vec::new() };
    if test.is_negated {
        return Vec::new();
    }
    match &test.check {
        Check::Equal(constant) => vec![KeyOf::Constant(test.path, constant.clone())],
        Check::OneOf(constants) => {
            constants.iter().map(|c| KeyOf::Constant(test.path, c.clone())).collect()
        }
        Check::Prefix(prefix) => vec![KeyOf::Prefix(test.path, prefix.clone())],
        Check::Suffix(suffix) => vec![KeyOf::Suffix(test.path, suffix.clone())],
        Check::Differs(_) | Check::Order(..) | Check::Part(_) | Check::Truth => Vec::new(),
    }
}
